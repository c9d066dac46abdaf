/** Who makes a hypercall, and with which arguments. */

import { HYPERCALL, type HypercallName } from "../../abi/hypercalls.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import type { Domain } from "../domain.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { Vcpu } from "../vcpu.ts";

const TWO_32 = 0x1_0000_0000;
const ARGUMENT_COUNT = 6;

/** Arguments of a hypercall, in halves; each is 64 bits wide. */
export class HypercallArguments {
  /** Bits 31..0 and 63..32 of argument n at 2n and 2n + 1. */
  readonly words = new Int32Array(12);

  /** Bits 31..0 of argument `n`, unsigned. */
  u32(n: number): number {
    return this.words[2 * n] >>> 0;
  }

  /** Bits 31..0, signed. */
  low(n: number): number {
    return this.words[2 * n];
  }

  /** Bits 63..32, signed. */
  high(n: number): number {
    return this.words[2 * n + 1];
  }

  /** Argument `n` as a signed number: exact for addresses and for all values below 2^53. */
  number(n: number): number {
    return this.words[2 * n + 1] * TWO_32 + (this.words[2 * n] >>> 0);
  }

  /** Sets argument `n` to a number of at most 53 bits. */
  set(n: number, value: number): void {
    this.words[2 * n] = value | 0;
    this.words[2 * n + 1] = Math.floor(value / TWO_32);
  }
}

/** The registers that carry arguments (`xen-x86_64.h` and `xen-x86_32.h` of Xen 4.17, "Hypercall interface"). */
const ARGUMENT_REGISTERS: Readonly<Record<DataModel, readonly number[]>> = {
  lp64: (["rdi", "rsi", "rdx", "r10", "r8", "r9"] as const).map(offsetOf),
  ilp32: (["rbx", "rcx", "rdx", "rsi", "rdi", "rbp"] as const).map(offsetOf),
};

/** Takes the arguments from a CPU's registers: those of a 32-bit guest have nothing in bits 63..32. */
export function readArguments(cpu: Cpu, model: DataModel, into: HypercallArguments): void {
  const registers = ARGUMENT_REGISTERS[model];
  for (let n = 0; n < registers.length; n++) {
    into.words[2 * n] = cpu.state.low(registers[n]);
    into.words[2 * n + 1] = model === "lp64" ? cpu.state.high(registers[n]) : 0;
  }
}

/** Puts the arguments back into the registers, for a hypercall that goes on later. */
export function writeArguments(cpu: Cpu, model: DataModel, args: HypercallArguments): void {
  ARGUMENT_REGISTERS[model].forEach((register, n) =>
    cpu.state.setHalves(register, args.low(n), model === "lp64" ? args.high(n) : 0)
  );
}

/** Arguments that have 64 bits in either data model: a 32-bit guest passes each as two, low half first. */
const WIDE_ARGUMENTS: Partial<Record<HypercallName, readonly number[]>> = {
  update_descriptor: [0, 1],
  update_va_mapping: [1],
  set_timer_op: [0],
};

/** They by number of the hypercall. */
const WIDE_BY_NUMBER: ReadonlyMap<number, readonly number[]> = new Map(
  (Object.entries(WIDE_ARGUMENTS) as [HypercallName, readonly number[]][])
    .map(([name, wide]) => [HYPERCALL[name], wide]),
);

/** The arguments of hypercall `number` as a 64-bit guest would pass them, out of those of a 32-bit guest. */
export function widened(number: number, args: HypercallArguments): HypercallArguments {
  const wide = WIDE_BY_NUMBER.get(number);
  if (wide === undefined) return args;
  const result = new HypercallArguments();
  for (let n = 0, from = 0; from < ARGUMENT_COUNT; n++) {
    result.words[2 * n] = args.low(from++);
    if (wide.includes(n) && from < ARGUMENT_COUNT) result.words[2 * n + 1] = args.low(from++);
  }
  return result;
}

/** The guest that makes a hypercall. */
export interface Caller {
  readonly hypervisor: Hypervisor;
  readonly domain: Domain;
  readonly vcpu: Vcpu;
  /** Its memory by its own addresses. */
  readonly guest: GuestAccess;
  readonly cpu: Cpu;
  /** Whether the hypercall is an entry of a multicall. */
  readonly inMulticall: boolean;
}

/** What a hypercall may answer: a value, an error number, or that it must be made again with its arguments changed. */
export type HypercallResult = number | "again";

/** One hypercall. */
export type Hypercall = (caller: Caller, args: HypercallArguments) => HypercallResult;

/** Entries that one hypercall works through before it lets the guest take its events. */
export const PREEMPT_AFTER = 2048;
