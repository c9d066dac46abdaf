/**
 * The x87 FPU as system functions see it: its register stack, its status word, the pointers to the last
 * instruction (SDM vol. 1, "x87 FPU Execution Environment").
 *
 * The processors modelled here report CPUID.7.EBX bits 6 and 13: FDP and FOP change only with an unmasked
 * exception, FCS and FDS are always zero.
 */

import type { Cpu } from "../cpu.ts";
import { type FloatEnvironment, x87Environment } from "../softfloat/mod.ts";
import { fprOffset, offsetOf, Status } from "../state/layout.ts";
import { ARGUMENTS } from "./memory_access.ts";
import { X87Status } from "./x87_calls.ts";

const RIP = offsetOf("rip");
const FPU_IP = offsetOf("fpuIp");
const FPU_DP = offsetOf("fpuDp");
const LONGEST_INSTRUCTION = 15;
/** ES, CS, SS, DS, FS, GS, operand size, address size, LOCK, REPNE, REP. */
const PREFIXES: ReadonlySet<number> = new Set(
  [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3],
);

/** The default NaN, "real indefinite": the masked response to stack faults and invalid operations. */
export const INDEFINITE = 0xffffc000000000000000n;

/** The floating-point environment that the control word describes. */
export function environment(cpu: Cpu): FloatEnvironment {
  return x87Environment(cpu.state.fpuControl);
}

/** The physical register that is ST(n). */
export function physical(cpu: Cpu, n: number): number {
  return (cpu.state.fpuTop + n) & 7;
}

/** Whether ST(n) is empty; ST(-1) is the register that a push fills. */
export function isEmpty(cpu: Cpu, n: number): boolean {
  return ((cpu.state.fpuTags >> physical(cpu, n)) & 1) !== 0;
}

/** The 80 bits of ST(n), whatever its tag. */
export function stackRegister(cpu: Cpu, n: number): bigint {
  return cpu.state.get128(fprOffset(physical(cpu, n)));
}

/** Fills ST(n). */
export function setStackRegister(cpu: Cpu, n: number, bits: bigint): void {
  const register = physical(cpu, n);
  cpu.state.set128(fprOffset(register), bits);
  cpu.state.fpuTags &= ~(1 << register);
}

/** Pushes a value, whether or not there is room. */
export function push(cpu: Cpu, bits: bigint): void {
  cpu.state.fpuTop = physical(cpu, -1);
  setStackRegister(cpu, 0, bits);
}

/** Empties ST(0) and moves the top, `times` times. */
export function pop(cpu: Cpu, times = 1): void {
  const { state } = cpu;
  for (let i = 0; i < times; i++) {
    state.fpuTags |= 1 << state.fpuTop;
    state.fpuTop = physical(cpu, 1);
  }
}

/** The 80 bits that arguments 0 (significand) and 1 (sign and exponent) hold. */
export function extendedArgument({ state }: Cpu): bigint {
  return state.u64[ARGUMENTS[0] >> 3] | ((state.u64[ARGUMENTS[1] >> 3] & 0xffffn) << 64n);
}

/** What an instruction did besides its result. */
export interface Conclusion {
  /** Exceptions that it met, in the positions of the status word, SF included. */
  readonly raised: number;
  /** C1; absent if the instruction leaves it. */
  readonly c1?: boolean;
  /** Condition codes C0, C2 and C3 that it sets or clears, and their values. */
  readonly codes?: { readonly mask: number; readonly value: number };
  /** Number of the argument that holds the memory operand's offset; absent without memory operand. */
  readonly offsetArgument?: 0 | 1 | 2 | 3;
}

/** Ends a non-control instruction: status word and instruction pointer, and the rest of an unmasked exception. */
export function conclude(cpu: Cpu, done: Conclusion): void {
  const { state } = cpu;
  let status = state.fpuStatus | done.raised;
  if (done.c1 !== undefined) status = (status & ~X87Status.C1) | (done.c1 ? X87Status.C1 : 0);
  if (done.codes) status = (status & ~done.codes.mask) | done.codes.value;
  state.setHalves(FPU_IP, state.low(RIP), state.high(RIP));
  if (isUnmasked(cpu, done.raised)) {
    status |= X87Status.summary;
    state.fpuOpcode = opcodeAtRip(cpu);
    if (done.offsetArgument !== undefined) {
      const at = ARGUMENTS[done.offsetArgument];
      state.setHalves(FPU_DP, state.low(at), state.high(at));
    }
  }
  state.fpuStatus = status;
}

/** Whether any of `raised` is not masked. */
export function isUnmasked({ state }: Cpu, raised: number): boolean {
  return (raised & ~state.fpuControl & X87Status.exceptions) !== 0;
}

/** Ends an instruction whose stack fault is its only effect or precedes the masked one; returns whether it is masked. */
export function stackFault(
  cpu: Cpu,
  overflow: boolean,
  rest: Omit<Conclusion, "raised" | "c1"> = {},
): boolean {
  conclude(cpu, { ...rest, raised: X87Status.IE | X87Status.SF, c1: overflow });
  return !isUnmasked(cpu, X87Status.IE);
}

/** FOP: the low three bits of the first opcode byte, then the ModRM byte. */
function opcodeAtRip(cpu: Cpu): number {
  for (let i = 0; i < LONGEST_INSTRUCTION; i++) {
    const byte = codeByte(cpu, i);
    if (byte < 0) return 0;
    const isRex = (cpu.state.modeKey & 1) !== 0 && (byte & 0xf0) === 0x40;
    if (!isRex && !PREFIXES.has(byte)) return ((byte & 7) << 8) | Math.max(codeByte(cpu, i + 1), 0);
  }
  return 0;
}

/** The instruction's byte `i`; -1 if another CPU has unmapped it meanwhile. */
function codeByte(cpu: Cpu, i: number): number {
  const { state } = cpu;
  const linear = (state.rip + BigInt(i)) + state.csBase;
  const low = Number(BigInt.asIntN(32, linear));
  const high = (state.modeKey & 1) !== 0 ? Number(BigInt.asIntN(32, linear >> 32n)) : 0;
  const address = cpu.mmu.fetchAddress(low, high);
  if (address >= 0) return cpu.memory.read(address, 1);
  state.status = Status.none;
  return -1;
}
