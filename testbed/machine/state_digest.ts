/** What the trace is told of the CPUs from time to time, so that its hash depends on all they do. */

import { Digest } from "../../core/trace/trace.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import { GENERAL_REGISTERS, offsetOf } from "../../core/x86/state/layout.ts";

/** A digest of the general registers and RIP of all CPUs. */
export function registersDigest(cpus: readonly Cpu[]): Digest {
  const digest = new Digest();
  for (const { state } of cpus) {
    for (const name of [...GENERAL_REGISTERS, "rip"] as const) {
      digest.add(state.low(offsetOf(name)));
      digest.add(state.high(offsetOf(name)));
    }
  }
  return digest;
}
