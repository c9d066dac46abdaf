/** Lines of assembly as statements: labels, directives, data, instructions. */

import type { Bits, WrittenInstruction, WrittenPrefixes } from "./candidates.ts";
import { type Expression, parseExpression } from "./expression.ts";
import { type Operand, parseOperand } from "./operand.ts";
import { REGISTERS } from "./registers.ts";
import { mnemonics } from "./spellings.ts";
import { didYouMean } from "./suggest.ts";
import { TokenCursor, tokenize } from "./tokens.ts";

/** One value of a data directive. */
export type DataItem =
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "value"; readonly value: Expression };

/** What a statement puts into the image, or sets. */
export type Body =
  | { readonly kind: "instruction"; readonly instruction: WrittenInstruction }
  | { readonly kind: "data"; readonly unitBytes: number; readonly items: readonly DataItem[] }
  | { readonly kind: "reserve"; readonly unitBytes: number; readonly count: Expression }
  | { readonly kind: "align"; readonly boundary: Expression; readonly fill: Expression | null }
  | { readonly kind: "times"; readonly count: Expression; readonly body: Body }
  | { readonly kind: "equ"; readonly name: string; readonly value: Expression }
  | { readonly kind: "origin"; readonly value: Expression }
  | { readonly kind: "nothing" };

/** A line. */
export interface Statement {
  /** Line number, from 1. */
  readonly line: number;
  readonly text: string;
  /** The label that stands before it, by its full name. */
  readonly label: string | null;
  readonly body: Body;
}

const DATA: ReadonlyMap<string, number> = new Map([["db", 1], ["dw", 2], ["dd", 4], ["dq", 8]]);
const RESERVE: ReadonlyMap<string, number> = new Map(
  [["resb", 1], ["resw", 2], ["resd", 4], ["resq", 8]],
);
const DIRECTIVES = ["align", "times", "org", "bits", "default", ...DATA.keys(), ...RESERVE.keys()];

const NO_PREFIXES: WrittenPrefixes = {
  lock: false,
  repeat: 0,
  segment: 0,
  sizeBits: 0,
  addressBits: 0,
};

/** Prefixes by their words. */
const PREFIXES: ReadonlyMap<string, Partial<WrittenPrefixes>> = new Map<
  string,
  Partial<WrittenPrefixes>
>([
  ["lock", { lock: true }],
  ["rep", { repeat: 0xf3 }],
  ["repe", { repeat: 0xf3 }],
  ["repz", { repeat: 0xf3 }],
  ["repne", { repeat: 0xf2 }],
  ["repnz", { repeat: 0xf2 }],
  ["es", { segment: 0x26 }],
  ["cs", { segment: 0x2e }],
  ["ss", { segment: 0x36 }],
  ["ds", { segment: 0x3e }],
  ["fs", { segment: 0x64 }],
  ["gs", { segment: 0x65 }],
  ["o16", { sizeBits: 16 }],
  ["o32", { sizeBits: 32 }],
  ["o64", { sizeBits: 64 }],
  ["a16", { addressBits: 16 }],
  ["a32", { addressBits: 32 }],
  ["a64", { addressBits: 64 }],
]);

/** Reads statements in turn; remembers what directives set. */
export class StatementReader {
  #parent = "";
  #ripByDefault = false;

  constructor(private bits: Bits) {}

  /** Reads one line. Throws `SyntaxError`. */
  read(text: string, line: number): Statement {
    const cursor = new TokenCursor(tokenize(text));
    const labelName = this.#label(cursor);
    const isConstant = labelName !== null && cursor.takeWord("equ");
    const label = labelName === null ? null : this.#define(labelName, isConstant);
    const body: Body = isConstant
      ? { kind: "equ", name: label!, value: this.#expression(cursor) }
      : cursor.done
      ? { kind: "nothing" }
      : this.#body(cursor);
    if (!cursor.done) throw new SyntaxError(`cannot read what begins with ${cursor.peek()!.text}`);
    return { line, text: text.trim(), label: isConstant ? null : label, body };
  }

  /** Takes `name:`, or a name before EQU or a data directive. */
  #label(cursor: TokenCursor): string | null {
    const token = cursor.peek();
    if (token?.kind !== "word") return null;
    const follows = cursor.word(1) ?? "";
    const isData = DATA.has(follows) || RESERVE.has(follows);
    const isLabel = cursor.isMark(":", 1);
    const first = token.text.toLowerCase();
    if (!isLabel && follows !== "equ" && (!isData || first === "times")) return null;
    if (REGISTERS.has(first)) throw new SyntaxError(`${token.text} is a register, not a label`);
    cursor.next();
    cursor.takeMark(":");
    return token.text;
  }

  /** The full name of a label at its definition; others that follow it are local to it. */
  #define(name: string, isConstant: boolean): string {
    const full = this.#qualify(name);
    if (!isConstant && !name.startsWith(".")) this.#parent = name;
    return full;
  }

  #qualify = (name: string): string => name.startsWith(".") ? this.#parent + name : name;

  #expression(cursor: TokenCursor): Expression {
    return parseExpression(cursor, this.#qualify);
  }

  #body(cursor: TokenCursor): Body {
    const word = cursor.word();
    if (word === undefined) {
      throw new SyntaxError(`expected an instruction, found ${cursor.peek()!.text}`);
    }
    const dataBytes = DATA.get(word);
    const reservedBytes = RESERVE.get(word);
    if (dataBytes !== undefined) {
      cursor.next();
      return { kind: "data", unitBytes: dataBytes, items: this.#dataItems(cursor) };
    }
    if (reservedBytes !== undefined) {
      cursor.next();
      return { kind: "reserve", unitBytes: reservedBytes, count: this.#expression(cursor) };
    }
    switch (word) {
      case "align": {
        cursor.next();
        const boundary = this.#expression(cursor);
        const fill = cursor.takeMark(",") ? this.#expression(cursor) : null;
        return { kind: "align", boundary, fill };
      }
      case "times":
        cursor.next();
        return { kind: "times", count: this.#expression(cursor), body: this.#body(cursor) };
      case "org":
        cursor.next();
        return { kind: "origin", value: this.#expression(cursor) };
      case "bits":
        cursor.next();
        this.bits = readBits(cursor);
        return { kind: "nothing" };
      case "default":
        cursor.next();
        this.#ripByDefault = cursor.takeWord("rel");
        if (!this.#ripByDefault && !cursor.takeWord("abs")) {
          throw new SyntaxError("expected default rel or default abs");
        }
        return { kind: "nothing" };
      default:
        return { kind: "instruction", instruction: this.#instruction(cursor) };
    }
  }

  #dataItems(cursor: TokenCursor): DataItem[] {
    const items: DataItem[] = [];
    do {
      const token = cursor.peek();
      const endsItem = cursor.peek(1) === undefined || cursor.isMark(",", 1);
      if (token?.kind === "string" && endsItem) {
        cursor.next();
        items.push({ kind: "string", text: token.text });
      } else items.push({ kind: "value", value: this.#expression(cursor) });
    } while (cursor.takeMark(","));
    return items;
  }

  #instruction(cursor: TokenCursor): WrittenInstruction {
    let prefixes = NO_PREFIXES;
    for (;;) {
      const found = PREFIXES.get(cursor.word() ?? "");
      if (!found) break;
      prefixes = { ...prefixes, ...found };
      cursor.next();
    }
    const name = cursor.word();
    if (name === undefined) throw new SyntaxError("expected an instruction after its prefixes");
    cursor.next();
    if (!mnemonics().has(name)) {
      const known = [...mnemonics().keys(), ...DIRECTIVES, ...PREFIXES.keys()];
      throw new SyntaxError(`unknown mnemonic ${name}${didYouMean(name, known)}`);
    }
    const operands: Operand[] = [];
    const context = {
      qualify: this.#qualify,
      ripByDefault: this.#ripByDefault && this.bits === 64,
    };
    if (!cursor.done) {
      do operands.push(parseOperand(cursor, context)); while (cursor.takeMark(","));
    }
    return { name, operands, prefixes, bits: this.bits };
  }
}

function readBits(cursor: TokenCursor): Bits {
  const token = cursor.next();
  const value = token.kind === "number" ? Number(token.value) : 0;
  if (value === 16 || value === 32 || value === 64) return value;
  throw new SyntaxError(`expected bits 16, 32 or 64, found ${token.text}`);
}
