/**
 * The syntax of `xl.cfg`: assignments of texts, numbers and lists to names.
 *
 * Source: "SYNTAX" of Xen's `docs/man/xl.cfg.5.pod.in`. `name = value` and `name += value` end with the line or a
 * semicolon; `#` begins a comment; lists may go over several lines.
 */

/** A value as it is written. */
export type XlValue = string | number | readonly XlValue[];

/** One assignment, and where it is. */
export interface XlSetting {
  readonly name: string;
  readonly value: XlValue;
  readonly line: number;
}

/** What a file is made of. */
interface Token {
  readonly kind: "name" | "text" | "number" | "mark" | "end";
  readonly text: string;
  readonly line: number;
}

const PATTERN =
  /(?<blank>[ \t\r]+|#[^\n]*|\\\n)|(?<end>[\n;])|(?<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?<number>(?:0x[0-9a-f]+|-?\d+)(?![\w]))|(?<name>[a-z_]\w*)|(?<mark>\+=|[=[\],()])/giy;
/** Lists in lists are of no use in `xl.cfg` beyond this depth. */
const MAX_DEPTH = 8;

/**
 * The assignments of `source`, in order; a later one replaces an earlier one of the same name, `+=` adds to it. Throws
 * `SyntaxError` that names `file`, the line, and what was expected.
 */
export function parseXlCfg(source: string, file = "xl.cfg"): ReadonlyMap<string, XlSetting> {
  return new Reader(tokens(source, file), file).settings();
}

function tokens(source: string, file: string): Token[] {
  const found: Token[] = [];
  let line = 1;
  PATTERN.lastIndex = 0;
  while (PATTERN.lastIndex < source.length) {
    const at = PATTERN.lastIndex;
    const groups = PATTERN.exec(source)?.groups;
    if (!groups) {
      const rest = source.slice(at).split("\n", 1)[0];
      const isText = /^["']/.test(rest);
      throw new SyntaxError(
        `${file}:${line}: ${
          isText ? "a text does not end on its line" : "expected a setting"
        }: ${rest}`,
      );
    }
    const [kind, text] = Object.entries(groups).find(([, text]) => text !== undefined)!;
    if (kind !== "blank") found.push({ kind: kind as Token["kind"], text, line });
    line += text.split("\n").length - 1;
  }
  found.push({ kind: "end", text: "the end of the file", line });
  return found;
}

class Reader {
  readonly #settings = new Map<string, XlSetting>();
  #next = 0;

  constructor(private readonly tokens: readonly Token[], private readonly file: string) {}

  settings(): ReadonlyMap<string, XlSetting> {
    while (this.#next < this.tokens.length) {
      if (this.#peek.kind === "end") this.#next++;
      else this.#setting();
    }
    return this.#settings;
  }

  get #peek(): Token {
    return this.tokens[this.#next];
  }

  #take(): Token {
    return this.tokens[this.#next++];
  }

  #setting(): void {
    const { kind, text: name, line } = this.#take();
    if (kind !== "name") throw this.#complaint("the name of a setting", name, line);
    const mark = this.#take();
    if (mark.text !== "=" && mark.text !== "+=") {
      throw this.#complaint(`= after ${name}`, mark.text, mark.line);
    }
    const value = this.#value(0);
    const { kind: end, text, line: at } = this.#peek;
    if (end !== "end") throw this.#complaint(`the end of the line after ${name}`, text, at);
    const before = mark.text === "+=" ? this.#settings.get(name)?.value : undefined;
    this.#settings.set(name, { name, line, value: this.#joined(before, value, name, line) });
  }

  #joined(before: XlValue | undefined, value: XlValue, name: string, line: number): XlValue {
    if (before === undefined) return value;
    if (Array.isArray(before) && Array.isArray(value)) return [...before, ...value];
    if (typeof before === "string" && typeof value === "string") return before + value;
    throw this.#complaint(`${name} += a value of its own kind`, show(value), line);
  }

  #value(depth: number): XlValue {
    const { kind, text, line } = this.#take();
    if (kind === "number") return Number(text);
    if (kind === "text") return unquoted(text);
    if (text === "[" && depth < MAX_DEPTH) return this.#list(depth + 1);
    throw this.#complaint("a text in quotes, a number or a list in [ ]", text, line);
  }

  #list(depth: number): XlValue[] {
    const values: XlValue[] = [];
    for (;;) {
      this.#skipLines();
      if (this.#peek.text === "]") break;
      values.push(this.#value(depth));
      this.#skipLines();
      if (this.#peek.text !== ",") break;
      this.#next++;
    }
    const { text, line } = this.#peek;
    if (text !== "]") throw this.#complaint(", or ] in a list", text, line);
    this.#next++;
    return values;
  }

  /** Inside a list the end of a line means nothing. */
  #skipLines(): void {
    while (this.#peek.text === "\n") this.#next++;
  }

  #complaint(expected: string, found: string, line: number): SyntaxError {
    const shown = found === "\n" ? "the end of the line" : found;
    return new SyntaxError(`${this.file}:${line}: expected ${expected}, found ${shown}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

/** A value as one would write it. */
export function show(value: XlValue): string {
  return typeof value === "object" ? `[${value.map(show).join(", ")}]` : JSON.stringify(value);
}
