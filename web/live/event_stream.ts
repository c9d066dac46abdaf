/**
 * One browser's stream of server-sent events.
 *
 * A browser that reads slowly, sleeps or goes away holds nobody up: what waits for it is bounded, and when that is too
 * much it is thrown away and the browser begins anew with the whole state. Source: "Server-sent events" (HTML standard).
 */

import type { LiveMessage } from "./messages.ts";

/** Events that wait for a browser at most. */
const MAX_WAITING = 256;
/** A comment goes out after so many milliseconds without an event, so that a dead connection is noticed. */
const HEARTBEAT_MS = 15_000;

/** See the module comment. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #waiting: LiveMessage[] = [];
  readonly #encoder = new TextEncoder();
  #wake: (() => void) | null = null;
  #ended = false;
  #isBehind = true;

  /** `begin` gives the whole state; `closed` is called once, when the browser is gone or the stream was ended. */
  constructor(private readonly begin: () => LiveMessage, private readonly closed: () => void) {
    this.body = new ReadableStream({
      pull: async (controller) => {
        const text = await this.#next();
        if (text === null) return controller.close();
        controller.enqueue(this.#encoder.encode(text));
      },
      cancel: () => this.end(),
    }, { highWaterMark: 1 });
  }

  /** Sends a message, sooner or later. */
  send(message: LiveMessage): void {
    if (this.#ended || this.#isBehind) return;
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.length = 0;
      this.#isBehind = true;
    }
    this.#wake?.();
  }

  /** Ends the stream after what waits has been sent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake?.();
    this.closed();
  }

  /** The answer that carries the stream. */
  response(): Response {
    return new Response(this.body, { headers: { "content-type": "text/event-stream" } });
  }

  /** The next piece of the body, or `null` at its end. */
  async #next(): Promise<string | null> {
    for (;;) {
      if (this.#isBehind) {
        this.#isBehind = false;
        return frame(this.begin());
      }
      const message = this.#waiting.shift();
      if (message) return frame(message);
      if (this.#ended) return null;
      if (!(await this.#somethingToDo())) return ": still here\n\n";
    }
  }

  /** Waits until there is a message or an end; false if it is time for a heartbeat first. */
  async #somethingToDo(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), HEARTBEAT_MS);
    this.#wake = () => resolve(true);
    try {
      return await promise;
    } finally {
      this.#wake = null;
      clearTimeout(timer);
    }
  }
}

/** JSON has no line break outside of its escapes, so one `data` line holds it. */
function frame(message: LiveMessage): string {
  return `event: ${message.kind}\ndata: ${JSON.stringify(message)}\n\n`;
}
