/**
 * Expressions over what a stopped CPU has, for those who type: `rsp + 8`, `[jiffies_64] > 0x1000`,
 * `u32[rdi + 0x10] == 3 && cs == 0x10`.
 *
 * Numbers are 64-bit and unsigned; comparisons give 1 or 0. Operators, loosest first: `||`, `&&`, `|`, `^`, `&`,
 * `== !=`, `< <= > >=`, `<< >>`, `+ -`, `*`, then `! ~ -`. `[x]` is the 8 bytes at a linear address, `u8[x]`, `u16[x]`,
 * `u32[x]` are fewer. A name is a register, else a symbol's address.
 */

/** What names and memory mean. */
export interface ExpressionScope {
  /** The value of a register or symbol, or `null`. */
  symbol(name: string): bigint | null;
  /** Throws the error for a name that means nothing. */
  missing(name: string): bigint;
  /** Bytes at a linear address; shorter where nothing is mapped. */
  read(address: bigint, lengthBytes: number): Uint8Array;
}

/** A register by the manual's names, narrow ones included; `null` if it is none. */
export function registerOf(
  registers: Readonly<Record<string, bigint>>,
  name: string,
): bigint | null {
  const known = registers[name];
  if (known !== undefined) return known;
  for (const [pattern, bits, wideName] of NARROW) {
    const match = pattern.exec(name);
    const wide = match && registers[wideName(match[1])];
    if (wide !== null && wide !== undefined) return BigInt.asUintN(bits, wide);
  }
  return null;
}

/** Registers that are the low bits of others: their names, how many bits, and what they are part of. */
const NARROW: readonly (readonly [RegExp, number, (name: string) => string])[] = [
  [/^e([abcd]x|[sd]i|[bs]p|ip)$/, 32, (name) => `r${name}`],
  [/^([abcd]x|[sd]i|[bs]p)$/, 16, (name) => `r${name}`],
  [/^([abcd])l$/, 8, (name) => `r${name}x`],
];

/** An expression that was understood. */
export type Expression = (scope: ExpressionScope) => bigint;

const TOKEN =
  /\s*(?:(0x[0-9a-f]+|\d+)|([A-Za-z_.$][\w.$]*)|(\|\||&&|==|!=|<=|>=|<<|>>|[-+*&|^!~<>()[\]]))/iy;
/** Operators by how strongly they bind, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*"],
];
const WIDTHS: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };
/** Nesting that people write. */
const MAX_DEPTH = 64;

const BINARY: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "&": (a, b) => a & b,
  "==": (a, b) => truth(a === b),
  "!=": (a, b) => truth(a !== b),
  "<": (a, b) => truth(a < b),
  "<=": (a, b) => truth(a <= b),
  ">": (a, b) => truth(a > b),
  ">=": (a, b) => truth(a >= b),
  "<<": (a, b) => b > 63n ? 0n : cut(a << b),
  ">>": (a, b) => b > 63n ? 0n : a >> b,
  "+": (a, b) => cut(a + b),
  "-": (a, b) => cut(a - b),
  "*": (a, b) => cut(a * b),
};

/** Reads an expression; throws `SyntaxError` that says what was expected where. */
export function parseExpression(text: string): Expression {
  return new Parser(text).whole();
}

/** The value of an expression; hexadecimal digits alone are an address, as elsewhere at the prompt. */
export function evaluateAddress(text: string, scope: ExpressionScope): bigint {
  if (/^[0-9a-f]{4,16}$/i.test(text) && scope.symbol(text) === null) return BigInt(`0x${text}`);
  return parseExpression(text)(scope);
}

class Parser {
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string) {
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const from = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (!match) throw new SyntaxError(`cannot read ${JSON.stringify(text.slice(from))}`);
      this.#tokens.push(match[0].trim());
    }
  }

  whole(): Expression {
    const expression = this.#binary(0);
    if (this.#at < this.#tokens.length) throw this.#unexpected("an operator");
    return expression;
  }

  #binary(level: number): Expression {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#binary(level + 1);
    for (let operator = this.#take(LEVELS[level]); operator; operator = this.#take(LEVELS[level])) {
      left = combine(operator, left, this.#binary(level + 1));
    }
    return left;
  }

  #unary(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxError("the expression is nested too deeply");
    const operator = this.#take(["!", "~", "-"]);
    const result = operator === null ? this.#primary() : unary(operator, this.#unary());
    this.#depth--;
    return result;
  }

  #primary(): Expression {
    if (this.#take(["("])) {
      const inner = this.#binary(0);
      this.#expect(")");
      return inner;
    }
    if (this.#take(["["])) return this.#memory(8);
    const token = this.#tokens[this.#at];
    if (token === undefined || !/^[\w.$]/.test(token)) {
      throw this.#unexpected("a number, a name or [");
    }
    this.#at++;
    if (/^\d/.test(token)) {
      const value = cut(BigInt(token));
      return () => value;
    }
    if (token in WIDTHS && this.#take(["["])) return this.#memory(WIDTHS[token]);
    return (scope) => cut(scope.symbol(token) ?? scope.missing(token));
  }

  #memory(bytes: number): Expression {
    const address = this.#binary(0);
    this.#expect("]");
    return (scope) => {
      const at = address(scope);
      const found = scope.read(at, bytes);
      if (found.length < bytes) throw new RangeError(`nothing is mapped at 0x${at.toString(16)}`);
      return found.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    };
  }

  #take(tokens: readonly string[]): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || !tokens.includes(token)) return null;
    this.#at++;
    return token;
  }

  #expect(token: string): void {
    if (!this.#take([token])) throw this.#unexpected(token);
  }

  #unexpected(expected: string): SyntaxError {
    const found = this.#tokens[this.#at] ?? "the end";
    return new SyntaxError(`expected ${expected} in ${JSON.stringify(this.text)}, found ${found}`);
  }
}

function combine(operator: string, left: Expression, right: Expression): Expression {
  if (operator === "||") return (scope) => truth(left(scope) !== 0n || right(scope) !== 0n);
  if (operator === "&&") return (scope) => truth(left(scope) !== 0n && right(scope) !== 0n);
  const operation = BINARY[operator];
  return (scope) => operation(left(scope), right(scope));
}

function unary(operator: string, operand: Expression): Expression {
  if (operator === "!") return (scope) => truth(operand(scope) === 0n);
  if (operator === "~") return (scope) => cut(~operand(scope));
  return (scope) => cut(-operand(scope));
}

function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}

function cut(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
