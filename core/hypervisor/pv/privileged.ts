/**
 * Privileged instructions of a guest kernel, which runs in ring 3: carried out here where Xen does so, else they raise
 * #GP as the CPU says (Xen 4.17's behaviour for PV guests; `set_iopl`, `fpu_taskswitch` and others have hypercalls).
 *
 * Each entry is named as in `system/functions.ts` and finds its arguments where that function would. It returns
 * false to let the instruction fault.
 */

import { floatingBus } from "../../memory/io_space.ts";
import type { PortSize } from "../../memory/ports.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Cr0 } from "../../x86/state/bits.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import { argument, argumentHigh, isCanonical, setResult } from "../../x86/system/memory_access.ts";
import { updateMode, updateUnitTraps } from "../../x86/system/mode.ts";
import { readMsrValue } from "../../x86/system/msr.ts";
import type { Vcpu } from "../vcpu.ts";
import { cr4For, GUEST_CR4 } from "./cpu_context.ts";
import { paeCr3Of } from "./guest_context.ts";

const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");

/** Carries out an instruction for a guest kernel; false: it faults. */
type Privileged = (cpu: Cpu, vcpu: Vcpu) => boolean;

/** Sets CR0.TS as the guest wants it; `fpu_taskswitch` does the same. */
export function setTaskSwitched(cpu: Cpu, vcpu: Vcpu, on: boolean): void {
  vcpu.taskSwitched = on;
  const { state } = cpu;
  state.cr0 = on ? state.cr0 | Cr0.TS : state.cr0 & ~Cr0.TS;
  updateUnitTraps(cpu);
}

/** `MSR_*` that a guest kernel may read, with the CPU's own value. */
const READABLE_MSRS: ReadonlySet<number> = new Set([
  0x10, // TIME_STAMP_COUNTER
  0x1a0, // MISC_ENABLE
  0x277, // PAT
  0xc000_0080, // EFER
  0xc000_0100, // FS_BASE
  0xc000_0101, // GS_BASE
  0xc000_0102, // KERNEL_GS_BASE
  0xc000_0103, // TSC_AUX
]);
/** Those that read as zero. */
const ZERO_MSRS: ReadonlySet<number> = new Set([
  0x17, // PLATFORM_ID
  0x8b, // BIOS_SIGN_ID, the microcode's revision
]);
/** IA32_APIC_BASE: enabled, at its usual place. */
const APIC_BASE = { number: 0x1b, low: 0xfee0_0800 | 0 };
const APIC_BASE_BSP = 0x100;

/** Registers of segment bases by their numbers. */
const BASES: ReadonlyMap<number, number> = new Map([
  [0xc000_0100, offsetOf("fsBase")],
  [0xc000_0101, offsetOf("gsBase")],
  [0xc000_0102, offsetOf("kernelGsBase")],
]);
const MSR_TSC_AUX = 0xc000_0103;
/** Writes that are taken and forgotten: BIOS_SIGN_ID, PAT, MISC_ENABLE, and the system-call registers. */
const IGNORED_MSRS: ReadonlySet<number> = new Set([
  0x8b,
  0x1a0,
  0x277,
  0x174,
  0x175,
  0x176,
  0xc000_0081,
  0xc000_0082,
  0xc000_0083,
  0xc000_0084,
]);

function readMsr(cpu: Cpu, vcpu: Vcpu): boolean {
  const { state } = cpu;
  const number = state.u32[RCX >> 2];
  if (vcpu.domain.model === "ilp32" && BASES.has(number)) return false;
  let low = 0;
  let high = 0;
  if (number === APIC_BASE.number) low = APIC_BASE.low | (vcpu.id === 0 ? APIC_BASE_BSP : 0);
  else if (READABLE_MSRS.has(number)) {
    const value = readMsrValue(cpu, number);
    if (value === null) return false;
    ({ low, high } = value);
  } else if (!ZERO_MSRS.has(number)) return false;
  state.setHalves(RAX, low, 0);
  state.setHalves(RDX, high, 0);
  return true;
}

function writeMsr(cpu: Cpu, { domain }: Vcpu): boolean {
  const { state } = cpu;
  const number = state.u32[RCX >> 2];
  const low = state.low(RAX);
  const high = state.low(RDX);
  const base = BASES.get(number);
  if (base !== undefined) {
    // A 32-bit kernel has descriptors for that.
    if (domain.model === "ilp32" || !isCanonical(high)) return false;
    state.setHalves(base, low, high);
    return true;
  }
  if (number === MSR_TSC_AUX) {
    if (high !== 0) return false;
    state.tscAux = low >>> 0;
    return true;
  }
  return IGNORED_MSRS.has(number);
}

function readCr(cpu: Cpu, vcpu: Vcpu): boolean {
  const { state } = cpu;
  switch (argument(cpu, 0)) {
    case 0:
      setResult(cpu, (state.cr0 & ~Cr0.TS) | (vcpu.taskSwitched ? Cr0.TS : 0));
      return true;
    case 2:
      setResult(cpu, vcpu.cr2 | 0, Math.floor(vcpu.cr2 / 0x1_0000_0000));
      return true;
    case 3: {
      const root = vcpu.root ?? 0;
      if (vcpu.domain.model === "ilp32") setResult(cpu, paeCr3Of(root));
      else setResult(cpu, root << 12, root >>> 20);
      return true;
    }
    case 4:
      setResult(cpu, state.cr4);
      return true;
    default:
      return false;
  }
}

function writeCr(cpu: Cpu, vcpu: Vcpu): boolean {
  const { state } = cpu;
  const low = argument(cpu, 1);
  switch (argument(cpu, 0)) {
    case 0: {
      const now = (state.cr0 & ~Cr0.TS) | (vcpu.taskSwitched ? Cr0.TS : 0);
      if (((low ^ now) & ~Cr0.TS) !== 0 || argumentHigh(cpu, 1) !== 0) return false;
      setTaskSwitched(cpu, vcpu, (low & Cr0.TS) !== 0);
      return true;
    }
    case 2:
      vcpu.cr2 = argumentHigh(cpu, 1) * 0x1_0000_0000 + low;
      return true;
    case 4:
      vcpu.cr4 = low & GUEST_CR4;
      state.cr4 = cr4For(cpu, vcpu.cr4);
      updateMode(cpu);
      return true;
    default:
      return false;
  }
}

function setExtendedControl(cpu: Cpu): boolean {
  const { state } = cpu;
  const low = state.u32[RAX >> 2];
  if (state.u32[RCX >> 2] !== 0 || state.u32[RDX >> 2] !== 0) return false;
  if ((low & ~3) !== 0 || (low & 1) === 0) return false;
  state.xcr0 = low;
  return true;
}

/** Whether the guest's I/O privilege level lets its kernel, which counts as ring 1, use ports. */
export function mayUsePorts(vcpu: Vcpu): boolean {
  return vcpu.iopl >= 1;
}

/** IN: no device is behind a port, so that the bus floats. */
function readPort(cpu: Cpu, vcpu: Vcpu): boolean {
  if (!mayUsePorts(vcpu)) return false;
  setResult(cpu, floatingBus(argument(cpu, 1) as PortSize));
  return true;
}

/** The table; see the module comment. */
export const PRIVILEGED: ReadonlyMap<string, Privileged> = new Map<string, Privileged>([
  ["rdmsr", readMsr],
  ["wrmsr", writeMsr],
  ["readCr", readCr],
  ["writeCr", writeCr],
  ["clts", (cpu, vcpu) => {
    setTaskSwitched(cpu, vcpu, false);
    return true;
  }],
  ["xsetbv", setExtendedControl],
  ["wbinvd", () => true],
  ["checkIo", (_, vcpu) => mayUsePorts(vcpu)],
  ["in", readPort],
  ["out", (_, vcpu) => mayUsePorts(vcpu)],
  // Allowed by the I/O privilege level, but without effect: events have a mask of their own. So is CLI, see PvCpu.
  ["sti", (_, vcpu) => mayUsePorts(vcpu)],
]);
