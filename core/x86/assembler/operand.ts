/** Operands as they are written: registers, memory, immediates, far pointers. */

import { type Expression, literal, parseExpression } from "./expression.ts";
import { type Register, REGISTERS } from "./registers.ts";
import type { TokenCursor } from "./tokens.ts";

/** A memory operand. */
export interface MemoryOperand {
  readonly kind: "memory";
  /** Its width by a keyword, or 0. */
  readonly sizeBits: number;
  /** `far` stands before it. */
  readonly far: boolean;
  readonly segment: Register | null;
  readonly base: Register | null;
  readonly index: Register | null;
  /** 1, 2, 4 or 8. */
  readonly scale: number;
  readonly displacement: Expression;
  readonly ripRelative: boolean;
}

/** A parsed operand. */
export type Operand =
  | { readonly kind: "register"; readonly register: Register }
  | MemoryOperand
  | {
    readonly kind: "immediate";
    readonly value: Expression;
    readonly sizeBits: number;
    readonly distance: "short" | "near" | null;
  }
  | {
    readonly kind: "far";
    readonly selector: Expression;
    readonly offset: Expression;
    readonly sizeBits: number;
  };

/** Keywords of width, in bits. */
export const SIZES: ReadonlyMap<string, number> = new Map([
  ["byte", 8],
  ["word", 16],
  ["dword", 32],
  ["qword", 64],
  ["tword", 80],
  ["tbyte", 80],
  ["oword", 128],
  ["xmmword", 128],
]);

/** What reading an operand needs to know of its surroundings. */
export interface OperandContext {
  qualify(name: string): string;
  /** `default rel` is in force (64-bit code only). */
  readonly ripByDefault: boolean;
}

/** An operand that is a number. */
export function immediate(value: bigint): Operand {
  return { kind: "immediate", value: literal(value), sizeBits: 0, distance: null };
}

/** Reads one operand. Throws `SyntaxError`. */
export function parseOperand(cursor: TokenCursor, context: OperandContext): Operand {
  let sizeBits = 0;
  let far = false;
  let distance: "short" | "near" | null = null;
  for (;;) {
    const word = cursor.word();
    const size = word === undefined ? undefined : SIZES.get(word);
    if (size !== undefined) sizeBits = size;
    else if (word === "far") far = true;
    else if (word === "short" || word === "near") distance = word;
    else if (word !== "ptr") break;
    cursor.next();
  }
  if (cursor.takeMark("[")) return parseMemory(cursor, context, sizeBits, far);
  const register = REGISTERS.get(cursor.word() ?? "");
  if (register) {
    cursor.next();
    if (sizeBits !== 0 && sizeBits !== register.widthBits) {
      throw new SyntaxError(`${register.name} is ${register.widthBits} bits wide, not ${sizeBits}`);
    }
    return { kind: "register", register };
  }
  const value = parseExpression(cursor, context.qualify);
  if (cursor.takeMark(":")) {
    const offset = parseExpression(cursor, context.qualify);
    return { kind: "far", selector: value, offset, sizeBits };
  }
  return { kind: "immediate", value, sizeBits, distance };
}

/** What of an address is registers (with factors), and what is left. */
interface Linear {
  readonly factors: Map<Register, number>;
  readonly rest: Expression | null;
}

function parseMemory(
  cursor: TokenCursor,
  context: OperandContext,
  sizeBits: number,
  far: boolean,
): MemoryOperand {
  const isRelative = cursor.takeWord("rel");
  const isAbsolute = !isRelative && cursor.takeWord("abs");
  let segment: Register | null = null;
  const first = REGISTERS.get(cursor.word() ?? "");
  if (first?.class === "segment") {
    segment = first;
    cursor.next();
    cursor.expectMark(":");
  }
  const { factors, rest } = linear(parseExpression(cursor, context.qualify));
  cursor.expectMark("]");
  const place = placeRegisters(factors);
  const hasRegisters = factors.size > 0;
  if (isRelative && hasRegisters) throw new SyntaxError("a relative address has no registers");
  const ripRelative = isRelative ||
    (context.ripByDefault && !hasRegisters && !isAbsolute && segment === null);
  return {
    kind: "memory",
    sizeBits,
    far,
    segment,
    ...place,
    displacement: rest ?? literal(0n),
    ripRelative,
  };
}

function linear(expression: Expression): Linear {
  switch (expression.kind) {
    case "register":
      return { factors: new Map([[expression.register, 1]]), rest: null };
    case "binary":
      break;
    default:
      return { factors: new Map(), rest: expression };
  }
  const left = linear(expression.left);
  const right = linear(expression.right);
  if (left.factors.size + right.factors.size === 0) return { factors: new Map(), rest: expression };
  const { operator } = expression;
  if (operator === "+") {
    const factors = new Map(left.factors);
    for (const [register, factor] of right.factors) {
      factors.set(register, (factors.get(register) ?? 0) + factor);
    }
    return { factors, rest: sum(left.rest, right.rest) };
  }
  if (operator === "-" && right.factors.size === 0 && right.rest) {
    const negated: Expression = { kind: "unary", operator: "-", operand: right.rest };
    return { factors: left.factors, rest: sum(left.rest, negated) };
  }
  if (operator === "*") {
    const [registers, factor] = left.factors.size > 0 ? [left, right.rest] : [right, left.rest];
    if (factor?.kind === "number" && registers.rest === null) {
      const times = Number(factor.value);
      return {
        factors: new Map([...registers.factors].map(([r, f]) => [r, f * times])),
        rest: null,
      };
    }
  }
  throw new SyntaxError("an address is base + index * scale + displacement");
}

function sum(left: Expression | null, right: Expression | null): Expression | null {
  if (!left || !right) return left ?? right;
  return { kind: "binary", operator: "+", left, right };
}

/** Distributes registers over base and index. */
function placeRegisters(
  factors: ReadonlyMap<Register, number>,
): Pick<MemoryOperand, "base" | "index" | "scale"> {
  let base: Register | null = null;
  let index: Register | null = null;
  let scale = 1;
  const fail = () => {
    throw new SyntaxError("an address has one base, and one index with scale 1, 2, 4 or 8");
  };
  for (const [register, factor] of factors) {
    if (register.class !== "general" || register.widthBits === 8) {
      throw new SyntaxError(`${register.name} cannot be part of an address`);
    }
    if (factor === 1 && !base) base = register;
    else if (index) fail();
    else if ([1, 2, 4, 8].includes(factor)) [index, scale] = [register, factor];
    else if ([3, 5, 9].includes(factor) && !base) {
      [base, index, scale] = [register, register, factor - 1];
    } else fail();
  }
  // ESP and RSP cannot be an index; with scale 1 they change places with the base.
  if (index && isStackPointer(index) && scale === 1) [base, index] = [index, base];
  if (index && isStackPointer(index)) throw new SyntaxError(`${index.name} cannot be an index`);
  if (base && index && base.widthBits !== index.widthBits) {
    throw new SyntaxError(`${base.name} and ${index.name} differ in width`);
  }
  return { base, index, scale };
}

function isStackPointer(register: Register): boolean {
  return register.number === 4 && register.widthBits > 16;
}
