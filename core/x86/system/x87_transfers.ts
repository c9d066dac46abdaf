/** x87 loads and stores that convert (SDM vol. 2, FLD, FST, FIST, FISTTP, FBLD, FBSTP). */

import type { Cpu } from "../cpu.ts";
import {
  binary32,
  binary64,
  convert,
  extended80,
  fromPackedDecimal,
  type IntegerWidth,
  PACKED_DECIMAL_INDEFINITE,
  toInteger,
  toPackedDecimal,
} from "../softfloat/mod.ts";
import { offsetOf } from "../state/layout.ts";
import { argument, ARGUMENTS, setResult } from "./memory_access.ts";
import {
  conclude,
  environment,
  extendedArgument,
  INDEFINITE,
  isEmpty,
  pop,
  push,
  stackFault,
  stackRegister,
} from "./x87_unit.ts";

const RESULT = offsetOf("result");
/** Bit of a store's result that says that there is something to store. */
const STORES = 1n << 127n;

/** Bits of what FIST and FISTTP tell `x87StoreInteger` besides the width. */
const Store = { pops: 1, truncates: 2 } as const;

/** A stack fault with no more argument: argument 0 is 1 for an overflow; the result is 1 if it is masked. */
export function x87StackFault(cpu: Cpu): void {
  setResult(cpu, stackFault(cpu, argument(cpu, 0) !== 0) ? 1 : 0);
}

/**
 * A stack fault of an instruction with a memory operand: argument 0 is 1 for an overflow, argument 1 the
 * operand's offset; the result is 1 if the fault is masked.
 */
export function x87MemoryStackFault(cpu: Cpu): void {
  setResult(cpu, stackFault(cpu, argument(cpu, 0) !== 0, { offsetArgument: 1 }) ? 1 : 0);
}

/** FLD m32fp and m64fp. Arguments: bits, width, the operand's offset. */
export function x87Load(cpu: Cpu): void {
  const where = { offsetArgument: 2 } as const;
  if (!isEmpty(cpu, -1)) {
    if (stackFault(cpu, true, where)) push(cpu, INDEFINITE);
    return;
  }
  const env = environment(cpu);
  const from = argument(cpu, 1) === 32 ? binary32 : binary64;
  const value = convert(env, from, extended80, cpu.state.u64[ARGUMENTS[0] >> 3]);
  conclude(cpu, { raised: env.raised, c1: false, ...where });
  if (value !== undefined) push(cpu, value);
}

/** FBLD. Arguments: the operand's bits 63..0 and 79..64, its offset. */
export function x87LoadDecimal(cpu: Cpu): void {
  const where = { offsetArgument: 2 } as const;
  if (!isEmpty(cpu, -1)) {
    if (stackFault(cpu, true, where)) push(cpu, INDEFINITE);
    return;
  }
  const value = fromPackedDecimal(environment(cpu), extendedArgument(cpu));
  conclude(cpu, { raised: 0, c1: false, ...where });
  push(cpu, value!);
}

/** Ends a store: bits 126..0 of the result are what it stores, bit 127 says whether it stores. */
function deliver(cpu: Cpu, bits: bigint | undefined, pops: boolean): void {
  cpu.state.set128(RESULT, bits === undefined ? 0n : bits | STORES);
  if (bits !== undefined && pops) pop(cpu);
}

/** FST and FSTP m32fp and m64fp. Arguments: width, 1 to pop, the operand's offset. */
export function x87Store(cpu: Cpu): void {
  const where = { offsetArgument: 2 } as const;
  const to = argument(cpu, 0) === 32 ? binary32 : binary64;
  const pops = argument(cpu, 1) !== 0;
  if (isEmpty(cpu, 0)) {
    return deliver(cpu, stackFault(cpu, false, where) ? to.defaultNaN : undefined, pops);
  }
  const env = environment(cpu);
  const bits = convert(env, extended80, to, stackRegister(cpu, 0));
  conclude(cpu, { raised: env.raised, c1: env.roundedUp, ...where });
  deliver(cpu, bits, pops);
}

/** FIST, FISTP and FISTTP. Arguments: width, 1 to pop plus 2 to truncate, the operand's offset. */
export function x87StoreInteger(cpu: Cpu): void {
  const where = { offsetArgument: 2 } as const;
  const width = argument(cpu, 0) as IntegerWidth;
  const how = argument(cpu, 1);
  const pops = (how & Store.pops) !== 0;
  const indefinite = 1n << BigInt(width - 1);
  if (isEmpty(cpu, 0)) {
    return deliver(cpu, stackFault(cpu, false, where) ? indefinite : undefined, pops);
  }
  const env = environment(cpu);
  const rounding = (how & Store.truncates) !== 0 ? "zero" : env.rounding;
  const bits = toInteger(env, extended80, stackRegister(cpu, 0), width, rounding);
  conclude(cpu, { raised: env.raised, c1: env.roundedUp, ...where });
  deliver(cpu, bits, pops);
}

/** FBSTP. Argument 0 is the operand's offset. */
export function x87StoreDecimal(cpu: Cpu): void {
  const where = { offsetArgument: 0 } as const;
  if (isEmpty(cpu, 0)) {
    const masked = stackFault(cpu, false, where);
    return deliver(cpu, masked ? PACKED_DECIMAL_INDEFINITE : undefined, true);
  }
  const env = environment(cpu);
  const bits = toPackedDecimal(env, stackRegister(cpu, 0));
  conclude(cpu, { raised: env.raised, c1: env.roundedUp, ...where });
  deliver(cpu, bits, true);
}
