/** Who makes a hypercall, and with which arguments. */

import type { Cpu } from "../../x86/cpu.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import type { Domain } from "../domain.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { Vcpu } from "../vcpu.ts";

const TWO_32 = 0x1_0000_0000;

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

/** The registers that carry arguments (Xen 4.17's `xen-x86_64.h`, "Hypercall interface"). */
const ARGUMENT_REGISTERS: readonly number[] = (["rdi", "rsi", "rdx", "r10", "r8", "r9"] as const)
  .map((name) => offsetOf(name));

/** Takes the arguments from a CPU's registers. */
export function readArguments(cpu: Cpu, into: HypercallArguments): void {
  for (let n = 0; n < ARGUMENT_REGISTERS.length; n++) {
    into.words[2 * n] = cpu.state.low(ARGUMENT_REGISTERS[n]);
    into.words[2 * n + 1] = cpu.state.high(ARGUMENT_REGISTERS[n]);
  }
}

/** Puts the arguments back into the registers, for a hypercall that goes on later. */
export function writeArguments(cpu: Cpu, args: HypercallArguments): void {
  ARGUMENT_REGISTERS.forEach((register, n) =>
    cpu.state.setHalves(register, args.low(n), args.high(n))
  );
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
