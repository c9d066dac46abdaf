/**
 * String instructions (SDM vol. 2, "REP/REPE/REPZ/REPNE/REPNZ" and the entries of each mnemonic).
 *
 * One execution is one iteration: while iterations remain, the instruction executes again, so that interrupts,
 * breakpoints and the instruction count see each of them. A REP with a count of 0 retires once.
 */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { Eflags } from "../state/bits.ts";
import type { Definition, Dependence, InstructionGroup } from "./definition.ts";
import { setSubtractionFlags, zero } from "./flags.ts";

const DEPENDS: readonly Dependence[] = ["address", "memory", "repeat"];

function addressWidth(o: Builder): Width {
  return o.form.addressWidth as Width;
}

/** The source and destination offsets. */
function source(o: Builder): I64 {
  return o.register("rsi", addressWidth(o));
}
function destination(o: Builder): I64 {
  return o.register("rdi", addressWidth(o));
}

/** Moves index registers on by one item, down if DF is set. */
function advance(o: Builder, ...registers: readonly ("rsi" | "rdi")[]): void {
  const width = addressWidth(o);
  const down = o.isNonzero(o.and(o.field("flags"), o.const(Eflags.DF)));
  const bytes = o.width / 8;
  const step = o.select(down, o.const(-bytes), o.const(bytes));
  for (const name of registers) {
    o.setRegister(name, width, o.zext(o.add(o.register(name, width), step), width));
  }
}

/**
 * Wraps an iteration in its REP prefix. `body` carries one iteration out; after it, `goesOn` says whether another
 * may follow (of REPE and REPNE: whether ZF is as the prefix wants it).
 */
function repeated(
  o: Builder,
  body: () => void,
  goesOn: (() => Bool) | null = null,
  block: Block | null = null,
): void {
  if (o.form.repeat === "none") return body();
  const width = addressWidth(o);
  const count = o.register("rcx", width);
  o.if(o.isNonzero(count), () => {
    if (block && canMoveBlocks(o)) return blockOrIteration(o, block, count, body);
    body();
    const left = o.zext(o.sub(count, o.const(1)), width);
    o.setRegister("rcx", width, left);
    const more = o.isNonzero(left);
    o.if(goesOn ? o.bothOf(more, goesOn()) : more, () => o.repeat());
  });
}

/** A string instruction that can do many iterations at once: the system function for that, and what it moves on. */
interface Block {
  readonly name: "moveBlock" | "fillBlock";
  readonly registers: readonly ("rsi" | "rdi")[];
}

/** Fewer iterations than this are not worth leaving generated code for. */
const WORTHWHILE_ITERATIONS = 16;

/** Blocks need offsets that are linear addresses; other forms go item by item. */
function canMoveBlocks(o: Builder): boolean {
  return (o.form.access === "long" || o.form.access === "flat") && addressWidth(o) !== 16;
}

/**
 * Many iterations at once if the pages allow it, else one: the block function says how many it did, which
 * retire as if they had been done one by one.
 */
function blockOrIteration(o: Builder, block: Block, count: I64, body: () => void): void {
  const width = addressWidth(o);
  const bytes = o.width / 8;
  const down = o.isNonzero(o.and(o.field("flags"), o.const(Eflags.DF)));
  const many = o.leU(o.const(WORTHWHILE_ITERATIONS), count);
  const done = o.variable(o.const(0));
  o.if(o.bothOf(o.bothOf(o.fastPaths(), many), o.isNot(down)), () => {
    const budget = o.budget();
    const limit = o.select(o.ltU(count, budget), count, budget);
    const from = block.name === "moveBlock" ? source(o) : o.register("rax", o.width);
    o.set(done, o.system(block.name, from, destination(o), o.const(bytes), limit));
  });
  const iterations = o.variable(o.get(done));
  o.if(o.isZero(o.get(done)), () => {
    body();
    o.set(iterations, o.const(1));
  }, () => {
    const moved = o.mul(o.get(done), o.const(bytes));
    for (const name of block.registers) {
      o.setRegister(name, width, o.zext(o.add(o.register(name, width), moved), width));
    }
  });
  const left = o.zext(o.sub(count, o.get(iterations)), width);
  o.setRegister("rcx", width, left);
  o.retire(o.sub(o.get(iterations), o.const(1)));
  o.if(o.isNonzero(left), () => o.repeat());
}

/** Whether ZF is as REPE or REPNE demands for another iteration. */
function zeroFlagMatches(o: Builder): Bool {
  return o.form.repeat === "repne" ? o.isNot(zero(o)) : zero(o);
}

function stringInstruction(
  mnemonic: string,
  encodings: readonly string[],
  iteration: (o: Builder) => void,
  block: Block | null = null,
): Definition {
  return {
    mnemonic,
    encodings,
    depends: DEPENDS,
    run(o) {
      repeated(o, () => iteration(o), null, block);
    },
  };
}

/** INS and OUTS: the right to the port is checked before memory, and even if the count is zero. */
function portInstruction(
  mnemonic: string,
  encodings: readonly string[],
  iteration: (o: Builder) => void,
): Definition {
  return {
    mnemonic,
    encodings,
    depends: DEPENDS,
    run(o) {
      o.system("checkIo", o.register("rdx", 16), o.const(o.width / 8));
      repeated(o, () => iteration(o));
    },
  };
}

/** A comparing instruction: `REPE` and `REPNE` look at ZF. */
function comparison(
  mnemonic: string,
  encodings: readonly string[],
  iteration: (o: Builder) => void,
): Definition {
  return {
    mnemonic,
    encodings,
    depends: DEPENDS,
    run(o) {
      repeated(o, () => iteration(o), () => zeroFlagMatches(o));
    },
  };
}

function compare(o: Builder, a: I64, b: I64): void {
  setSubtractionFlags(o, a, b, o.zext(o.sub(a, b), o.width));
}

const definitions: readonly Definition[] = [
  stringInstruction("MOVS", ["A4: - b", "A5: -"], (o) => {
    const value = o.load("operand", source(o), o.width);
    o.store("es", destination(o), o.width, value);
    advance(o, "rsi", "rdi");
  }, { name: "moveBlock", registers: ["rsi", "rdi"] }),
  stringInstruction("STOS", ["AA: - b", "AB: -"], (o) => {
    o.store("es", destination(o), o.width, o.register("rax", o.width));
    advance(o, "rdi");
  }, { name: "fillBlock", registers: ["rdi"] }),
  stringInstruction("LODS", ["AC: - b", "AD: -"], (o) => {
    const value = o.load("operand", source(o), o.width);
    o.setRegister("rax", o.width, value);
    advance(o, "rsi");
  }),
  comparison("CMPS", ["A6: - b", "A7: -"], (o) => {
    // The destination first, as CPUs do: it decides which of two faults is seen.
    const b = o.load("es", destination(o), o.width);
    const a = o.load("operand", source(o), o.width);
    compare(o, a, b);
    advance(o, "rsi", "rdi");
  }),
  comparison("SCAS", ["AE: - b", "AF: -"], (o) => {
    const b = o.load("es", destination(o), o.width);
    compare(o, o.register("rax", o.width), b);
    advance(o, "rdi");
  }),
  portInstruction("INS", ["6C: - b", "6D: - max32"], (o) => {
    const offset = destination(o);
    // The store must not fault once the port has been read.
    o.loadForWrite("es", offset, o.width);
    const value = o.system("in", o.register("rdx", 16), o.const(o.width / 8));
    o.store("es", offset, o.width, value);
    advance(o, "rdi");
  }),
  portInstruction("OUTS", ["6E: - b", "6F: - max32"], (o) => {
    const value = o.load("operand", source(o), o.width);
    o.system("out", o.register("rdx", 16), o.const(o.width / 8), value);
    advance(o, "rsi");
  }),
];

/** String instructions. */
export const STRINGS: InstructionGroup = { name: "strings", definitions };
