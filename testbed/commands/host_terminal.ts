/** The standard streams of this process as a terminal. */

import type { Terminal } from "./services.ts";

const encoder = new TextEncoder();

/** The terminal that the program was started at, or what its streams were redirected to. */
export const hostTerminal: Terminal = {
  get interactive() {
    return Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  },

  write(text) {
    writeAll(Deno.stdout, typeof text === "string" ? encoder.encode(text) : text);
  },

  writeError(text) {
    writeAll(Deno.stderr, encoder.encode(text));
  },

  async *input(signal) {
    const reader = Deno.stdin.readable.getReader();
    const aborted = new Promise<{ done: true; value: undefined }>((resolve) => {
      const end = () => resolve({ done: true, value: undefined });
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    });
    while (true) {
      const { done, value } = await Promise.race([reader.read(), aborted]);
      if (done) return;
      yield value;
    }
  },

  setRaw(raw) {
    Deno.stdin.setRaw(raw);
  },

  onInterrupt(handler) {
    Deno.addSignalListener("SIGINT", handler);
    return () => Deno.removeSignalListener("SIGINT", handler);
  },
};

/** Writes all bytes; a reader that has gone away (`| head`) ends the program quietly. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}
