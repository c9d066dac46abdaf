/**
 * The local APIC's registers: one table read by both of its faces, the memory page of xAPIC mode and
 * the MSRs of x2APIC mode.
 *
 * Source: Intel SDM vol. 3, "Local APIC Register Address Map" and "x2APIC Register Address Space".
 */

import { invariant } from "../../lib/assert.ts";

/** What software may do with a register in one mode. */
export type ApicAccess = "none" | "read" | "write" | "read-write";

/** Register numbers: bits 11 to 4 of the offset in the page, and the MSR number less 0x800. */
export const REG = {
  ID: 0x02,
  VERSION: 0x03,
  TPR: 0x08,
  APR: 0x09,
  PPR: 0x0a,
  EOI: 0x0b,
  RRD: 0x0c,
  LDR: 0x0d,
  DFR: 0x0e,
  SVR: 0x0f,
  ISR: 0x10,
  TMR: 0x18,
  IRR: 0x20,
  ESR: 0x28,
  ICR_LOW: 0x30,
  ICR_HIGH: 0x31,
  LVT_TIMER: 0x32,
  LVT_THERMAL: 0x33,
  LVT_PERFORMANCE: 0x34,
  LVT_LINT0: 0x35,
  LVT_LINT1: 0x36,
  LVT_ERROR: 0x37,
  INITIAL_COUNT: 0x38,
  CURRENT_COUNT: 0x39,
  DIVIDE: 0x3e,
  SELF_IPI: 0x3f,
} as const;

/** How many register numbers there are (the page's first kilobyte, the first 64 MSRs). */
export const REGISTER_COUNT = 0x40;

/** One row of the table. */
export interface ApicRegister {
  readonly index: number;
  /** Also the name of its field in a snapshot. */
  readonly name: string;
  readonly xapic: ApicAccess;
  readonly x2apic: ApicAccess;
  /** Bits that software may change. */
  readonly writable: number;
  /** Read-only bits: writing them is no fault in x2APIC mode, unlike reserved bits. */
  readonly ignored: number;
  readonly reset: number;
  /** Whether the value is kept in the register file (others are computed, or belong to the timer). */
  readonly stored: boolean;
}

/** LVT and SVR bits, by the manual's names. SDM, "Local Vector Table", "Spurious Interrupt". */
export const LVT = {
  VECTOR: 0x000ff,
  DELIVERY_MODE: 0x00700,
  DELIVERY_STATUS: 0x01000,
  POLARITY: 0x02000,
  REMOTE_IRR: 0x04000,
  TRIGGER: 0x08000,
  MASK: 0x10000,
  TIMER_MODE: 0x60000,
  TIMER_TSC_DEADLINE: 0x40000,
} as const;

/** Bits of the spurious-interrupt vector register. */
export const SVR = { VECTOR: 0x0ff, ENABLE: 0x100, FOCUS: 0x200, SUPPRESS_EOI: 0x1000 } as const;

/** Bits of the error status register. SDM, "Error Handling". */
export const ESR = {
  SEND_ILLEGAL_VECTOR: 0x20,
  RECEIVE_ILLEGAL_VECTOR: 0x40,
  ILLEGAL_REGISTER_ADDRESS: 0x80,
} as const;

const RW = "read-write";
const RO = "read";
const WO = "write";
const NO = "none";

type Row = readonly [number, string, ApicAccess, ApicAccess, number, number, number, boolean];

const LVT_SOURCE = LVT.VECTOR | LVT.DELIVERY_MODE | LVT.MASK;
const LVT_LINT = LVT_SOURCE | LVT.POLARITY | LVT.TRIGGER;
const STATUS = LVT.DELIVERY_STATUS;

// deno-fmt-ignore
const ROWS: readonly Row[] = [
  // index               name            xAPIC x2APIC writable    ignored  reset       stored
  [REG.ID,              "id",            RO,   RO,    0,          0,       0,          false],
  [REG.VERSION,         "version",       RO,   RO,    0,          0,       0,          false],
  [REG.TPR,             "tpr",           RW,   RW,    0xff,       0,       0,          true],
  [REG.APR,             "apr",           RO,   NO,    0,          0,       0,          false],
  [REG.PPR,             "ppr",           RO,   RO,    0,          0,       0,          false],
  [REG.EOI,             "eoi",           WO,   WO,    0,          0,       0,          false],
  [REG.RRD,             "rrd",           RO,   NO,    0,          0,       0,          false],
  [REG.LDR,             "ldr",           RW,   RO,    0xff000000, 0,       0,          true],
  [REG.DFR,             "dfr",           RW,   NO,    0xf0000000, 0,       0xffffffff, true],
  [REG.SVR,             "svr",           RW,   RW,    0x3ff,      0,       0xff,       true],
  [REG.ESR,             "esr",           RW,   RW,    0,          0,       0,          true],
  [REG.ICR_LOW,         "icrLow",        RW,   RW,    0xccfff,    STATUS,  0,          true],
  [REG.ICR_HIGH,        "icrHigh",       RW,   NO,    0xff000000, 0,       0,          true],
  [REG.LVT_TIMER,       "lvtTimer",      RW,   RW,    0x300ff,    STATUS,  LVT.MASK,   true],
  [REG.LVT_THERMAL,     "lvtThermal",    RW,   RW,    LVT_SOURCE, STATUS,  LVT.MASK,   true],
  [REG.LVT_PERFORMANCE, "lvtPerformance",RW,   RW,    LVT_SOURCE, STATUS,  LVT.MASK,   true],
  [REG.LVT_LINT0,       "lvtLint0",      RW,   RW,    LVT_LINT,   0x5000,  LVT.MASK,   true],
  [REG.LVT_LINT1,       "lvtLint1",      RW,   RW,    LVT_LINT,   0x5000,  LVT.MASK,   true],
  [REG.LVT_ERROR,       "lvtError",      RW,   RW,    0x100ff,    STATUS,  LVT.MASK,   true],
  [REG.INITIAL_COUNT,   "initialCount",  RW,   RW,    0xffffffff, 0,       0,          false],
  [REG.CURRENT_COUNT,   "currentCount",  RO,   RO,    0,          0,       0,          false],
  [REG.DIVIDE,          "divide",        RW,   RW,    0xb,        0,       0,          true],
  [REG.SELF_IPI,        "selfIpi",       NO,   WO,    0xff,       0,       0,          false],
  ...vectorRows(REG.ISR, "isr"),
  ...vectorRows(REG.TMR, "tmr"),
  ...vectorRows(REG.IRR, "irr"),
];

/** The eight registers of a 256-bit vector set. */
function vectorRows(first: number, name: string): Row[] {
  return Array.from(
    { length: 8 },
    (_, word): Row => [first + word, `${name}${word}`, RO, RO, 0, 0, 0, true],
  );
}

/** The table, indexed by register number; `undefined` where the number is reserved. */
export const APIC_REGISTERS: readonly (ApicRegister | undefined)[] = indexRows(ROWS);

function indexRows(rows: readonly Row[]): (ApicRegister | undefined)[] {
  const table = new Array<ApicRegister | undefined>(REGISTER_COUNT).fill(undefined);
  for (const [index, name, xapic, x2apic, writable, ignored, reset, stored] of rows) {
    invariant(!table[index], `two local APIC registers at ${index}`);
    invariant((writable & ignored) === 0, `${name}: bits both writable and read-only`);
    table[index] = {
      index,
      name,
      xapic,
      x2apic,
      writable,
      ignored,
      reset,
      stored,
    };
  }
  return table;
}
