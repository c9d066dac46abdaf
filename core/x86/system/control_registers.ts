/** MOV to and from control registers, LMSW, SMSW, CLTS, INVLPG, XSETBV (SDM vol. 3, "Control Registers"). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Attribute, Cr0, Cr4, Efer, Exception } from "../state/bits.ts";
import { requirePrivilege } from "./descriptor_tables.ts";
import { argument, argumentHigh, isCanonical, setResult } from "./memory_access.ts";
import { isLong, isLongActive, updateMode, updateUnitTraps } from "./mode.ts";
import { Segment, SEGMENT_FIELDS } from "./segment_fields.ts";

const CR2 = offsetOf("cr2");
const CR3 = offsetOf("cr3");
const RAX = offsetOf("rax") >> 2;
const RCX = offsetOf("rcx") >> 2;
const RDX = offsetOf("rdx") >> 2;

/** Bits of CR0 that exist; the others read as zero. */
const CR0_BITS = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW |
  Cr0.CD | Cr0.PG;

/** Bits of CR4 and the feature that each needs; `null`: every model has it. */
const CR4_BITS: readonly (readonly [bit: number, feature: string | null])[] = [
  [Cr4.TSD, "tsc"],
  [Cr4.DE, "de"],
  [Cr4.PSE, "pse"],
  [Cr4.PAE, "pae"],
  [Cr4.MCE, "mce"],
  [Cr4.PGE, "pge"],
  [Cr4.PCE, null],
  [Cr4.OSFXSR, "fxsr"],
  [Cr4.OSXMMEXCPT, "sse"],
  [Cr4.UMIP, "umip"],
  [Cr4.FSGSBASE, "fsgsbase"],
  [Cr4.OSXSAVE, "xsave"],
  [Cr4.SMEP, "smep"],
  [Cr4.SMAP, "smap"],
];

/** Bits of CR4 whose change drops all translations. */
const CR4_FLUSHING = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.SMEP | Cr4.SMAP;

/** Byte reserved bits of a page-directory-pointer-table entry (SDM vol. 3, "PDPTE Registers"). */
const PDPTE_RESERVED_LOW = 0x1e6;
const PDPTE_RESERVED_HIGH = 0xffffff00;

/** MOV from a control register: argument 0 is its number. */
export function readControlRegister(cpu: Cpu): void {
  requirePrivilege(cpu);
  const { state } = cpu;
  switch (argument(cpu, 0)) {
    case 0:
      return setResult(cpu, state.cr0);
    case 2:
      return setResult(cpu, state.low(CR2), state.high(CR2));
    case 3:
      return setResult(cpu, state.low(CR3), state.high(CR3));
    case 4:
      return setResult(cpu, state.cr4);
    case 8:
      return setResult(cpu, cpu.apic.cr8);
    default:
      cpu.raise(Exception.UD);
  }
}

/** MOV to a control register: arguments are its number and the value, zero-extended. */
export function writeControlRegister(cpu: Cpu): void {
  requirePrivilege(cpu);
  const low = argument(cpu, 1);
  const high = argumentHigh(cpu, 1);
  switch (argument(cpu, 0)) {
    case 0:
      if (high !== 0) cpu.raise(Exception.GP, 0);
      return writeCr0(cpu, low);
    case 2:
      return cpu.state.setHalves(CR2, low, high);
    case 3:
      return writeCr3(cpu, low, high);
    case 4:
      if (high !== 0) cpu.raise(Exception.GP, 0);
      return writeCr4(cpu, low);
    case 8:
      if (high !== 0 || low > 15) cpu.raise(Exception.GP, 0);
      cpu.apic.cr8 = low;
      return;
    default:
      cpu.raise(Exception.UD);
  }
}

function writeCr0(cpu: Cpu, value: number): void {
  const { state } = cpu;
  const old = state.cr0;
  const next = (value & CR0_BITS) | Cr0.ET;
  const paging = (next & Cr0.PG) !== 0;
  if (paging && (next & Cr0.PE) === 0) cpu.raise(Exception.GP, 0);
  if ((next & (Cr0.NW | Cr0.CD)) === Cr0.NW) cpu.raise(Exception.GP, 0);
  const changed = old ^ next;
  let { efer } = state;
  if ((changed & Cr0.PG) !== 0) {
    if (paging && (efer & Efer.LME) !== 0) {
      const csLong = state.u32[SEGMENT_FIELDS[Segment.cs].attributes] & Attribute.long;
      const trWide = state.u32[SEGMENT_FIELDS[Segment.tr].attributes] & 8;
      if ((state.cr4 & Cr4.PAE) === 0 || csLong !== 0 || trWide === 0) cpu.raise(Exception.GP, 0);
      efer |= Efer.LMA;
    } else if (paging) {
      if ((state.cr4 & Cr4.PAE) !== 0) checkPointerTable(cpu, state.low(CR3));
    } else {
      if (isLong(cpu)) cpu.raise(Exception.GP, 0);
      efer &= ~Efer.LMA;
    }
  }
  state.cr0 = next;
  state.efer = efer;
  // Without paging, translations depend on neither PE nor WP: firmware changes PE with every service call.
  if ((changed & Cr0.PG) !== 0 || (paging && (changed & Cr0.WP) !== 0)) cpu.mmu.flush(false);
  if ((changed & ~(Cr0.TS | Cr0.EM | Cr0.MP)) === 0) updateUnitTraps(cpu);
  else updateMode(cpu);
}

function writeCr3(cpu: Cpu, low: number, high: number): void {
  const { state } = cpu;
  // Bits 63..40 lie above MAXPHYADDR.
  if (high > 0xff) cpu.raise(Exception.GP, 0);
  const pae = (state.cr4 & Cr4.PAE) !== 0 && (state.cr0 & Cr0.PG) !== 0;
  if (pae && !isLongActive(cpu)) checkPointerTable(cpu, low);
  state.setHalves(CR3, low, high);
  cpu.mmu.flush(true);
}

function writeCr4(cpu: Cpu, value: number): void {
  const { state, model } = cpu;
  let allowed = 0;
  for (const [bit, feature] of CR4_BITS) {
    if (feature === null || model.has(feature)) allowed |= bit;
  }
  if ((value & ~allowed) !== 0) cpu.raise(Exception.GP, 0);
  if (isLongActive(cpu) && (value & Cr4.PAE) === 0) cpu.raise(Exception.GP, 0);
  const changed = state.cr4 ^ value;
  const pae = (value & Cr4.PAE) !== 0 && (state.cr0 & Cr0.PG) !== 0 && !isLongActive(cpu);
  if (pae && (changed & CR4_FLUSHING) !== 0) checkPointerTable(cpu, state.low(CR3));
  state.cr4 = value;
  if ((changed & CR4_FLUSHING) !== 0) cpu.mmu.flush(false);
  updateMode(cpu);
}

/**
 * PAE paging: loading CR3 loads four entries; reserved bits in a present one raise #GP(0).
 *
 * @deviation The four entries are checked when CR3 is loaded but read again by walks, so that a later change of
 * them in memory may take effect without a load of CR3; SDM vol. 3, "PDPTE Registers".
 */
function checkPointerTable(cpu: Cpu, cr3: number): void {
  for (let i = 0; i < 4; i++) {
    const offset = (cr3 & 0xfe0) + 8 * i;
    const low = cpu.mmu.walker.readTable(cr3 >>> 12, offset);
    const high = cpu.mmu.walker.readTable(cr3 >>> 12, offset + 4);
    if ((low & 1) === 0) continue;
    if ((low & PDPTE_RESERVED_LOW) !== 0 || (high & PDPTE_RESERVED_HIGH) !== 0) {
      cpu.raise(Exception.GP, 0);
    }
  }
}

/** LMSW: argument 0 is the value. PE can be set but not cleared. */
export function loadMachineStatus(cpu: Cpu): void {
  requirePrivilege(cpu);
  const { cr0 } = cpu.state;
  const loaded = argument(cpu, 0) & (Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS);
  writeCr0(cpu, (cr0 & ~(Cr0.MP | Cr0.EM | Cr0.TS)) | loaded);
}

/** SMSW: the result is CR0. */
export function storeMachineStatus(cpu: Cpu): void {
  setResult(cpu, cpu.state.cr0);
}

/** CLTS. */
export function clearTaskSwitched(cpu: Cpu): void {
  requirePrivilege(cpu);
  cpu.state.cr0 &= ~Cr0.TS;
  updateUnitTraps(cpu);
}

/** INVLPG: argument 0 is the linear address, segment base included. */
export function invalidatePage(cpu: Cpu): void {
  requirePrivilege(cpu);
  const high = argumentHigh(cpu, 0);
  if (isCanonical(high)) cpu.mmu.flushPage(argument(cpu, 0) | 0, isLongActive(cpu) ? high | 0 : 0);
}

/** INVD and WBINVD: there is no cache to write back or to lose. */
export function invalidateCaches(cpu: Cpu): void {
  requirePrivilege(cpu);
}

/** XSETBV: ECX selects, EDX:EAX is the value. */
export function setExtendedControl(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr4 & Cr4.OSXSAVE) === 0) cpu.raise(Exception.UD);
  requirePrivilege(cpu);
  const { u32 } = state;
  const low = u32[RAX];
  // x87 must stay; SSE is the only other component.
  if (u32[RCX] !== 0 || u32[RDX] !== 0 || (low & ~3) !== 0 || (low & 1) === 0) {
    cpu.raise(Exception.GP, 0);
  }
  state.xcr0 = low;
}

/** XGETBV: ECX selects. */
export function getExtendedControl(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr4 & Cr4.OSXSAVE) === 0) cpu.raise(Exception.UD);
  if (state.u32[RCX] !== 0) cpu.raise(Exception.GP, 0);
  state.setHalves(RAX << 2, state.xcr0, 0);
  state.setHalves(RDX << 2, 0, 0);
}
