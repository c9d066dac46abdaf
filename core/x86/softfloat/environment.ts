/**
 * The floating-point environment: rounding, precision, masks, and the exceptions an operation raised.
 *
 * Exception bits have the positions that MXCSR, the x87 status word and the x87 control word share, so `flags`
 * can be ORed into either register. Source: SDM volume 1, "x87 FPU Control Word", "MXCSR Control and Status
 * Register", "Floating-Point Exceptions".
 */

/** Exception bits, as in MXCSR[5:0] and the x87 status word [5:0]. */
export const EXCEPTION = {
  invalid: 0x01,
  denormal: 0x02,
  zeroDivide: 0x04,
  overflow: 0x08,
  underflow: 0x10,
  precision: 0x20,
} as const;

/** All six exception bits. */
export const ALL_EXCEPTIONS = 0x3f;

/** The exceptions found before an operation computes anything. */
export const PRE_COMPUTATION = EXCEPTION.invalid | EXCEPTION.denormal | EXCEPTION.zeroDivide;

/** Rounding direction; RC encodes them in this order. */
export type RoundingMode = "nearest" | "down" | "up" | "zero";

/** Significand bits that x87 precision control keeps. */
export type PrecisionBits = 24 | 53 | 64;

const RC: readonly RoundingMode[] = ["nearest", "down", "up", "zero"];
// PC 01 is reserved; hardware computes with 64 bits.
const PC: readonly PrecisionBits[] = [24, 64, 53, 64];

/** Settings and results of floating-point operations; one per instruction or reused for many. */
export interface FloatEnvironment {
  /** Decides NaN selection and what an unmasked exception leaves behind. */
  readonly unit: "sse" | "x87";
  readonly rounding: RoundingMode;
  /** Precision control; SSE ignores it. */
  readonly precisionBits: PrecisionBits;
  readonly flushToZero: boolean;
  readonly denormalsAreZero: boolean;
  /** Bits of `EXCEPTION` that are masked. */
  readonly masks: number;
  /** Exceptions of all operations so far. */
  flags: number;
  /** Exceptions of the latest operation. */
  raised: number;
  /** The latest operation rounded away from zero: C1 of x87. */
  roundedUp: boolean;
}

/** Decodes RC, the two rounding-control bits of MXCSR, the x87 control word and ROUNDSS's immediate. */
export function roundingMode(rc: number): RoundingMode {
  return RC[rc & 3];
}

/** The environment that an MXCSR value describes, with no flags raised. */
export function sseEnvironment(mxcsr: number): FloatEnvironment {
  return {
    unit: "sse",
    rounding: roundingMode(mxcsr >> 13),
    precisionBits: 64,
    flushToZero: (mxcsr & 0x8000) !== 0,
    denormalsAreZero: (mxcsr & 0x40) !== 0,
    masks: (mxcsr >> 7) & ALL_EXCEPTIONS,
    flags: 0,
    raised: 0,
    roundedUp: false,
  };
}

/** The environment that an x87 control word describes, with no flags raised. */
export function x87Environment(controlWord: number): FloatEnvironment {
  return {
    unit: "x87",
    rounding: roundingMode(controlWord >> 10),
    precisionBits: PC[(controlWord >> 8) & 3],
    flushToZero: false,
    denormalsAreZero: false,
    masks: controlWord & ALL_EXCEPTIONS,
    flags: 0,
    raised: 0,
    roundedUp: false,
  };
}

/** Starts an operation: nothing raised, nothing rounded. */
export function begin(env: FloatEnvironment): void {
  env.raised = 0;
  env.roundedUp = false;
}

/** Records exceptions of the current operation. */
export function raise(env: FloatEnvironment, exceptions: number): void {
  env.raised |= exceptions;
  env.flags |= exceptions;
}

/** Exceptions of the latest operation that are not masked: the instruction faults (SSE) or sets ES (x87). */
export function unmasked(env: FloatEnvironment): number {
  return env.raised & ~env.masks;
}

/** Whether an unmasked pre-computation exception ends the operation with its destination unchanged. */
export function stopped(env: FloatEnvironment): boolean {
  return (env.raised & ~env.masks & PRE_COMPUTATION) !== 0;
}
