/**
 * SSE's floating point, exactly: what the fast paths of instructions/sse_*.ts fall back on (SDM vol. 1, "SSE and SSE2
 * Exceptions"). Rounding, masks, FTZ and DAZ come from MXCSR; the flags go there, also when one of them faults.
 *
 * Every function has the operands as first arguments and says in `Elements` how many elements of which width it
 * works on; elements of a result beyond them are those of the first operand.
 */

import type { Cpu } from "../cpu.ts";
import {
  add,
  binary32,
  binary64,
  compare,
  comparePredicate,
  convert,
  type Delivered,
  div,
  type FloatEnvironment,
  type FloatFormat,
  fromInteger,
  type IntegerWidth,
  max,
  min,
  mul,
  packedOperation,
  reciprocal,
  reciprocalSqrt,
  type Relation,
  roundingMode,
  roundToInteger,
  sqrt,
  sseEnvironment,
  sub,
  toInteger,
} from "../softfloat/mod.ts";
import { Cr4, Eflags, Exception } from "../state/bits.ts";
import { offsetOf } from "../state/layout.ts";
import type { SystemFunction } from "./functions.ts";
import { compareStringOperands } from "./sse_strings.ts";

/** Fields of the argument that describes elements. */
export const Elements = {
  /** Bits 7..0: width of a floating-point element. */
  width: 0,
  /** Bits 15..8: how many. */
  count: 8,
  /** Bits 23..16: width of an integer element, in conversions. */
  integerWidth: 16,
  /** Bit 24: truncate, whatever MXCSR says. */
  truncate: 24,
} as const;

const ARGUMENTS = [0, 1, 2, 3].map((n) => offsetOf(`argument${n}` as "argument0"));
const RESULT = offsetOf("result");

/** What an operation on elements works with. */
interface Operation {
  readonly env: FloatEnvironment;
  readonly format: FloatFormat;
  readonly width: number;
  readonly count: number;
}

function operationOf({ state }: Cpu, elements: number): Operation {
  const width = (elements >> Elements.width) & 0xff;
  return {
    env: sseEnvironment(state.mxcsr),
    format: width === 32 ? binary32 : binary64,
    width,
    count: (elements >> Elements.count) & 0xff,
  };
}

function vector(cpu: Cpu, argument: number): bigint {
  return cpu.state.get128(ARGUMENTS[argument]);
}

function number(cpu: Cpu, argument: number): number {
  return cpu.state.u32[ARGUMENTS[argument] >> 2];
}

function element(bits: bigint, width: number, index: number): bigint {
  return BigInt.asUintN(width, bits >> BigInt(width * index));
}

/** `into` with its low elements replaced. */
function withElements(into: bigint, elements: readonly bigint[], width: number): bigint {
  const kept = BigInt(width * elements.length);
  return elements.reduce(
    (all, bits, i) => all | (bits << BigInt(width * i)),
    (into >> kept) << kept,
  );
}

/** Puts flags into MXCSR, and faults if the operation has no result. */
function report<Result>(cpu: Cpu, env: FloatEnvironment, result: Result | undefined): Result {
  const { state } = cpu;
  state.mxcsr |= env.flags;
  if (result === undefined) {
    cpu.raise((state.cr4 & Cr4.OSXMMEXCPT) !== 0 ? Exception.XM : Exception.UD);
  }
  return result;
}

/** Computes each element and delivers all of them, or faults. */
function eachElement(
  cpu: Cpu,
  { env, count }: Operation,
  compute: (index: number) => Delivered,
): readonly bigint[] {
  return report(cpu, env, packedOperation(env, count, compute));
}

type Binary = (env: FloatEnvironment, format: FloatFormat, a: bigint, b: bigint) => Delivered;

/** `(a, b, elements)`: combines elements of both operands. */
function binary(choose: (index: number) => Binary) {
  return (cpu: Cpu): void => {
    const [a, b] = [vector(cpu, 0), vector(cpu, 1)];
    const operation = operationOf(cpu, number(cpu, 2));
    const { env, format, width } = operation;
    const results = eachElement(
      cpu,
      operation,
      (i) => choose(i)(env, format, element(a, width, i), element(b, width, i)),
    );
    cpu.state.set128(RESULT, withElements(a, results, width));
  };
}

/** `(old, source, elements, immediate)`: works on each element of the source. */
function unary(
  compute: (
    env: FloatEnvironment,
    format: FloatFormat,
    bits: bigint,
    immediate: number,
  ) => Delivered,
) {
  return (cpu: Cpu): void => {
    const source = vector(cpu, 1);
    const operation = operationOf(cpu, number(cpu, 2));
    const { env, format, width } = operation;
    const immediate = number(cpu, 3);
    const results = eachElement(
      cpu,
      operation,
      (i) => compute(env, format, element(source, width, i), immediate),
    );
    cpu.state.set128(RESULT, withElements(vector(cpu, 0), results, width));
  };
}

/** ROUNDPS: bit 2 of the immediate takes the rounding mode from MXCSR, bit 3 suppresses the precision exception. */
function round(
  env: FloatEnvironment,
  format: FloatFormat,
  bits: bigint,
  immediate: number,
): Delivered {
  const rounding = (immediate & 4) !== 0 ? env.rounding : roundingMode(immediate);
  return roundToInteger(env, format, bits, rounding, (immediate & 8) !== 0);
}

/** `(a, b, elements, predicate)`: all ones where the predicate holds. */
function compareElements(cpu: Cpu): void {
  const [a, b] = [vector(cpu, 0), vector(cpu, 1)];
  const operation = operationOf(cpu, number(cpu, 2));
  const { env, format, width } = operation;
  const predicate = number(cpu, 3) & 7;
  const results = eachElement(cpu, operation, (i) => {
    const holds = comparePredicate(
      env,
      format,
      element(a, width, i),
      element(b, width, i),
      predicate,
    );
    return holds === undefined ? undefined : BigInt.asUintN(width, holds ? -1n : 0n);
  });
  cpu.state.set128(RESULT, withElements(a, results, width));
}

const RELATION_FLAGS: { readonly [R in Relation]: number } = {
  unordered: Eflags.ZF | Eflags.PF | Eflags.CF,
  less: Eflags.CF,
  equal: Eflags.ZF,
  greater: 0,
};

/** `(a, b, elements)`: the flags of COMISS (`signalling`) or UCOMISS. */
function compareForFlags(signalling: boolean) {
  return (cpu: Cpu): void => {
    const { env, format, width } = operationOf(cpu, number(cpu, 2));
    const [a, b] = [element(vector(cpu, 0), width, 0), element(vector(cpu, 1), width, 0)];
    const relation = report(cpu, env, compare(env, format, a, b, signalling));
    cpu.state.set128(RESULT, BigInt(RELATION_FLAGS[relation]));
  };
}

/**
 * `(a, b, elements, immediate)`: DPPS and DPPD. Bits 7..4 of the immediate say which products count, bits 3..0 where
 * the sum goes. Each step reports its exceptions before the next begins.
 */
function dotProduct(cpu: Cpu): void {
  const [a, b] = [vector(cpu, 0), vector(cpu, 1)];
  const operation = operationOf(cpu, number(cpu, 2));
  const { env, format, width, count } = operation;
  const immediate = number(cpu, 3);
  let terms = eachElement(cpu, operation, (i) => {
    if (((immediate >> (4 + i)) & 1) !== 0) {
      return mul(env, format, element(a, width, i), element(b, width, i));
    }
    env.raised = 0;
    return 0n;
  });
  for (let distance = 1; distance < count; distance <<= 1) {
    const previous = terms;
    // The order of the terms decides which of several NaNs is delivered; this is that of Intel's processors.
    const swapped = count === 4 && distance === 1;
    terms = eachElement(cpu, operation, (i) => {
      const [first, second] = swapped ? [i ^ 1, i] : [i, i ^ distance];
      return add(env, format, previous[first], previous[second]);
    });
  }
  const results = Array.from(
    { length: count },
    (_, i) => ((immediate >> i) & 1) !== 0 ? terms[i] : 0n,
  );
  cpu.state.set128(RESULT, withElements(0n, results, width));
}

/** `(source, elements)`: floating point to integers; the rest of the result is zero. */
function toIntegers(cpu: Cpu): void {
  const source = vector(cpu, 0);
  const elements = number(cpu, 1);
  const operation = operationOf(cpu, elements);
  const { env, format, width } = operation;
  const integerWidth = ((elements >> Elements.integerWidth) & 0xff) as IntegerWidth;
  const rounding = ((elements >> Elements.truncate) & 1) !== 0 ? "zero" : env.rounding;
  const results = eachElement(
    cpu,
    operation,
    (i) => toInteger(env, format, element(source, width, i), integerWidth, rounding),
  );
  cpu.state.set128(RESULT, withElements(0n, results, integerWidth));
}

/** `(source, elements)`: integers to floating point; the rest of the result is zero. */
function fromIntegers(cpu: Cpu): void {
  const source = vector(cpu, 0);
  const elements = number(cpu, 1);
  const operation = operationOf(cpu, elements);
  const { env, format, width } = operation;
  const integerWidth = (elements >> Elements.integerWidth) & 0xff;
  const results = eachElement(cpu, operation, (i) => {
    const integer = BigInt.asIntN(integerWidth, element(source, integerWidth, i));
    return fromInteger(env, format, integer);
  });
  cpu.state.set128(RESULT, withElements(0n, results, width));
}

/** `(source, elements)`: from the format of `elements` to the other one; the rest of the result is zero. */
function convertFormat(cpu: Cpu): void {
  const source = vector(cpu, 0);
  const operation = operationOf(cpu, number(cpu, 1));
  const { env, format, width } = operation;
  const [target, targetWidth] = width === 32 ? [binary64, 64] : [binary32, 32];
  const results = eachElement(
    cpu,
    operation,
    (i) => convert(env, format, target, element(source, width, i)),
  );
  cpu.state.set128(RESULT, withElements(0n, results, targetWidth));
}

/** RCPPS and RSQRTPS raise nothing. */
function approximate(approximation: (bits: bigint) => bigint) {
  return unary((env, _, bits) => {
    env.raised = 0;
    return approximation(bits);
  });
}

const RUN = {
  sseAdd: binary(() => add),
  sseSub: binary(() => sub),
  sseMul: binary(() => mul),
  sseDiv: binary(() => div),
  sseMin: binary(() => min),
  sseMax: binary(() => max),
  sseAddSubtract: binary((i) => i % 2 === 0 ? sub : add),
  sseSquareRoot: unary(sqrt),
  sseRound: unary(round),
  sseReciprocal: approximate(reciprocal),
  sseReciprocalRoot: approximate(reciprocalSqrt),
  sseCompare: compareElements,
  sseCompareOrdered: compareForFlags(true),
  sseCompareUnordered: compareForFlags(false),
  sseDotProduct: dotProduct,
  sseToIntegers: toIntegers,
  sseFromIntegers: fromIntegers,
  sseConvertFormat: convertFormat,
  sseCompareStrings: compareStringOperands,
};

type SseFunction = keyof typeof RUN;

/** The system functions of SSE. */
export const SSE_FUNCTIONS = Object.fromEntries(
  Object.entries(RUN).map(([name, run]) => [name, { run, endsBlock: false, sensitive: false }]),
) as { readonly [Name in SseFunction]: Omit<SystemFunction, "name"> };
