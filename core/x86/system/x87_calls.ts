/** Numbers that the x87 instructions' programs hand to their system functions. */

/** Where the source of an x87 operation comes from; all but `register` are memory operands. */
export const X87Source = {
  /** The source is ST(n), n being the operand. */
  register: 0,
  binary32: 1,
  binary64: 2,
  integer16: 3,
  integer32: 4,
  /** The constant zero of FTST. */
  zero: 5,
} as const;

/** Bits of what `x87Compare` is told besides its operands; the number of pops is in bits 1..0. */
export const X87Comparison = {
  pops: 0x3,
  /** Quiet NaNs are no invalid operands (FUCOM). */
  quiet: 0x4,
  /** The relation goes to EFLAGS (FCOMI) and not to the condition codes. */
  toFlags: 0x8,
} as const;

/** Bits of the x87 status word (SDM vol. 1, "x87 FPU Status Register"). */
export const X87Status = {
  IE: 0x1,
  PE: 0x20,
  exceptions: 0x3f,
  SF: 0x40,
  /** ES, and B which mirrors it. */
  summary: 0x8080,
  ES: 0x80,
  C0: 0x100,
  C1: 0x200,
  C2: 0x400,
  C3: 0x4000,
  conditions: 0x4700,
} as const;
