/** What is known of one run or session while it goes on, and who watches it. */

import { unreachable } from "../unreachable.ts";
import type { HostSample, RunEnd, RunStatus } from "../../mod.ts";
import type { RunNews } from "../services.ts";
import { EventStream } from "./event_stream.ts";
import type { ConsoleCard, LiveMessage, LiveState, RunStanding } from "./messages.ts";

/** Rows of samples (one for each domain) that are kept: minutes of a small host, a while of a large one. */
const MAX_SAMPLE_ROWS = 6000;
/** Lines of output that are kept. */
const MAX_LINES = 300;
/** Characters of a console's text that are kept. */
const MAX_CONSOLE_CHARACTERS = 200_000;

/** A console and the end of its text. */
interface ConsoleText extends ConsoleCard {
  /** Characters before `text` that were forgotten. */
  offset: number;
  text: string;
}

/** What a channel is of. */
export interface ChannelOptions {
  /** Of the run, or `session`. */
  readonly id: string;
  readonly title: string;
  readonly kind: "run" | "session";
  type(console: string, text: string): void;
  /** Asks it to stop; absent for what cannot be stopped from here. */
  stop?(): void;
}

/** See the module comment. */
export class LiveChannel {
  readonly #samples: HostSample[] = [];
  #sampleRows = 0;
  readonly #consoles = new Map<string, ConsoleText>();
  readonly #lines: string[] = [];
  #run: RunStanding | null;
  /** Watchers of the whole, and of one console each. */
  readonly #watchers = new Map<EventStream, string | null>();

  constructor(readonly options: ChannelOptions) {
    this.#run = options.kind === "session"
      ? null
      : { id: options.id, status: "running", progress: { fraction: 0, step: "" }, error: null };
  }

  get id(): string {
    return this.options.id;
  }

  get title(): string {
    return this.options.title;
  }

  get status(): RunStatus {
    return this.#run?.status ?? "running";
  }

  get state(): LiveState {
    return {
      title: this.title,
      run: this.#run,
      samples: this.#samples,
      consoles: this.#cards(),
      log: this.#lines,
    };
  }

  /** The text of a console as far as it is kept, or `null` if there is none of that key. */
  console(key: string): Readonly<ConsoleText> | null {
    return this.#consoles.get(key) ?? null;
  }

  /** Somebody watches the whole. */
  watch(): EventStream {
    return this.#open(null, () => ({ kind: "state", state: this.state }));
  }

  /** Somebody watches one console. */
  watchConsole(key: string): EventStream {
    return this.#open(key, () => {
      const { offset, text } = this.#consoles.get(key) ?? { offset: 0, text: "" };
      return { kind: "piece", piece: { offset, text } };
    });
  }

  /** Something happened. */
  push(news: RunNews): void {
    switch (news.kind) {
      case "sample":
        return this.#sample(news.sample);
      case "console":
        this.#consoles.set(news.key, { key: news.key, title: news.title, offset: 0, text: "" });
        this.#tell({ kind: "consoles", consoles: this.#cards() });
        return this.#output(news.key, news.text);
      case "output":
        return this.#output(news.key, news.text);
      case "line":
        return this.#line(news.text);
      case "progress":
        return this.#stand({ progress: news.progress });
      case "ended":
        return this.#end(news.end);
      case "conclusion":
        return this.#line(news.text);
      case "started":
      case "image":
      case "table":
      case "row":
      case "comparison":
      case "cell":
      case "series":
      case "points":
      case "figure":
        return;
      default:
        return unreachable(news);
    }
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of [...this.#watchers.keys()]) stream.end();
  }

  #open(console: string | null, begin: () => LiveMessage): EventStream {
    const stream: EventStream = new EventStream(begin, () => this.#watchers.delete(stream));
    this.#watchers.set(stream, console);
    return stream;
  }

  #sample(sample: HostSample): void {
    this.#samples.push(sample);
    this.#sampleRows += sample.domains.length;
    while (this.#sampleRows > MAX_SAMPLE_ROWS && this.#samples.length > 1) {
      this.#sampleRows -= this.#samples.shift()!.domains.length;
    }
    this.#tell({ kind: "sample", sample });
  }

  #output(key: string, text: string): void {
    const console = this.#consoles.get(key);
    if (!console) return;
    const offset = console.offset + console.text.length;
    console.text += text;
    const excess = console.text.length - MAX_CONSOLE_CHARACTERS;
    if (excess > 0) {
      console.text = console.text.slice(excess);
      console.offset += excess;
    }
    for (const [stream, watched] of this.#watchers) {
      if (watched === key) stream.send({ kind: "piece", piece: { offset, text } });
    }
  }

  #line(text: string): void {
    this.#lines.push(text);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    this.#tell({ kind: "lines", lines: [text] });
  }

  #stand(change: Partial<RunStanding>): void {
    if (!this.#run) return;
    this.#run = { ...this.#run, ...change };
    this.#tell({ kind: "run", run: this.#run });
  }

  #end({ status, error }: RunEnd): void {
    const done = { progress: { fraction: 1, step: "" } };
    this.#stand({ status, error, ...(status === "complete" ? done : {}) });
  }

  #cards(): ConsoleCard[] {
    return [...this.#consoles.values()].map(({ key, title }) => ({ key, title }));
  }

  #tell(message: LiveMessage): void {
    for (const [stream, console] of this.#watchers) if (console === null) stream.send(message);
  }
}
