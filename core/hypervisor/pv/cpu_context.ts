/**
 * A virtual CPU's registers on and off a physical CPU.
 *
 * The whole state moves, except for what belongs to the physical CPU itself. System registers are the hypervisor's:
 * long mode, the virtual CPU's own part of the GDT area, no IDT and no task, so that whatever a guest does in ring 3
 * that its tables do not allow comes back as a trap.
 */

import { FLAT, FLAT32 } from "../../abi/arch_x86.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Cr0, Cr4, Efer, Eflags } from "../../x86/state/bits.ts";
import { type CpuState, openCpuState } from "../../x86/state/cpu_state.ts";
import {
  type NarrowField,
  offsetOf,
  PLACE_FIELDS,
  STATE_FIELDS,
  type WideField,
} from "../../x86/state/layout.ts";
import { Segment, SEGMENT_FIELDS, setBounds } from "../../x86/system/segment_fields.ts";
import { stateReplaced } from "../../x86/system/mod.ts";
import { FIRST_RESERVED_GDT_PAGE } from "../../abi/arch_x86.ts";
import { MXCSR_DEFAULT, X87_CONTROL_DEFAULT } from "./fpu_defaults.ts";

/** Fields that stay with the physical CPU. */
const MACHINE_FIELDS: readonly (NarrowField | WideField)[] = [
  "index",
  "budget",
  "status",
  "activity",
  "interruptRequest",
  "signals",
  "a20Mask",
  "fastPaths",
  ...PLACE_FIELDS,
];
/** Their words. */
const MACHINE_INDEXES = MACHINE_FIELDS.flatMap((name) => {
  const first = offsetOf(name) >> 2;
  return STATE_FIELDS.get(name)!.type === "i64" ? [first, first + 1] : [first];
});
const CR3 = offsetOf("cr3");
const CR3_INDEX = CR3 >> 2;

/** Attributes (see state/layout.ts) of the flat segments of ring 3. */
export const FLAT_CODE64 = 0xa0fb;
export const FLAT_DATA = 0xc0f3;
/** Those of ring 1. */
const RING1_CODE32 = 0xc0bb;
const RING1_DATA = 0xc0b3;

/** CR0 while guests run. */
export const PV_CR0: number = Cr0.PG | Cr0.PE | Cr0.WP | Cr0.NE | Cr0.ET | Cr0.MP | Cr0.AM;
/** CR4 bits that are always set while guests run, as far as the CPU model has them. */
export const PV_CR4: number = Cr4.PAE | Cr4.PGE | Cr4.DE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
/** CR4 bits that a guest kernel may choose. */
export const GUEST_CR4: number = Cr4.TSD | Cr4.FSGSBASE;
/** EFER by the guest's data model: a 32-bit guest has no SYSCALL, but runs in long mode's compatibility mode. */
const PV_EFER: Readonly<Record<DataModel, number>> = {
  lp64: Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE,
  ilp32: Efer.LME | Efer.LMA | Efer.NXE,
};

/** CR4 as the CPU has it for a guest that chose `guestCr4`. */
export function cr4For(cpu: Cpu, guestCr4: number): number {
  return PV_CR4 | (cpu.model.has("xsave") ? Cr4.OSXSAVE : 0) | (guestCr4 & GUEST_CR4);
}

/** Fills `registers` with what a virtual CPU starts from; `gdtAddress` is that of its GDT. */
export function initialRegisters(
  cpu: Cpu,
  registers: Uint8Array,
  model: DataModel,
  gdtAddress: number,
): void {
  registers.fill(0);
  const state = openCpuState(registers.buffer as ArrayBuffer, 0);
  state.cr0 = PV_CR0;
  state.cr4 = cr4For(cpu, 0);
  state.efer = PV_EFER[model];
  state.flags = Eflags.IF | 2;
  state.zeroSource = 1n;
  state.signSource = 1n;
  state.gdtrBase = BigInt.asUintN(64, BigInt(gdtAddress));
  state.gdtrLimit = (FIRST_RESERVED_GDT_PAGE + 1) * 4096 - 1;
  state.xcr0 = 1;
  state.pat = cpu.state.pat;
  state.mxcsr = MXCSR_DEFAULT;
  state.fpuControl = X87_CONTROL_DEFAULT;
  state.fpuTags = 0xff;
  state.dr6 = 0xffff_0ff0;
  state.dr7 = 0x400;
  for (let index = 0; index < SEGMENT_FIELDS.length; index++) {
    state.u32[SEGMENT_FIELDS[index].first] = 1;
  }
  if (model === "lp64") {
    state.cpl = 3;
    flatSegment(state, Segment.cs, FLAT.KERNEL_CS, FLAT_CODE64);
    flatSegment(state, Segment.ss, FLAT.KERNEL_SS, FLAT_DATA);
  } else {
    state.cpl = 1;
    flatSegment(state, Segment.cs, FLAT32.KERNEL_CS, RING1_CODE32);
    flatSegment(state, Segment.ss, FLAT32.KERNEL_DS, RING1_DATA);
  }
  // A busy 64-bit task state segment with no room for an I/O map.
  setBounds(state, Segment.tr, 0x8b, 0);
}

function flatSegment(state: CpuState, index: number, selector: number, attributes: number): void {
  state.u32[SEGMENT_FIELDS[index].selector] = selector;
  setBounds(state, index, attributes, 0xffffffff);
}

/** Copies the CPU's state to `registers`. */
export function saveRegisters(cpu: Cpu, registers: Uint8Array): void {
  registers.set(cpu.state.u8);
}

/** Puts `registers` onto the CPU. Translations go, unless the tables are the same. */
export function loadRegisters(cpu: Cpu, registers: Uint8Array): void {
  const { u32, u8 } = cpu.state;
  const kept = MACHINE_INDEXES.map((index) => u32[index]);
  u8.set(registers);
  MACHINE_INDEXES.forEach((index, i) => u32[index] = kept[i]);
  stateReplaced(cpu);
}

/** Loads CR3 with the top-level table `root`. Global translations stay if `keepGlobal`. */
export function loadRoot(cpu: Cpu, root: number, keepGlobal: boolean): void {
  const { i32 } = cpu.state;
  i32[CR3_INDEX] = root << 12;
  i32[CR3_INDEX + 1] = root >>> 20;
  cpu.mmu.flush(keepGlobal);
}
