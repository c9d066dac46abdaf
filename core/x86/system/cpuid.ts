/** CPUID (SDM vol. 2, "CPUID"). */

import { APIC_MSR } from "../apic/local_apic.ts";
import { APIC_BASE } from "../apic/apic_base.ts";
import type { Cpu } from "../cpu.ts";
import { cpuidLeaf } from "../model/cpuid_leaves.ts";
import { offsetOf } from "../state/layout.ts";
import { Cr4 } from "../state/bits.ts";

const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");
const RBX = offsetOf("rbx");

/** CPUID: EAX and ECX select. */
export function cpuid(cpu: Cpu): void {
  const { state, model, apic } = cpu;
  const base = apic.readMsr(APIC_MSR.APIC_BASE);
  const answer = cpuidLeaf(model, state.u32[RAX >> 2], state.u32[RCX >> 2], {
    apicId: apic.id,
    apicEnabled: base !== null && (base.low & APIC_BASE.EN) !== 0,
    osXsave: (state.cr4 & Cr4.OSXSAVE) !== 0,
  });
  state.setHalves(RAX, answer[0], 0);
  state.setHalves(RBX, answer[1], 0);
  state.setHalves(RCX, answer[2], 0);
  state.setHalves(RDX, answer[3], 0);
}
