/**
 * x87 arithmetic and comparison, exactly: the plain twins of the fast paths in `instructions/x87_fast.ts`
 * (SDM vol. 2, FADD, FSUB, FMUL, FDIV, FSQRT, FCOM, FUCOM, FCOMI, FTST, FICOM).
 *
 * Every function carries out its instruction completely, stack faults and pops included.
 */

import type { Cpu } from "../cpu.ts";
import {
  add,
  ALL_EXCEPTIONS,
  binary32,
  binary64,
  type BinaryOperation,
  compare,
  div,
  extended80,
  type FloatFormat,
  fromInteger,
  mul,
  type Relation,
  sub,
  x87Environment,
} from "../softfloat/mod.ts";
import { Eflags, STATUS_FLAGS } from "../state/bits.ts";
import { writeFlags } from "./flags_image.ts";
import { argument, ARGUMENTS } from "./memory_access.ts";
import { X87Comparison, X87Source, X87Status } from "./x87_calls.ts";
import {
  conclude,
  environment,
  INDEFINITE,
  isEmpty,
  isUnmasked,
  pop,
  setStackRegister,
  stackFault,
  stackRegister,
} from "./x87_unit.ts";

/** The argument that holds a memory operand's offset. */
const OFFSET_ARGUMENT = 3;

/** A source operand's bits and what they mean. */
interface SourceOperand {
  readonly bits: bigint;
  readonly format: FloatFormat;
}

/** The source that arguments 0 (bits or register number) and 1 (a value of `X87Source`) describe. */
function sourceOperand(cpu: Cpu): SourceOperand {
  const bits = cpu.state.u64[ARGUMENTS[0] >> 3];
  switch (argument(cpu, 1)) {
    case X87Source.binary32:
      return { bits, format: binary32 };
    case X87Source.binary64:
      return { bits, format: binary64 };
    case X87Source.integer16:
      return integerOperand(cpu, BigInt.asIntN(16, bits));
    case X87Source.integer32:
      return integerOperand(cpu, BigInt.asIntN(32, bits));
    case X87Source.zero:
      return { bits: 0n, format: extended80 };
    default:
      return { bits: stackRegister(cpu, Number(bits)), format: extended80 };
  }
}

/** An integer source; it is exact in the register format. */
function integerOperand(cpu: Cpu, value: bigint): SourceOperand {
  return { bits: fromInteger(environment(cpu), extended80, value)!, format: extended80 };
}

function isSourceEmpty(cpu: Cpu): boolean {
  return argument(cpu, 1) === X87Source.register && isEmpty(cpu, argument(cpu, 0));
}

function offsetArgument(cpu: Cpu): { offsetArgument?: 3 } {
  const source = argument(cpu, 1);
  return source === X87Source.register || source === X87Source.zero
    ? {}
    : { offsetArgument: OFFSET_ARGUMENT };
}

/** `destination op source`, or the other way round. */
type Operate = (
  env: ReturnType<typeof environment>,
  destination: bigint,
  source: SourceOperand,
) => bigint | undefined;

function forward(operation: BinaryOperation): Operate {
  return (env, destination, { bits, format }) =>
    operation(env, extended80, destination, bits, extended80, format);
}

function reversed(operation: BinaryOperation): Operate {
  return (env, destination, { bits, format }) =>
    operation(env, extended80, bits, destination, format, extended80);
}

/**
 * A two-operand operation. Arguments: source and its kind (see `sourceOperand`), the destination's number
 * with bit 3 set if the stack is popped, the offset of a memory operand.
 */
function binary(operate: Operate): (cpu: Cpu) => void {
  return (cpu) => {
    const destination = argument(cpu, 2) & 7;
    const pops = argument(cpu, 2) >> 3;
    const where = offsetArgument(cpu);
    if (isEmpty(cpu, destination) || isSourceEmpty(cpu)) {
      if (!stackFault(cpu, false, where)) return;
      setStackRegister(cpu, destination, INDEFINITE);
      return pop(cpu, pops);
    }
    const source = sourceOperand(cpu);
    const env = environment(cpu);
    const result = operate(env, stackRegister(cpu, destination), source);
    conclude(cpu, { raised: env.raised, c1: env.roundedUp, ...where });
    if (result === undefined) return;
    setStackRegister(cpu, destination, result);
    pop(cpu, pops);
  };
}

export const x87Add: (cpu: Cpu) => void = binary(forward(add));
export const x87Subtract: (cpu: Cpu) => void = binary(forward(sub));
export const x87SubtractReversed: (cpu: Cpu) => void = binary(reversed(sub));
export const x87Multiply: (cpu: Cpu) => void = binary(forward(mul));
export const x87Divide: (cpu: Cpu) => void = binary(forward(div));
export const x87DivideReversed: (cpu: Cpu) => void = binary(reversed(div));

const CONDITION_CODES: Readonly<Record<Relation, number>> = {
  greater: 0,
  less: X87Status.C0,
  equal: X87Status.C3,
  unordered: X87Status.C3 | X87Status.C2 | X87Status.C0,
};

const FLAGS: Readonly<Record<Relation, number>> = {
  greater: 0,
  less: Eflags.CF,
  equal: Eflags.ZF,
  unordered: Eflags.ZF | Eflags.PF | Eflags.CF,
};

/**
 * Comparison of ST(0). Arguments: source and its kind, bits of `X87Comparison`, the offset of a memory operand.
 *
 * The manual says that an unmasked exception leaves the condition codes; processors set them all the same, and
 * so does this. Only the pops do not happen then.
 */
export function x87Compare(cpu: Cpu): void {
  const how = argument(cpu, 2);
  const where = offsetArgument(cpu);
  const toFlags = (how & X87Comparison.toFlags) !== 0;
  if (isEmpty(cpu, 0) || isSourceEmpty(cpu)) {
    if (toFlags) writeFlags(cpu.state, FLAGS.unordered, STATUS_FLAGS);
    const codes = toFlags ? undefined : codesOf("unordered");
    if (stackFault(cpu, false, { ...where, codes })) pop(cpu, how & X87Comparison.pops);
    return;
  }
  const source = sourceOperand(cpu);
  const signalling = (how & X87Comparison.quiet) === 0;
  const env = x87Environment(ALL_EXCEPTIONS);
  const first = stackRegister(cpu, 0);
  // With all exceptions masked there always is a relation.
  const relation = compare(env, extended80, first, source.bits, signalling, source.format)!;
  if (toFlags) writeFlags(cpu.state, FLAGS[relation], STATUS_FLAGS);
  conclude(cpu, {
    raised: env.raised,
    // FCOMI leaves C1 unless the stack underflows.
    c1: toFlags ? undefined : false,
    codes: toFlags ? undefined : codesOf(relation),
    ...where,
  });
  if (!isUnmasked(cpu, env.raised)) pop(cpu, how & X87Comparison.pops);
}

function codesOf(relation: Relation): { mask: number; value: number } {
  return {
    mask: X87Status.C0 | X87Status.C2 | X87Status.C3,
    value: CONDITION_CODES[relation],
  };
}
