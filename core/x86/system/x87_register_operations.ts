/**
 * x87 operations on the top of the stack alone: square root, rounding, scaling, remainders, transcendentals
 * (SDM vol. 2, FSQRT, FRNDINT, FSCALE, FXTRACT, FPREM, FPREM1, F2XM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS,
 * FSINCOS). None of them takes an argument.
 */

import type { Cpu } from "../cpu.ts";
import {
  extended80,
  extract,
  f2xm1,
  fcos,
  type FloatEnvironment,
  fpatan,
  fptan,
  fsin,
  fsincos,
  fyl2x,
  fyl2xp1,
  partialRemainder,
  partialRemainderNearest,
  type Remainder,
  roundToInteger,
  scale,
  sqrt,
} from "../softfloat/mod.ts";
import { X87Status } from "./x87_calls.ts";
import {
  conclude,
  type Conclusion,
  environment,
  INDEFINITE,
  isEmpty,
  pop,
  push,
  setStackRegister,
  stackFault,
  stackRegister,
} from "./x87_unit.ts";

const { C0, C2, C3 } = X87Status;

type Unary = (env: FloatEnvironment, bits: bigint) => bigint | undefined;
type Binary = (env: FloatEnvironment, a: bigint, b: bigint) => bigint | undefined;

/** ST(0) becomes a function of ST(0). */
function unary(operate: Unary): (cpu: Cpu) => void {
  return (cpu) => {
    if (isEmpty(cpu, 0)) {
      if (stackFault(cpu, false)) setStackRegister(cpu, 0, INDEFINITE);
      return;
    }
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, 0));
    conclude(cpu, { raised: env.raised, c1: env.roundedUp });
    if (result !== undefined) setStackRegister(cpu, 0, result);
  };
}

/** ST(1) becomes a function of ST(1) and ST(0), and the stack is popped. */
function binaryPopping(operate: Binary): (cpu: Cpu) => void {
  return (cpu) => {
    if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
      if (!stackFault(cpu, false)) return;
      setStackRegister(cpu, 1, INDEFINITE);
      return pop(cpu);
    }
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, 1), stackRegister(cpu, 0));
    conclude(cpu, { raised: env.raised, c1: env.roundedUp });
    if (result === undefined) return;
    setStackRegister(cpu, 1, result);
    pop(cpu);
  };
}

export const x87SquareRoot: (cpu: Cpu) => void = unary((env, bits) => sqrt(env, extended80, bits));
export const x87RoundToInteger: (cpu: Cpu) => void = unary((env, bits) =>
  roundToInteger(env, extended80, bits)
);
export const x87PowerOfTwo: (cpu: Cpu) => void = unary(f2xm1);
export const x87Arctangent: (cpu: Cpu) => void = binaryPopping(fpatan);
export const x87Logarithm: (cpu: Cpu) => void = binaryPopping(fyl2x);
export const x87LogarithmPlusOne: (cpu: Cpu) => void = binaryPopping(fyl2xp1);

/** FSCALE: ST(0) times two to the power of ST(1). */
export function x87Scale(cpu: Cpu): void {
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (stackFault(cpu, false)) setStackRegister(cpu, 0, INDEFINITE);
    return;
  }
  const env = environment(cpu);
  const result = scale(env, stackRegister(cpu, 0), stackRegister(cpu, 1));
  conclude(cpu, { raised: env.raised, c1: env.roundedUp });
  if (result !== undefined) setStackRegister(cpu, 0, result);
}

/** The exponent field of infinities and NaNs. */
const SPECIAL_EXPONENT = 0x7fffn;
/** The condition codes of a remainder or an angle that was not cut short. */
const REDUCED = { mask: X87Status.C2, value: 0 } as const;

/**
 * FPREM and FPREM1: the quotient's low bits go to C0 (bit 2), C3 (bit 1) and C1 (bit 0), and C2 says that the
 * reduction is partial. Without a quotient C0 and C3 stay.
 */
function remainder(
  operate: (env: FloatEnvironment, a: bigint, b: bigint) => Remainder | undefined,
): (cpu: Cpu) => void {
  return (cpu) => {
    if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
      if (stackFault(cpu, false, { codes: REDUCED })) setStackRegister(cpu, 0, INDEFINITE);
      return;
    }
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, 0), stackRegister(cpu, 1));
    if (result === undefined || isNaNBits(result.remainder)) {
      conclude(cpu, { raised: env.raised, c1: false, codes: REDUCED });
    } else {
      const { quotientBits } = result;
      const codes = { mask: C0 | C2 | C3, value: quotientCodes(result) };
      conclude(cpu, { raised: env.raised, c1: (quotientBits & 1) !== 0, codes });
    }
    if (result !== undefined) setStackRegister(cpu, 0, result.remainder);
  };
}

function isNaNBits(bits: bigint): boolean {
  return ((bits >> 64n) & SPECIAL_EXPONENT) === SPECIAL_EXPONENT;
}

function quotientCodes({ quotientBits, partial }: Remainder): number {
  return ((quotientBits & 4) !== 0 ? C0 : 0) | ((quotientBits & 2) !== 0 ? C3 : 0) |
    (partial ? C2 : 0);
}

export const x87Remainder: (cpu: Cpu) => void = remainder(partialRemainder);
export const x87RemainderNearest: (cpu: Cpu) => void = remainder(partialRemainderNearest);

/** Two results: the one that ST(0) becomes, and the one that is pushed. */
interface Pair {
  readonly replaced: bigint;
  readonly pushed: bigint;
}

/** Stack faults of instructions with two results; the masked response is two default NaNs. */
function pairFaults(cpu: Cpu, codes?: Conclusion["codes"]): boolean {
  const underflow = isEmpty(cpu, 0);
  if (!underflow && isEmpty(cpu, -1)) return false;
  if (stackFault(cpu, !underflow, { codes })) {
    setStackRegister(cpu, 0, INDEFINITE);
    push(cpu, INDEFINITE);
  }
  return true;
}

/** FXTRACT: ST(0) becomes the exponent, and the significand is pushed. */
export function x87Extract(cpu: Cpu): void {
  if (pairFaults(cpu)) return;
  const env = environment(cpu);
  const result = extract(env, stackRegister(cpu, 0));
  conclude(cpu, { raised: env.raised, c1: false });
  if (result === undefined) return;
  setStackRegister(cpu, 0, result.exponent);
  push(cpu, result.significand);
}

/** C2 of trigonometric instructions: set if the argument was out of range and is left. */
function rangeCodes(outOfRange: boolean): Conclusion["codes"] {
  return { mask: C2, value: outOfRange ? C2 : 0 };
}

/** FSIN and FCOS. */
function trigonometric(operate: typeof fsin): (cpu: Cpu) => void {
  return (cpu) => {
    if (isEmpty(cpu, 0)) {
      if (stackFault(cpu, false, { codes: REDUCED })) setStackRegister(cpu, 0, INDEFINITE);
      return;
    }
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, 0));
    const codes = rangeCodes(result === "outOfRange");
    conclude(cpu, { raised: env.raised, c1: env.roundedUp, codes });
    if (result !== undefined && result !== "outOfRange") setStackRegister(cpu, 0, result);
  };
}

export const x87Sine: (cpu: Cpu) => void = trigonometric(fsin);
export const x87Cosine: (cpu: Cpu) => void = trigonometric(fcos);

/** FSINCOS and FPTAN: as `trigonometric`, with a second result that is pushed. */
function trigonometricPair(
  operate: (env: FloatEnvironment, bits: bigint) => Pair | "outOfRange" | undefined,
): (cpu: Cpu) => void {
  return (cpu) => {
    if (pairFaults(cpu, REDUCED)) return;
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, 0));
    const codes = rangeCodes(result === "outOfRange");
    conclude(cpu, { raised: env.raised, c1: env.roundedUp, codes });
    if (result === undefined || result === "outOfRange") return;
    setStackRegister(cpu, 0, result.replaced);
    push(cpu, result.pushed);
  };
}

export const x87SineCosine: (cpu: Cpu) => void = trigonometricPair((env, bits) => {
  const result = fsincos(env, bits);
  if (result === undefined || result === "outOfRange") return result;
  return { replaced: result.sine, pushed: result.cosine };
});
export const x87Tangent: (cpu: Cpu) => void = trigonometricPair((env, bits) => {
  const result = fptan(env, bits);
  if (result === undefined || result === "outOfRange") return result;
  return { replaced: result.tangent, pushed: result.pushed };
});
