/** Status flags that the manual leaves undefined (SDM vol. 2, "Flags Affected"). */

import type { JudgedCase } from "./judged_case.ts";

const CF = 0x1;
const PF = 0x4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;

/** A mask, or what gives one for a case. */
type Undefined = number | ((judged: JudgedCase) => number);

/** OF is defined for a count of one. */
const unlessOnce = (mask: number): Undefined => ({ shiftCount }) =>
  shiftCount === 1 ? mask & ~OF : mask;

/** And CF for counts below the operand's width. */
const shift: Undefined = ({ shiftCount, width }) =>
  AF | (shiftCount === 1 ? 0 : OF) | (shiftCount >= width ? CF : 0);

const doubleShift: Undefined = ({ shiftCount, width }) =>
  shiftCount > width ? ALL : AF | (shiftCount === 1 ? 0 : OF);

const TABLE: Readonly<Record<string, Undefined>> = {
  AND: AF,
  OR: AF,
  XOR: AF,
  TEST: AF,
  MUL: SF | ZF | AF | PF,
  IMUL: SF | ZF | AF | PF,
  DIV: ALL,
  IDIV: ALL,
  SHL: shift,
  SHR: shift,
  SAR: unlessOnce(AF | OF),
  ROL: unlessOnce(OF),
  ROR: unlessOnce(OF),
  RCL: unlessOnce(OF),
  RCR: unlessOnce(OF),
  SHLD: doubleShift,
  SHRD: doubleShift,
  BT: OF | SF | AF | PF,
  BTS: OF | SF | AF | PF,
  BTR: OF | SF | AF | PF,
  BTC: OF | SF | AF | PF,
  BSF: ALL & ~ZF,
  BSR: ALL & ~ZF,
  LZCNT: OF | SF | AF | PF,
  AAA: OF | SF | ZF | PF,
  AAS: OF | SF | ZF | PF,
  DAA: OF,
  DAS: OF,
  AAM: OF | AF | CF,
  AAD: OF | AF | CF,
};

/** The flags that are undefined after the case. */
export function undefinedFlags(judged: JudgedCase): number {
  const entry = TABLE[judged.mnemonic] ?? 0;
  return typeof entry === "number" ? entry : entry(judged);
}
