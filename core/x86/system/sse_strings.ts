/**
 * The comparison of PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (SDM vol. 2, "Imm8 Control Byte Operation for
 * PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM").
 */

import type { Cpu } from "../cpu.ts";
import { Eflags } from "../state/bits.ts";
import { offsetOf } from "../state/layout.ts";

/** Bits of the third argument above the instruction's immediate. */
export const StringControl = {
  /** Lengths are given, in the fourth argument; else the strings end in a null element. */
  explicit: 0x100,
  /** The lengths are 64 bits wide. */
  wide: 0x200,
} as const;

/** Bits of the result. */
export const StringResult = { mask: 0xffff, indexShift: 16, flagsShift: 32 } as const;

const ARGUMENTS = [0, 1, 2, 3].map((n) => offsetOf(`argument${n}` as "argument0"));
const RESULT = offsetOf("result");

/** One operand: its elements, of which the first `length` are valid. */
interface Elements {
  readonly values: readonly number[];
  readonly length: number;
}

function elementsOf(bits: bigint, control: number, length: bigint | null): Elements {
  const width = (control & 1) !== 0 ? 16 : 8;
  const values = Array.from({ length: 128 / width }, (_, i) => {
    const element = bits >> BigInt(i * width);
    return Number(
      (control & 2) !== 0 ? BigInt.asIntN(width, element) : BigInt.asUintN(width, element),
    );
  });
  if (length === null) {
    const end = values.indexOf(0);
    return { values, length: end < 0 ? values.length : end };
  }
  const magnitude = length < 0n ? -length : length;
  return { values, length: magnitude > values.length ? values.length : Number(magnitude) };
}

/** IntRes1: for each element of `b`, whether it meets the aggregation's condition. */
function aggregate(a: Elements, b: Elements, operation: number): boolean[] {
  const count = a.values.length;
  const valid = a.values.slice(0, a.length);
  return b.values.map((value, j) => {
    switch (operation) {
      case 0: // equal any
        return j < b.length && valid.includes(value);
      case 1: // ranges
        return j < b.length &&
          valid.some((low, i) =>
            i % 2 === 0 && i + 1 < a.length && low <= value && value <= valid[i + 1]
          );
      case 2: // equal each
        return j < a.length && j < b.length
          ? a.values[j] === value
          : j >= a.length && j >= b.length;
      default: // equal ordered: all of `a` that fits stands here
        return valid.slice(0, count - j).every((wanted, i) =>
          j + i < b.length && b.values[j + i] === wanted
        );
    }
  });
}

/** IntRes2: the result after polarity. */
function applyPolarity(result: boolean[], b: Elements, polarity: number): boolean[] {
  if ((polarity & 1) === 0) return result;
  return result.map((holds, j) => polarity === 3 && j >= b.length ? holds : !holds);
}

/** Compares two strings: see {@link StringResult} for the answer's parts. */
export function compareStrings(
  first: bigint,
  second: bigint,
  control: number,
  lengths: readonly [bigint, bigint] | null,
): bigint {
  const a = elementsOf(first, control, lengths && lengths[0]);
  const b = elementsOf(second, control, lengths && lengths[1]);
  const result = applyPolarity(aggregate(a, b, (control >> 2) & 3), b, (control >> 4) & 3);
  const found = (control & 0x40) !== 0 ? result.lastIndexOf(true) : result.indexOf(true);
  const index = found < 0 ? result.length : found;
  const mask = result.reduce((bits, holds, i) => bits | (holds ? 1 << i : 0), 0);
  const flags = (mask !== 0 ? Eflags.CF : 0) | (result[0] ? Eflags.OF : 0) |
    (b.length < b.values.length ? Eflags.ZF : 0) | (a.length < a.values.length ? Eflags.SF : 0);
  return BigInt(mask) | (BigInt(index) << BigInt(StringResult.indexShift)) |
    (BigInt(flags) << BigInt(StringResult.flagsShift));
}

/** `(first, second, control, lengths)`, for definitions. */
export function compareStringOperands({ state }: Cpu): void {
  const [first, second, , lengths] = ARGUMENTS.map((offset) => state.get128(offset));
  const control = state.u32[ARGUMENTS[2] >> 2];
  const width = (control & StringControl.wide) !== 0 ? 64 : 32;
  const given = (control & StringControl.explicit) === 0
    ? null
    : [BigInt.asIntN(width, lengths), BigInt.asIntN(width, lengths >> 64n)] as const;
  state.set128(RESULT, compareStrings(first, second, control, given));
}
