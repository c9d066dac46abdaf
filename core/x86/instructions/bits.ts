/** Bit tests, scans, counts, and the compare-and-exchange family (SDM vol. 2, the entries of each mnemonic). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  additionCarries,
  setCarries,
  setCarry,
  setResultFlags,
  setSubtractionFlags,
} from "./flags.ts";

/**
 * The offset of the item that holds bit `index` (signed, of any size) of a bit string, for memory operands
 * whose index is a register; else the operand's own.
 */
function bitStringOffset(o: Builder, base: Operand, index: I64): I64 {
  const log2 = o.width === 16 ? 4 : o.width === 32 ? 5 : 6;
  const items = o.sar(o.sext(index, o.width), o.const(log2));
  const bytes = o.mul(items, o.const(o.width / 8));
  return o.zext(o.add(o.address(base), bytes), o.form.addressWidth as Width);
}

/** Tests a bit, copies it to CF and, unless `change` is null, changes it. */
function bitTest(
  mnemonic: string,
  code: string,
  digit: number,
  change: ((o: Builder, value: I64, mask: I64) => I64) | null,
): Definition {
  const lock = change ? " lock" : "";
  return {
    mnemonic,
    encodings: [`0F ${code} /r: Ev,Gv${lock}`, `0F BA /${digit}: Ev,Ib${lock}`],
    depends: ["address"],
    run(o, base, indexOperand) {
      const index = o.read(indexOperand);
      const bit = o.and(index, o.const(o.width - 1));
      const isString = o.isMemory(base) && o.operandForm(indexOperand).kind === "register";
      let value: I64;
      if (isString) {
        const offset = bitStringOffset(o, base, index);
        if (change) {
          value = o.loadForWrite("operand", offset, o.width);
          o.store("operand", offset, o.width, change(o, value, o.shl(o.const(1), bit)));
        } else value = o.load("operand", offset, o.width);
      } else if (change) {
        value = o.readForWrite(base);
        o.write(base, o.zext(change(o, value, o.shl(o.const(1), bit)), o.width));
      } else value = o.read(base);
      setCarry(o, o.bit(value, bit));
    },
  };
}

/** BSF and BSR: a zero source leaves the destination. Flags but ZF, undefined, are left. */
function bitScan(
  mnemonic: string,
  code: string,
  scan: (o: Builder, value: I64) => I64,
): Definition {
  return {
    mnemonic,
    encodings: [`0F ${code} /r: Gv,Ev`],
    run(o, destination, source) {
      const value = o.read(source);
      o.if(o.isNonzero(value), () => o.write(destination, scan(o, value)));
      o.setField("zeroSource", value);
    },
  };
}

/** LZCNT and TZCNT: without their features the same bytes are BSR and BSF. */
function bitCount(
  mnemonic: string,
  code: string,
  feature: string,
  count: (o: Builder, value: I64) => I64,
): Definition {
  return {
    mnemonic,
    feature,
    encodings: [`F3 0F ${code} /r: Gv,Ev`],
    run(o, destination, source) {
      const value = o.read(source);
      const result = count(o, value);
      o.write(destination, result);
      o.setField("zeroSource", result);
      setCarry(o, o.isZero(value));
    },
  };
}

const TESTS_AND_COUNTS: readonly Definition[] = [
  bitTest("BT", "A3", 4, null),
  bitTest("BTS", "AB", 5, (o, value, mask) => o.or(value, mask)),
  bitTest("BTR", "B3", 6, (o, value, mask) => o.and(value, o.not(mask))),
  bitTest("BTC", "BB", 7, (o, value, mask) => o.xor(value, mask)),
  bitScan("BSF", "BC", (o, value) => o.ctz(value)),
  bitScan("BSR", "BD", (o, value) => o.sub(o.const(63), o.clz(value))),
  bitCount("TZCNT", "BC", "BMI1", (o, value) => {
    if (o.width === 64) return o.ctz(value);
    return o.ctz(o.or(value, o.const(1n << BigInt(o.width))));
  }),
  bitCount("LZCNT", "BD", "LZCNT", (o, value) => o.sub(o.clz(value), o.const(64 - o.width))),
  {
    mnemonic: "POPCNT",
    feature: "POPCNT",
    encodings: ["F3 0F B8 /r: Gv,Ev"],
    run(o, destination, source) {
      const value = o.read(source);
      o.write(destination, o.popcnt(value));
      o.setField("zeroSource", value);
      // SF and PF clear.
      o.setField("signSource", o.const(1));
      o.setField("carrySource", o.const(0));
    },
  },
];

/** The polynomial 11EDC6F41H of CRC32, bit-reflected. */
const CRC32_POLYNOMIAL = 0x82f63b78;

const CRC32: Definition = {
  mnemonic: "CRC32",
  feature: "SSE4_2",
  encodings: ["F2 0F 38 F0 /r: Gy,Eb", "F2 0F 38 F1 /r: Gy,Ev"],
  run(o, destination, source) {
    const data = o.read(source);
    const value = o.variable(o.xor(o.zext(o.read(destination), 32), data));
    const left = o.variable(o.const(o.widthOf(source)));
    o.loop(() => {
      const before = o.get(value);
      const taken = o.and(o.const(CRC32_POLYNOMIAL), o.neg(o.and(before, o.const(1))));
      o.set(value, o.xor(o.shr(before, o.const(1)), taken));
      const rest = o.sub(o.get(left), o.const(1));
      o.set(left, rest);
      return o.isNonzero(rest);
    });
    o.write(destination, o.get(value));
  },
};

/** The segment base of a memory operand in 64-bit mode. */
function longSegmentBase(o: Builder): I64 {
  if (o.form.access !== "longBased") return o.const(0);
  return o.select(o.eq(o.operandSegment(), o.const(5)), o.field("gsBase"), o.field("fsBase"));
}

/** CMPXCHG8B, and CMPXCHG16B with REX.W: compares, exchanges, and returns whether they were equal. */
function compareExchangePair(o: Builder, memory: Operand, half: 32 | 64): Bool {
  const address = o.address(memory);
  const bytes = o.const(half / 8);
  if (half === 64) {
    const misaligned = o.and(o.add(address, longSegmentBase(o)), o.const(15));
    o.if(o.isNonzero(misaligned), () => o.raise(Exception.GP, 0));
  }
  const pair = half === 64 ? null : o.loadForWrite("operand", address, 64);
  const low = pair ? o.zext(pair, 32) : o.loadForWrite("operand", address, 64);
  const high = pair
    ? o.shr(pair, o.const(32))
    : o.loadForWrite("operand", o.add(address, bytes), 64);
  const equal = o.bothOf(
    o.eq(low, o.register("rax", half)),
    o.eq(high, o.register("rdx", half)),
  );
  const newLow = o.select(equal, o.register("rbx", half), low);
  const newHigh = o.select(equal, o.register("rcx", half), high);
  if (pair) {
    o.store("operand", address, 64, o.or(newLow, o.shl(newHigh, o.const(32))));
  } else {
    o.store("operand", address, 64, newLow);
    o.store("operand", o.add(address, bytes), 64, newHigh);
  }
  o.if(o.isNot(equal), () => {
    o.setRegister("rax", half, low);
    o.setRegister("rdx", half, high);
  });
  return equal;
}

const EXCHANGES: readonly Definition[] = [
  {
    mnemonic: "CMPXCHG",
    encodings: ["0F B0 /r: Eb,Gb lock", "0F B1 /r: Ev,Gv lock"],
    run(o, destination, source) {
      const replacement = o.read(source);
      const value = o.readForWrite(destination);
      const accumulator = o.register("rax", o.width);
      const equal = o.eq(accumulator, value);
      if (o.isMemory(destination)) {
        o.write(destination, o.select(equal, replacement, value));
        o.if(o.isNot(equal), () => o.setRegister("rax", o.width, value));
      } else {
        // What is not written keeps its upper half.
        o.if(
          equal,
          () => o.write(destination, replacement),
          () => o.setRegister("rax", o.width, value),
        );
      }
      const difference = o.zext(o.sub(accumulator, value), o.width);
      setSubtractionFlags(o, accumulator, value, difference);
    },
  },
  {
    mnemonic: "CMPXCHG8B/CMPXCHG16B",
    feature: "CX8",
    encodings: ["0F C7 /1: M lock w=CX16"],
    run(o, memory) {
      const equal = compareExchangePair(o, memory, o.width === 64 ? 64 : 32);
      o.setField("zeroSource", o.fromBool(o.isNot(equal)));
    },
  },
  {
    mnemonic: "XADD",
    encodings: ["0F C0 /r: Eb,Gb lock", "0F C1 /r: Ev,Gv lock"],
    run(o, destination, source) {
      const b = o.read(source);
      const a = o.readForWrite(destination);
      const result = o.zext(o.add(a, b), o.width);
      if (o.isMemory(destination)) {
        o.write(destination, result);
        o.write(source, a);
      } else {
        // The sum wins when both are one register.
        o.write(source, a);
        o.write(destination, result);
      }
      setResultFlags(o, result);
      setCarries(o, additionCarries(o, a, b, result));
    },
  },
];

/** Bit instructions and atomic exchanges. */
export const BITS: InstructionGroup = {
  name: "bits and exchanges",
  definitions: [...TESTS_AND_COUNTS, CRC32, ...EXCHANGES],
};
