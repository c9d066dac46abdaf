/**
 * CPUID as a paravirtual guest sees it: the CPU's own answers without what a guest in ring 3 cannot have, and the
 * hypervisor's leaves (Xen 4.17's `arch-x86/cpuid.h`).
 */

import { XEN_CPUID_FIRST_LEAF, XEN_CPUID_SIGNATURE } from "../../abi/arch_x86.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { type CpuidAnswer, cpuidLeaf } from "../../x86/model/cpuid_leaves.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import type { Vcpu } from "../vcpu.ts";
import { XEN_VERSION } from "../version.ts";

const RAX = offsetOf("rax");
const RBX = offsetOf("rbx");
const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");

/** Bits by name that are taken out of leaf 1 ECX: MONITOR, DTES64, VMX, SMX, EIST, TM2, PDCM, PCID, DCA, x2APIC, TSC-deadline. */
const LEAF1_ECX_HIDDEN = 1 << 3 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 15 | 1 << 17 |
  1 << 18 | 1 << 21 | 1 << 24;
/** Bit 31 of leaf 1 ECX: there is a hypervisor. */
const LEAF1_ECX_HYPERVISOR = 1 << 31;
/** Leaf 1 EDX: VME, PSE, MCE, APIC, SEP, MTRR, PGE, MCA, PSE-36, DS, ACPI, TM. */
const LEAF1_EDX_HIDDEN = 1 << 1 | 1 << 3 | 1 << 7 | 1 << 9 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 |
  1 << 17 | 1 << 21 | 1 << 22 | 1 << 29;
/** Leaf 7 EBX: TSC_ADJUST, SMEP, INVPCID, SMAP. */
const LEAF7_EBX_HIDDEN = 1 << 1 | 1 << 7 | 1 << 10 | 1 << 20;
/** Leaf 7 ECX: UMIP. */
const LEAF7_ECX_HIDDEN = 1 << 2;
/** Leaf 0x80000001 EDX: VME, PSE, MCE, APIC, MTRR, PGE, MCA, PSE-36, 1 GiB pages. */
const EXTENDED1_EDX_HIDDEN = 1 << 1 | 1 << 3 | 1 << 7 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 14 |
  1 << 17 | 1 << 26;
/** What of leaf 0x80000001 a 32-bit guest has no use for: LAHF in 64-bit mode; SYSCALL, long mode. */
const LONG_ECX = 1 << 0;
const LONG_EDX = 1 << 11 | 1 << 29;
/** The highest of the hypervisor's leaves, and what its features leaf says: PT_UPDATE_PRESERVE_AD. */
const XEN_LAST_LEAF = XEN_CPUID_FIRST_LEAF + 5;
const XEN_FEATURE_PRESERVE_AD = 1;
const NOTHING: CpuidAnswer = [0, 0, 0, 0];

/** The answer to CPUID of `leaf` and `subleaf` for virtual CPU number `vcpu` of a guest of a data model. */
export function pvCpuidLeaf(
  cpu: Cpu,
  leaf: number,
  subleaf: number,
  vcpu: number,
  model: DataModel,
): CpuidAnswer {
  if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_LAST_LEAF) return xenLeaf(cpu, leaf, subleaf);
  const answer = cpuidLeaf(cpu.model, leaf, subleaf, {
    apicId: 2 * vcpu,
    apicEnabled: false,
    osXsave: cpu.model.has("xsave"),
  });
  const [eax, ebx, ecx, edx] = answer;
  switch (leaf) {
    case 1:
      return [eax, ebx, ecx & ~LEAF1_ECX_HIDDEN | LEAF1_ECX_HYPERVISOR, edx & ~LEAF1_EDX_HIDDEN];
    case 7:
      return [eax, ebx & ~LEAF7_EBX_HIDDEN, ecx & ~LEAF7_ECX_HIDDEN, 0];
    case 5:
    case 6:
    case 0xb:
      return NOTHING;
    case 0x8000_0001:
      return model === "lp64"
        ? [eax, ebx, ecx, edx & ~EXTENDED1_EDX_HIDDEN]
        : [eax, ebx, ecx & ~LONG_ECX, edx & ~(EXTENDED1_EDX_HIDDEN | LONG_EDX)];
    default:
      return answer;
  }
}

function xenLeaf(cpu: Cpu, leaf: number, subleaf: number): CpuidAnswer {
  switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
      return [
        XEN_LAST_LEAF,
        word(XEN_CPUID_SIGNATURE, 0),
        word(XEN_CPUID_SIGNATURE, 4),
        word(XEN_CPUID_SIGNATURE, 8),
      ];
    case 1:
      return [XEN_VERSION.major << 16 | XEN_VERSION.minor, 0, 0, 0];
    case 2:
      return [1, XEN_CPUID_FIRST_LEAF, XEN_FEATURE_PRESERVE_AD, 0];
    case 3: {
      const khz = Math.round(cpu.model.frequencyHz / 1000);
      // Bit 1: the TSC is safe to use; the guest reads it without emulation.
      if (subleaf === 0) return [2, 0, khz, 0];
      return subleaf === 2 ? [khz, 0, 0, 0] : NOTHING;
    }
    case 5:
      return [0, cpu.model.physicalAddressBits, 0, 0];
    default:
      return NOTHING;
  }
}

/** Four characters as a little-endian word. */
function word(text: string, at: number): number {
  return text.charCodeAt(at) | text.charCodeAt(at + 1) << 8 | text.charCodeAt(at + 2) << 16 |
    text.charCodeAt(at + 3) << 24;
}

/** CPUID for a virtual CPU that `cpu` runs: registers in, registers out. */
export function pvCpuid(cpu: Cpu, { id, domain }: Vcpu): void {
  const { state } = cpu;
  const [eax, ebx, ecx, edx] = pvCpuidLeaf(
    cpu,
    state.u32[RAX >> 2],
    state.u32[RCX >> 2],
    id,
    domain.model,
  );
  state.setHalves(RAX, eax, 0);
  state.setHalves(RBX, ebx, 0);
  state.setHalves(RCX, ecx, 0);
  state.setHalves(RDX, edx, 0);
}
