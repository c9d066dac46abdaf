/** Expressions of numbers and labels: their syntax, and their values once labels have addresses. */

import { type Register, REGISTERS } from "./registers.ts";
import type { TokenCursor } from "./tokens.ts";

const LEVELS = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]] as const;
const UNARY = ["-", "+", "~"] as const;

export type BinaryOperator = typeof LEVELS[number][number];
export type UnaryOperator = typeof UNARY[number];

/** A parsed expression. Registers stand in the addresses of memory operands only. */
export type Expression =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "here" }
  | { readonly kind: "origin" }
  | { readonly kind: "register"; readonly register: Register }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
    readonly kind: "binary";
    readonly operator: BinaryOperator;
    readonly left: Expression;
    readonly right: Expression;
  };

/** What symbols mean at one place. */
export interface Scope {
  /** Address of the statement: `$`. */
  readonly here: bigint;
  /** Address of the first byte: `$$`. */
  readonly origin: bigint;
  /** A symbol's value, or `undefined` as long as it is not known. Throws `SyntaxError` if there is none. */
  lookup(name: string): bigint | undefined;
}

/** A literal number as an expression. */
export function literal(value: bigint): Expression {
  return { kind: "number", value };
}

/** Reads an expression; `qualify` turns `.local` into its full name. */
export function parseExpression(
  cursor: TokenCursor,
  qualify: (name: string) => string,
  level = 0,
): Expression {
  if (level === LEVELS.length) return parseUnary(cursor, qualify);
  let left = parseExpression(cursor, qualify, level + 1);
  for (;;) {
    const operator = LEVELS[level].find((mark) => cursor.isMark(mark));
    if (!operator) return left;
    cursor.next();
    left = { kind: "binary", operator, left, right: parseExpression(cursor, qualify, level + 1) };
  }
}

function parseUnary(cursor: TokenCursor, qualify: (name: string) => string): Expression {
  const operator = UNARY.find((mark) => cursor.isMark(mark));
  if (operator) {
    cursor.next();
    return { kind: "unary", operator, operand: parseUnary(cursor, qualify) };
  }
  if (cursor.takeMark("(")) {
    const inner = parseExpression(cursor, qualify);
    cursor.expectMark(")");
    return inner;
  }
  const token = cursor.next();
  switch (token.kind) {
    case "number":
      return literal(token.value);
    case "string":
      return literal(characters(token.text));
    case "word": {
      if (token.text === "$") return { kind: "here" };
      if (token.text === "$$") return { kind: "origin" };
      const register = REGISTERS.get(token.text.toLowerCase());
      return register
        ? { kind: "register", register }
        : { kind: "symbol", name: qualify(token.text) };
    }
    case "mark":
      throw new SyntaxError(`expected a number or a label, found ${token.text}`);
  }
}

/** A character constant: the first character is the lowest byte. */
function characters(text: string): bigint {
  if (text.length === 0 || text.length > 8) {
    throw new SyntaxError(`a character constant has 1 to 8 characters, found "${text}"`);
  }
  return [...text].reduceRight((value, c) => (value << 8n) | BigInt(c.codePointAt(0)! & 0xff), 0n);
}

/** An expression's value, or `undefined` as long as a symbol in it has none. */
export function evaluate(expression: Expression, scope: Scope): bigint | undefined {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "symbol":
      return scope.lookup(expression.name);
    case "here":
      return scope.here;
    case "origin":
      return scope.origin;
    case "register":
      throw new SyntaxError(`register ${expression.register.name} has no value here`);
    case "unary": {
      const value = evaluate(expression.operand, scope);
      if (value === undefined || expression.operator === "+") return value;
      return expression.operator === "-" ? -value : ~value;
    }
    case "binary": {
      const left = evaluate(expression.left, scope);
      const right = evaluate(expression.right, scope);
      if (left === undefined || right === undefined) return undefined;
      return combine(expression.operator, left, right);
    }
  }
}

function combine(operator: BinaryOperator, left: bigint, right: bigint): bigint {
  if ((operator === "/" || operator === "%") && right === 0n) {
    throw new SyntaxError("division by zero");
  }
  if ((operator === "<<" || operator === ">>") && (right < 0n || right > 64n)) {
    throw new SyntaxError(`expected a shift count of 0 to 64, found ${right}`);
  }
  switch (operator) {
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "&":
      return left & right;
    case "<<":
      return left << right;
    case ">>":
      return left >> right;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "%":
      return left % right;
  }
}
