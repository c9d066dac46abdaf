/** RDMSR and WRMSR (SDM vol. 4; vol. 2, "RDMSR", "WRMSR"). */

import type { Cpu } from "../cpu.ts";
import { type FieldName, offsetOf, STATE_FIELDS, type WideField } from "../state/layout.ts";
import { Cr0, Efer, Exception } from "../state/bits.ts";
import { APIC_MSR, type MsrValue } from "../apic/local_apic.ts";
import { requirePrivilege } from "./descriptor_tables.ts";
import { isCanonical } from "./memory_access.ts";
import { updateMode } from "./mode.ts";
import { isMtrrType, isPatType, STORED_MSRS, type StoredMsr } from "./msr_tables.ts";
import { readTsc, writeTsc } from "./time_stamp.ts";

const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const RDX = offsetOf("rdx");

/** One register with behaviour of its own. */
interface ActiveMsr {
  readonly number: number;
  readonly name: string;
  readonly feature?: string;
  read(cpu: Cpu): MsrValue;
  /** Returns false for #GP(0), with nothing changed. */
  write(cpu: Cpu, low: number, high: number): boolean;
}

type Check = (low: number, high: number) => boolean;

const anything: Check = () => true;
const canonical: Check = (_low, high) => isCanonical(high);

/** A register that is a field of the CPU state. */
function field(
  number: number,
  name: string,
  fieldName: FieldName,
  feature: string | undefined,
  check: Check = anything,
): ActiveMsr {
  const at = offsetOf(fieldName) >> 2;
  const wide = STATE_FIELDS.get(fieldName)!.type === "i64";
  return {
    number,
    name,
    feature,
    read: ({ state: { u32 } }) => ({ low: u32[at], high: wide ? u32[at + 1] : 0 }),
    write({ state: { u32 } }, low, high) {
      if (!check(low, high)) return false;
      u32[at] = low;
      if (wide) u32[at + 1] = high;
      return true;
    },
  };
}

/** MISC_ENABLE bits that software may change: fast strings, enhanced SpeedStep, limit CPUID. */
const MISC_ENABLE_WRITABLE = 0x1 | 0x10000 | 0x400000;

const isPat: Check = (low, high) => {
  for (let byte = 0; byte < 4; byte++) {
    if (!isPatType((low >>> (8 * byte)) & 0xff) || !isPatType((high >>> (8 * byte)) & 0xff)) {
      return false;
    }
  }
  return true;
};

const MISC_ENABLE = offsetOf("miscEnable" satisfies WideField) >> 2;
const TSC_OFFSET = offsetOf("tscOffset") >> 2;

const ACTIVE: readonly ActiveMsr[] = [
  {
    number: 0x10,
    name: "IA32_TIME_STAMP_COUNTER",
    feature: "tsc",
    read: readTsc,
    write(cpu, low, high) {
      writeTsc(cpu, low, high);
      return true;
    },
  },
  {
    number: 0x3b,
    name: "IA32_TSC_ADJUST",
    feature: "tsc-adjust",
    read: ({ state: { u32 } }) => ({ low: u32[TSC_OFFSET], high: u32[TSC_OFFSET + 1] }),
    write(cpu, low, high) {
      cpu.state.u32[TSC_OFFSET] = low;
      cpu.state.u32[TSC_OFFSET + 1] = high;
      cpu.apic.tscChanged();
      return true;
    },
  },
  field(0x174, "IA32_SYSENTER_CS", "sysenterCs", "sep"),
  field(0x175, "IA32_SYSENTER_ESP", "sysenterEsp", "sep", canonical),
  field(0x176, "IA32_SYSENTER_EIP", "sysenterEip", "sep", canonical),
  {
    number: 0x1a0,
    name: "IA32_MISC_ENABLE",
    read: ({ state: { u32 } }) => ({ low: u32[MISC_ENABLE], high: u32[MISC_ENABLE + 1] }),
    write({ state: { u32 } }, low) {
      const kept = u32[MISC_ENABLE] & ~MISC_ENABLE_WRITABLE;
      u32[MISC_ENABLE] = kept | (low & MISC_ENABLE_WRITABLE);
      return true;
    },
  },
  field(0x277, "IA32_PAT", "pat", "pat", isPat),
  { number: 0xc000_0080, name: "IA32_EFER", read: readEfer, write: writeEfer },
  field(0xc000_0081, "IA32_STAR", "star", "syscall"),
  field(0xc000_0082, "IA32_LSTAR", "lstar", "lm", canonical),
  field(0xc000_0083, "IA32_CSTAR", "cstar", "lm", canonical),
  field(0xc000_0084, "IA32_FMASK", "fmask", "syscall", (_low, high) => high === 0),
  field(0xc000_0100, "IA32_FS_BASE", "fsBase", "lm", canonical),
  field(0xc000_0101, "IA32_GS_BASE", "gsBase", "lm", canonical),
  field(0xc000_0102, "IA32_KERNEL_GS_BASE", "kernelGsBase", "lm", canonical),
  field(0xc000_0103, "IA32_TSC_AUX", "tscAux", "rdtscp", (_low, high) => high === 0),
];

const ACTIVE_BY_NUMBER = new Map(ACTIVE.map((msr) => [msr.number, msr]));

/** Stored registers by vendor and number. */
const STORED_BY_NUMBER = {
  intel: new Map(storedOf("intel")),
  amd: new Map(storedOf("amd")),
};

function storedOf(vendor: "intel" | "amd"): [number, StoredMsr][] {
  return STORED_MSRS.filter((msr) => msr.vendor === undefined || msr.vendor === vendor)
    .map((msr) => [msr.number, msr]);
}

function isApicMsr(number: number): boolean {
  return number === APIC_MSR.APIC_BASE || number === APIC_MSR.TSC_DEADLINE ||
    (number >= APIC_MSR.X2APIC_FIRST && number <= APIC_MSR.X2APIC_LAST);
}

function advertised(cpu: Cpu, feature: string | undefined): boolean {
  return feature === undefined || cpu.model.has(feature);
}

/** The value of a register, or `null` where RDMSR is #GP(0). */
export function readMsrValue(cpu: Cpu, number: number): MsrValue | null {
  if (isApicMsr(number)) return cpu.model.has("apic") ? cpu.apic.readMsr(number) : null;
  const active = ACTIVE_BY_NUMBER.get(number);
  if (active) return advertised(cpu, active.feature) ? active.read(cpu) : null;
  const stored = STORED_BY_NUMBER[cpu.model.behaviour].get(number);
  if (!stored || !advertised(cpu, stored.feature)) return null;
  return { low: cpu.msrs.low(number), high: cpu.msrs.high(number) };
}

/** Writes a register; false where WRMSR is #GP(0), with nothing changed. */
export function writeMsrValue(cpu: Cpu, number: number, low: number, high: number): boolean {
  if (isApicMsr(number)) return cpu.model.has("apic") && cpu.apic.writeMsr(number, low, high);
  const active = ACTIVE_BY_NUMBER.get(number);
  if (active) return advertised(cpu, active.feature) && active.write(cpu, low, high);
  const stored = STORED_BY_NUMBER[cpu.model.behaviour].get(number);
  return stored !== undefined && advertised(cpu, stored.feature) &&
    writeStored(cpu, stored, low, high);
}

function writeStored(cpu: Cpu, msr: StoredMsr, low: number, high: number): boolean {
  const { writes } = msr;
  switch (writes) {
    case "ignored":
      return true;
    case "readOnly":
      return false;
    case "zero":
      if ((low | high) !== 0) return false;
      break;
    case "memoryType":
      if (!isMtrrType(low & 0xff) || high > 0xff || (low & 0x300) !== 0) return false;
      break;
    case "fixedTypes":
      for (let byte = 0; byte < 4; byte++) {
        const shift = 8 * byte;
        if (!isMtrrType((low >>> shift) & 0xff) || !isMtrrType((high >>> shift) & 0xff)) {
          return false;
        }
      }
      break;
    case "any":
      break;
    default:
      if ((low & ~writes.low) !== 0 || (high & ~writes.high) !== 0) return false;
  }
  cpu.msrs.write(msr.number, low, high);
  return true;
}

function readEfer(cpu: Cpu): MsrValue {
  return { low: cpu.state.efer, high: 0 };
}

/** IA32_EFER: LMA is read-only; LME cannot change while paging is on. */
function writeEfer(cpu: Cpu, low: number, high: number): boolean {
  const { state, model } = cpu;
  let allowed: number = Efer.LMA;
  if (model.has("syscall")) allowed |= Efer.SCE;
  if (model.has("lm")) allowed |= Efer.LME;
  if (model.has("nx")) allowed |= Efer.NXE;
  if (high !== 0 || (low & ~allowed) !== 0) return false;
  const changed = low ^ state.efer;
  if ((changed & Efer.LME) !== 0 && (state.cr0 & Cr0.PG) !== 0) return false;
  state.efer = (low & ~Efer.LMA) | (state.efer & Efer.LMA);
  if ((changed & Efer.NXE) !== 0) cpu.mmu.flushEverything();
  updateMode(cpu);
  return true;
}

/** RDMSR: the number is in ECX. */
export function readMsr(cpu: Cpu): void {
  requirePrivilege(cpu);
  const { state } = cpu;
  const value = readMsrValue(cpu, state.u32[RCX >> 2]) ?? cpu.raise(Exception.GP, 0);
  state.setHalves(RAX, value.low, 0);
  state.setHalves(RDX, value.high, 0);
}

/** WRMSR: the number is in ECX. */
export function writeMsr(cpu: Cpu): void {
  requirePrivilege(cpu);
  const { u32 } = cpu.state;
  if (!writeMsrValue(cpu, u32[RCX >> 2], u32[RAX >> 2], u32[RDX >> 2])) {
    cpu.raise(Exception.GP, 0);
  }
}
