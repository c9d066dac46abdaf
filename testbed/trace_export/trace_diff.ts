/** The first event in which two recorded traces differ. */

/** One event of a trace file, with its line. */
export interface FileEvent {
  readonly line: number;
  readonly text: string;
}

/** Where two traces part. */
export interface TraceDifference {
  /** How many events they have in common before. */
  readonly common: number;
  /** The latest of those, oldest first. */
  readonly before: readonly FileEvent[];
  /** The first ones that differ; `null` where a trace has ended. */
  readonly a: FileEvent | null;
  readonly b: FileEvent | null;
}

/** What is compared. */
export interface TraceDiffOptions {
  /** Only events of these kinds; default: all. */
  readonly kinds?: readonly string[];
}

const CONTEXT = 5;

/**
 * Compares the lines of two trace files (`xenarium boot --trace`); `null` if all events are the same. Comments are passed
 * over. Throws `SyntaxError` for a line that is no event.
 */
export async function diffTraces(
  a: AsyncIterable<string>,
  b: AsyncIterable<string>,
  options: TraceDiffOptions = {},
): Promise<TraceDifference | null> {
  const before: FileEvent[] = [];
  const [left, right] = [eventsOf(a, options), eventsOf(b, options)];
  for (let common = 0;; common++) {
    const [one, other] = [await left.next(), await right.next()];
    if (one.done && other.done) return null;
    const isSame = !one.done && !other.done && one.value.text === other.value.text;
    if (!isSame) {
      await left.return(undefined);
      await right.return(undefined);
      return { common, before, a: one.value ?? null, b: other.value ?? null };
    }
    before.push(one.value);
    if (before.length > CONTEXT) before.shift();
  }
}

async function* eventsOf(
  lines: AsyncIterable<string>,
  { kinds }: TraceDiffOptions,
): AsyncGenerator<FileEvent, undefined> {
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text === "" || text.startsWith("#")) continue;
    const match = /^\d+ (\w+) /.exec(text);
    if (!match) {
      throw new SyntaxError(
        `line ${line}: expected an event as boot --trace writes them, found ${
          JSON.stringify(text.slice(0, 40))
        }`,
      );
    }
    if (kinds === undefined || kinds.includes(match[1])) yield { line, text };
  }
}

/** A difference in a few lines. */
export function describeTraceDifference(
  { common, before, a, b }: TraceDifference,
  names: readonly [string, string],
): string {
  const side = (name: string, event: FileEvent | null) =>
    event === null ? `${name} has ended` : `${name}:${event.line}: ${event.text}`;
  return [
    `${common} events are the same${before.length > 0 ? "; the latest:" : ""}`,
    ...before.map(({ text }) => `  ${text}`),
    "then",
    `  ${side(names[0], a)}`,
    `  ${side(names[1], b)}`,
  ].join("\n");
}

/** The lines of a text file. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path);
  let rest = "";
  for await (const piece of file.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
