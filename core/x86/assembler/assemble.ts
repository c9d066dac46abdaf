/**
 * The assembler: Intel syntax to bytes, with the shortest encoding of each instruction.
 *
 * Each pass lays everything out with the labels of the pass before. An instruction only ever moves on to a
 * longer candidate, so that layouts come to rest; a source whose layout does not is refused.
 */

import { ByteBuffer } from "./byte_buffer.ts";
import { type Bits, type Candidate, candidatesOf, type WrittenInstruction } from "./candidates.ts";
import { encode } from "./encode.ts";
import { evaluate, type Expression, type Scope } from "./expression.ts";
import { type Body, type DataItem, type Statement, StatementReader } from "./statements.ts";
import { didYouMean } from "./suggest.ts";

/** How to assemble. */
export interface AssembleOptions {
  /** Code width until a `bits` directive; default 64. */
  readonly bits?: Bits;
  /** Address of the first byte; `org` sets it too. Default 0. */
  readonly origin?: bigint | number;
}

/** Machine code and where its labels are. */
export interface Assembled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses of labels and values of constants; a local label is `parent.local`. */
  readonly labels: Readonly<Record<string, bigint>>;
}

const MAX_PASSES = 64;
const MAX_IMAGE_BYTES = 64 << 20;
const MAX_UNIT_BYTES = 8;

/**
 * Assembles `source`. Throws `SyntaxError` with the line's number and text, and with what would be right.
 *
 * ```ts
 * import { assemble } from "./assemble.ts";
 * const { bytes, labels } = assemble("start: jmp start", { bits: 32, origin: 0x1000 });
 * if (bytes[0] !== 0xeb || labels.start !== 0x1000n) throw new Error("unexpected");
 * ```
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  const { bits = 64, origin = 0 } = options;
  if (bits !== 16 && bits !== 32 && bits !== 64) {
    throw new RangeError(`option bits: expected 16, 32 or 64, found ${bits}`);
  }
  const reader = new StatementReader(bits);
  const statements = source.split("\n").map((text, index) =>
    atLine(index + 1, text, () => reader.read(text, index + 1))
  );
  return new Layout(statements, BigInt(origin)).settle();
}

/** Runs `body`; a `SyntaxError` in it gets the line. */
function atLine<Result>(line: number, text: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(`line ${line}, "${text.trim()}": ${error.message}`);
  }
}

/** An instruction's candidates and how far down their list it had to go. */
interface Choice {
  readonly candidates: readonly { readonly candidate: Candidate; readonly lengthBytes: number }[];
  rank: number;
}

class Layout {
  #symbols = new Map<string, bigint>();
  #previous: ReadonlyMap<string, bigint> = new Map();
  readonly #choices = new Map<WrittenInstruction, Choice>();
  readonly #bytes = new ByteBuffer();
  #isFirst = true;
  #grew = false;

  constructor(private readonly statements: readonly Statement[], private origin: bigint) {}

  /** Passes until nothing moves. */
  settle(): Assembled {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      this.#pass();
      const isSettled = !this.#isFirst && !this.#grew && sameMap(this.#symbols, this.#previous);
      this.#isFirst = false;
      this.#previous = this.#symbols;
      if (isSettled) {
        return { bytes: this.#bytes.toBytes(), labels: Object.fromEntries(this.#symbols) };
      }
    }
    throw new SyntaxError(
      `the labels do not come to rest in ${MAX_PASSES} passes: a times, align or equ depends on itself`,
    );
  }

  #pass(): void {
    this.#symbols = new Map();
    this.#bytes.clear();
    this.#grew = false;
    for (const statement of this.statements) {
      atLine(statement.line, statement.text, () => this.#statement(statement));
    }
  }

  get #here(): bigint {
    return this.origin + BigInt(this.#bytes.length);
  }

  #scope(): Scope {
    return {
      here: this.#here,
      origin: this.origin,
      lookup: (name) => {
        const value = this.#symbols.get(name) ?? this.#previous.get(name);
        if (value === undefined && !this.#isFirst) {
          throw new SyntaxError(`unknown label ${name}${didYouMean(name, this.#previous.keys())}`);
        }
        return value;
      },
    };
  }

  #statement({ label, body }: Statement): void {
    if (label !== null) this.#set(label, this.#here);
    this.#emit(body);
    if (this.#bytes.length > MAX_IMAGE_BYTES) throw tooLarge();
  }

  #set(name: string, value: bigint): void {
    if (this.#symbols.has(name)) throw new SyntaxError(`${name} is defined twice`);
    this.#symbols.set(name, value);
  }

  #emit(body: Body): void {
    switch (body.kind) {
      case "instruction":
        return this.#instruction(body.instruction);
      case "data":
        for (const item of body.items) this.#data(item, body.unitBytes);
        return;
      case "reserve":
        return this.#bytes.fill(this.#count(body.count) * body.unitBytes, 0);
      case "align":
        return this.#align(body.boundary, body.fill);
      case "times": {
        this.#times(this.#count(body.count), body.body);
        return;
      }
      case "equ": {
        const value = evaluate(body.value, this.#scope());
        if (value !== undefined) this.#set(body.name, value);
        return;
      }
      case "origin": {
        if (this.#bytes.length > 0) throw new SyntaxError("org stands before all code and data");
        this.origin = this.#required(body.value, "org");
        return;
      }
      case "nothing":
        return;
    }
  }

  #times(count: number, body: Body): void {
    if (count === 0) return;
    const start = this.#bytes.length;
    this.#emit(body);
    if (count * (this.#bytes.length - start) > MAX_IMAGE_BYTES) throw tooLarge();
    // Plain numbers are the same each time; what depends on labels or on $ is worked out anew.
    const isPlain = body.kind === "data" &&
      body.items.every((item) => item.kind === "string" || item.value.kind === "number");
    if (isPlain) this.#bytes.repeat(start, count - 1);
    else for (let i = 1; i < count; i++) this.#emit(body);
  }

  #instruction(written: WrittenInstruction): void {
    let choice = this.#choices.get(written);
    if (!choice) {
      choice = { candidates: this.#measure(written), rank: 0 };
      this.#choices.set(written, choice);
    }
    const { prefixes, bits } = written;
    const scope = this.#scope();
    for (; choice.rank < choice.candidates.length; choice.rank++) {
      const { candidate, lengthBytes } = choice.candidates[choice.rank];
      const bytes = encode(candidate, { prefixes, bits, scope, lengthBytes });
      if (bytes) return void this.#bytes.push(bytes);
      this.#grew = true;
    }
    throw new SyntaxError(`${written.name}: ${describeValues(written, scope)} does not fit`);
  }

  /** Candidates with their lengths, shortest first; in the tables' order where lengths are equal. */
  #measure(written: WrittenInstruction): Choice["candidates"] {
    const unknown: Scope = { here: 0n, origin: 0n, lookup: () => undefined };
    const { prefixes, bits } = written;
    const measured = candidatesOf(written).map((candidate) => {
      // Every value counts as fitting where none is known; literals are replaced for measuring.
      const blank = withoutValues(candidate);
      const bytes = encode(blank, { prefixes, bits, scope: unknown, lengthBytes: 0 });
      return { candidate, lengthBytes: bytes?.length ?? 0 };
    }).filter(({ lengthBytes }) => lengthBytes > 0);
    if (measured.length === 0) {
      throw new SyntaxError(
        "ah, bh, ch and dh cannot stand in an instruction with a REX prefix (r8 to r15, spl, 64-bit operands)",
      );
    }
    return measured.sort((a, b) => a.lengthBytes - b.lengthBytes);
  }

  #data(item: DataItem, unitBytes: number): void {
    if (item.kind === "string") {
      const bytes = utf8(item.text);
      this.#bytes.push(bytes);
      this.#bytes.fill((unitBytes - bytes.length % unitBytes) % unitBytes, 0);
      return;
    }
    const value = evaluate(item.value, this.#scope()) ?? 0n;
    const bits = unitBytes * 8;
    if (BigInt.asUintN(bits, value) !== value && BigInt.asIntN(bits, value) !== value) {
      throw new SyntaxError(`${hex(value)} does not fit ${unitBytes} bytes`);
    }
    this.#bytes.pushValue(value, unitBytes);
  }

  #align(boundary: Expression, fill: Expression | null): void {
    const size = this.#required(boundary, "align");
    if (size < 1n || (size & (size - 1n)) !== 0n || size > MAX_IMAGE_BYTES) {
      throw new SyntaxError(`expected a power of two to align to, found ${size}`);
    }
    const NOP = 0x90n;
    const byte = fill ? this.#required(fill, "align") : NOP;
    this.#bytes.fill(Number((size - this.#here % size) % size), Number(byte & 0xffn));
  }

  #count(expression: Expression): number {
    const count = evaluate(expression, this.#scope()) ?? 0n;
    if (this.#isFirst && count < 0n) return 0;
    if (count < 0n || count > MAX_IMAGE_BYTES / MAX_UNIT_BYTES) {
      throw new SyntaxError(
        `expected a count of 0 to ${MAX_IMAGE_BYTES / MAX_UNIT_BYTES}, found ${count}`,
      );
    }
    return Number(count);
  }

  #required(expression: Expression, what: string): bigint {
    const value = evaluate(expression, this.#scope());
    if (value === undefined) throw new SyntaxError(`${what} needs a value that is known before it`);
    return value;
  }
}

function tooLarge(): SyntaxError {
  return new SyntaxError(`the image is larger than ${MAX_IMAGE_BYTES} bytes`);
}

/** The candidate with every value unknown. */
function withoutValues(candidate: Candidate): Candidate {
  const value: Expression = { kind: "symbol", name: "" };
  const operands = candidate.operands.map((operand) =>
    operand.kind === "immediate"
      ? { ...operand, value }
      : operand.kind === "far"
      ? { ...operand, selector: value, offset: value }
      : operand
  );
  const { address } = candidate;
  return {
    ...candidate,
    operands,
    address: address && { ...address, operand: { ...address.operand, displacement: value } },
  };
}

function describeValues({ operands }: WrittenInstruction, scope: Scope): string {
  const values = operands.flatMap((operand) => {
    switch (operand.kind) {
      case "register":
        return [];
      case "memory":
        return [operand.displacement];
      case "immediate":
        return [operand.value];
      case "far":
        return [operand.selector, operand.offset];
    }
  });
  return values.map((value) => hex(evaluate(value, scope) ?? 0n)).join(" or ");
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function sameMap(a: ReadonlyMap<string, bigint>, b: ReadonlyMap<string, bigint>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}

/** UTF-8, without a host's encoder. */
function utf8(text: string): number[] {
  return [...text].flatMap((character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x80) return [code];
    const tail = (shift: number) => 0x80 | ((code >> shift) & 0x3f);
    if (code < 0x800) return [0xc0 | (code >> 6), tail(0)];
    if (code < 0x1_0000) return [0xe0 | (code >> 12), tail(6), tail(0)];
    return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)];
  });
}
