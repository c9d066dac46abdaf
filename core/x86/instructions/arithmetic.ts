/** Integer addition, subtraction, logic and comparison (SDM vol. 2, the entries of each mnemonic). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  additionCarries,
  carry,
  setAdditionFlags,
  setCarryOverflowAdjust,
  setLogicFlags,
  setResultFlags,
  setSubtractionFlags,
  subtractionBorrows,
} from "./flags.ts";

/** The six encodings of a two-operand operation whose opcodes start at `base`, and its `/digit` in group 1. */
function twoOperand(base: number, digit: number, lock: " lock" | ""): string[] {
  const opcode = (n: number) => (base + n).toString(16).toUpperCase().padStart(2, "0");
  return [
    `${opcode(0)} /r: Eb,Gb${lock}`,
    `${opcode(1)} /r: Ev,Gv${lock}`,
    `${opcode(2)} /r: Gb,Eb`,
    `${opcode(3)} /r: Gv,Ev`,
    `${opcode(4)}: AL,Ib`,
    `${opcode(5)}: rAX,Iz`,
    `80 /${digit}: Eb,Ib${lock}`,
    `81 /${digit}: Ev,Iz${lock}`,
    `82 /${digit}: Eb,Ib not64${lock}`,
    `83 /${digit}: Ev,Ibs${lock}`,
  ];
}

/** A definition that computes `destination op source` and writes it back. */
function readModifyWrite(
  mnemonic: string,
  base: number,
  digit: number,
  compute: (o: Builder, a: I64, b: I64) => { result: I64; setFlags: () => void },
): Definition {
  return {
    mnemonic,
    encodings: twoOperand(base, digit, " lock"),
    run(o, destination: Operand, source: Operand) {
      const b = o.read(source);
      const a = o.readForWrite(destination);
      const { result, setFlags } = compute(o, a, b);
      o.write(destination, result);
      setFlags();
    },
  };
}

/** `a + b + carryIn`, truncated. */
function sum(o: Builder, a: I64, b: I64, carryIn: I64 | null): I64 {
  const total = o.add(a, b);
  return o.zext(carryIn ? o.add(total, carryIn) : total, o.width);
}

function difference(o: Builder, a: I64, b: I64, borrowIn: I64 | null): I64 {
  const total = o.sub(a, b);
  return o.zext(borrowIn ? o.sub(total, borrowIn) : total, o.width);
}

function incrementOrDecrement(
  mnemonic: string,
  digit: number,
  shortForm: string,
  by: 1 | -1,
): Definition {
  return {
    mnemonic,
    encodings: [`FE /${digit}: Eb lock`, `FF /${digit}: Ev lock`, `${shortForm}+r: Zv not64`],
    run(o, destination: Operand) {
      const a = o.readForWrite(destination);
      const one = o.const(1);
      const keptCarry = carry(o);
      const result = by === 1 ? sum(o, a, one, null) : difference(o, a, one, null);
      const carries = by === 1
        ? additionCarries(o, a, one, result)
        : subtractionBorrows(o, a, one, result);
      o.write(destination, result);
      setResultFlags(o, result);
      const overflowed = o.eq(
        a,
        o.const(by === 1 ? (1n << BigInt(o.width - 1)) - 1n : 1n << BigInt(o.width - 1)),
      );
      setCarryOverflowAdjust(o, keptCarry, overflowed, o.bit(carries, 3));
    },
  };
}

const definitions: readonly Definition[] = [
  readModifyWrite("ADD", 0x00, 0, (o, a, b) => {
    const result = sum(o, a, b, null);
    return { result, setFlags: () => setAdditionFlags(o, a, b, result) };
  }),
  readModifyWrite("OR", 0x08, 1, (o, a, b) => {
    const result = o.or(a, b);
    return { result, setFlags: () => setLogicFlags(o, result) };
  }),
  readModifyWrite("ADC", 0x10, 2, (o, a, b) => {
    const result = sum(o, a, b, o.fromBool(carry(o)));
    return { result, setFlags: () => setAdditionFlags(o, a, b, result) };
  }),
  readModifyWrite("SBB", 0x18, 3, (o, a, b) => {
    const result = difference(o, a, b, o.fromBool(carry(o)));
    return { result, setFlags: () => setSubtractionFlags(o, a, b, result) };
  }),
  readModifyWrite("AND", 0x20, 4, (o, a, b) => {
    const result = o.and(a, b);
    return { result, setFlags: () => setLogicFlags(o, result) };
  }),
  readModifyWrite("SUB", 0x28, 5, (o, a, b) => {
    const result = difference(o, a, b, null);
    return { result, setFlags: () => setSubtractionFlags(o, a, b, result) };
  }),
  readModifyWrite("XOR", 0x30, 6, (o, a, b) => {
    const result = o.xor(a, b);
    return { result, setFlags: () => setLogicFlags(o, result) };
  }),
  {
    mnemonic: "CMP",
    encodings: twoOperand(0x38, 7, ""),
    run(o, left, right) {
      const b = o.read(right);
      const a = o.read(left);
      setSubtractionFlags(o, a, b, difference(o, a, b, null));
    },
  },
  {
    mnemonic: "TEST",
    encodings: [
      "84 /r: Eb,Gb",
      "85 /r: Ev,Gv",
      "A8: AL,Ib",
      "A9: rAX,Iz",
      "F6 /0: Eb,Ib",
      "F7 /0: Ev,Iz",
      "F6 /1: Eb,Ib",
      "F7 /1: Ev,Iz",
    ],
    run(o, left, right) {
      setLogicFlags(o, o.and(o.read(left), o.read(right)));
    },
  },
  incrementOrDecrement("INC", 0, "40", 1),
  incrementOrDecrement("DEC", 1, "48", -1),
  {
    mnemonic: "NEG",
    encodings: ["F6 /3: Eb lock", "F7 /3: Ev lock"],
    run(o, destination) {
      const a = o.readForWrite(destination);
      const zero = o.const(0);
      const result = difference(o, zero, a, null);
      o.write(destination, result);
      setSubtractionFlags(o, zero, a, result);
    },
  },
  {
    mnemonic: "NOT",
    encodings: ["F6 /2: Eb lock", "F7 /2: Ev lock"],
    run(o, destination) {
      o.write(destination, o.zext(o.not(o.readForWrite(destination)), o.width));
    },
  },
];

/** Addition, subtraction, logic, comparison. */
export const ARITHMETIC: InstructionGroup = { name: "arithmetic and logic", definitions };
