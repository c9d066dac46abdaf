/** A line of assembly as words, numbers, strings and marks. */

/** One token. */
export type Token =
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "number"; readonly text: string; readonly value: bigint }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "mark"; readonly text: string };

const WORD = /[A-Za-z_.?$@][\w.?$@]*/y;
const NUMBER = /\d[\w]*/y;
const MARK = /<<|>>|[-+*/%&|^~()[\]:,]/y;

/** Splits a line; a comment begins with `;`. Throws `SyntaxError` at what is no token. */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < line.length;) {
    const character = line[at];
    if (character === ";") break;
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    if (`"'\``.includes(character)) {
      const end = line.indexOf(character, at + 1);
      if (end < 0) throw new SyntaxError(`the string ${line.slice(at)} has no end`);
      tokens.push({ kind: "string", text: line.slice(at + 1, end) });
      at = end + 1;
      continue;
    }
    const token = take(line, at);
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function take(line: string, at: number): Token {
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(line)?.[0];
  };
  const number = match(NUMBER);
  if (number !== undefined) return { kind: "number", text: number, value: parseNumber(number) };
  const word = match(WORD);
  if (word !== undefined) return { kind: "word", text: word };
  const mark = match(MARK);
  if (mark !== undefined) return { kind: "mark", text: mark };
  throw new SyntaxError(`cannot read ${JSON.stringify(line[at])}`);
}

const FORMS: readonly [pattern: RegExp, prefix: string][] = [
  [/^0x([0-9a-f]+)$/, "0x"],
  [/^0b([01]+)$/, "0b"],
  [/^0o([0-7]+)$/, "0o"],
  [/^(\d+)$/, ""],
  [/^(\d[0-9a-f]*)h$/, "0x"],
  [/^([01]+)b$/, "0b"],
];

function parseNumber(text: string): bigint {
  const plain = text.toLowerCase().replaceAll("_", "");
  for (const [pattern, prefix] of FORMS) {
    const digits = pattern.exec(plain)?.[1];
    if (digits !== undefined) return BigInt(prefix + digits);
  }
  throw new SyntaxError(`${text} is no number; expected 12, 0x1f, 1fh, 0b101 or 0o17`);
}

/** Tokens with a place in them. */
export class TokenCursor {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  get done(): boolean {
    return this.#at >= this.tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.#at + ahead];
  }

  next(): Token {
    const token = this.tokens[this.#at++];
    if (!token) throw new SyntaxError("the line ends too early");
    return token;
  }

  /** The next token's text in lower case if it is a word. */
  word(ahead = 0): string | undefined {
    const token = this.peek(ahead);
    return token?.kind === "word" ? token.text.toLowerCase() : undefined;
  }

  isMark(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token?.kind === "mark" && token.text === text;
  }

  /** Takes the mark `text` if it is next. */
  takeMark(text: string): boolean {
    const found = this.isMark(text);
    if (found) this.#at++;
    return found;
  }

  expectMark(text: string): void {
    if (!this.takeMark(text)) {
      throw new SyntaxError(
        `expected ${text}, found ${this.peek()?.text ?? "the end of the line"}`,
      );
    }
  }

  /** Takes the word `text` (lower case) if it is next. */
  takeWord(text: string): boolean {
    const found = this.word() === text;
    if (found) this.#at++;
    return found;
  }
}
