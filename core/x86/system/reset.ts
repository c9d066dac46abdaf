/** Power-on, RESET, INIT and start-up state (SDM vol. 3, "Processor State After Power-Up, Reset, or INIT"). */

import type { Cpu } from "../cpu.ts";
import { cpuidLeaf } from "../model/cpuid_leaves.ts";
import { Activity, offsetOf, STATE_FIELDS } from "../state/layout.ts";
import { Cr0 } from "../state/bits.ts";
import { Dr6, Dr7 } from "./debug_conditions.ts";
import { watchBreakpoints } from "./debug_registers.ts";
import { EFLAGS_FIXED, writeStatusFlags } from "./flags_image.ts";
import { updateMode } from "./mode.ts";
import { installReal, Segment, SEGMENT_FIELDS, setBounds } from "./segment_fields.ts";

/** IA32_PAT after RESET: WB, WT, UC-, UC, twice. */
const PAT_RESET = 0x0007_0406_0007_0406n;
/** IA32_MISC_ENABLE: fast strings; no branch trace store, no precise sampling; MONITOR is bit 18. */
const MISC_ENABLE_RESET = 0x1801n;
const MISC_ENABLE_MONITOR = 0x40000n;
const MXCSR_RESET = 0x1f80;
/** The x87 control word after RESET (FNINIT makes it 0x37f). */
const FPU_CONTROL_RESET = 0x40;
const FIRST_GENERAL = offsetOf("rax") >> 2;
const XMM = offsetOf("xmm") >> 2;
const FPR = offsetOf("fpr") >> 2;

/** Fields that RESET clears and INIT does not touch. */
const MSR_FIELDS = [
  "tscAux",
  "sysenterCs",
  "sysenterEsp",
  "sysenterEip",
  "star",
  "lstar",
  "cstar",
  "fmask",
  "kernelGsBase",
] as const;

/** RESET: the power-on state. The bootstrap processor runs, the others wait for a start-up IPI. */
export function resetCpu(cpu: Cpu): void {
  const { state } = cpu;
  const { u32 } = state;
  for (let i = 0; i < 16 * 4; i++) u32[XMM + i] = 0;
  for (let i = 0; i < 8 * 4; i++) u32[FPR + i] = 0;
  state.fpuControl = FPU_CONTROL_RESET;
  state.fpuStatus =
    state.fpuTop =
    state.fpuTags =
    state.fpuOpcode =
      0;
  state.fpuCs = state.fpuDs = 0;
  state.fpuIp = state.fpuDp = 0n;
  state.mxcsr = MXCSR_RESET;
  state.xcr0 = 1;
  for (const name of MSR_FIELDS) clear(cpu, offsetOf(name), STATE_FIELDS.get(name)!.type);
  state.pat = PAT_RESET;
  state.miscEnable = MISC_ENABLE_RESET | (cpu.model.has("monitor") ? MISC_ENABLE_MONITOR : 0n);
  cpu.msrs.reset();
  state.cr0 = 0;
  state.signals = 0;
  // The board may gate A20 afterwards.
  state.a20Mask = 0xffffffff;
  initCpu(cpu);
  state.cr0 = Cr0.CD | Cr0.NW | Cr0.ET;
  cpu.mmu.flushEverything();
  updateMode(cpu);
}

/** INIT: as RESET, but floating point, cache control, MSRs and the time-stamp counter stay. */
export function initCpu(cpu: Cpu): void {
  const { state } = cpu;
  const { u32 } = state;
  for (let i = 0; i < 16 * 2; i++) u32[FIRST_GENERAL + i] = 0;
  const context = { apicId: 0, apicEnabled: true, osXsave: false };
  state.rdx = BigInt(cpuidLeaf(cpu.model, 1, 0, context)[0]);
  state.flags = EFLAGS_FIXED;
  writeStatusFlags(state, 0);
  state.cpl = 0;
  state.cr0 = (state.cr0 & (Cr0.CD | Cr0.NW)) | Cr0.ET;
  state.cr2 = state.cr3 = 0n;
  state.cr4 = state.efer = 0;
  state.dr0 =
    state.dr1 =
    state.dr2 =
    state.dr3 =
      0n;
  state.dr6 = Dr6.fixed;
  state.dr7 = Dr7.fixed;
  for (const index of [Segment.es, Segment.cs, Segment.ss, Segment.ds, Segment.fs, Segment.gs]) {
    setBounds(state, index, 0x93, 0xffff);
    installReal(state, index, 0);
  }
  startAt(cpu, 0xf000, 0xffff0000, 0xfff0);
  resetSystemSegment(cpu, Segment.ldtr, 0x82);
  resetSystemSegment(cpu, Segment.tr, 0x8b);
  state.gdtrBase = state.idtrBase = 0n;
  state.gdtrLimit = state.idtrLimit = 0xffff;
  state.inhibit =
    state.nmiBlocked =
    state.debugPending =
    state.monitorArmed =
      0;
  state.status = 0;
  state.activity = cpu.index === 0 ? Activity.active : Activity.waitForSipi;
  cpu.mmu.flushEverything();
  watchBreakpoints(cpu);
  updateMode(cpu);
}

/** To be called after the fields of the state were replaced (a restored snapshot): redoes what derives from them. */
export function stateReplaced(cpu: Cpu): void {
  cpu.mmu.flushEverything();
  watchBreakpoints(cpu);
  updateMode(cpu);
}

/** A start-up IPI: a waiting CPU begins in real mode at `vector` x 4096. */
export function startCpu(cpu: Cpu, vector: number): void {
  if (cpu.state.activity !== Activity.waitForSipi) return;
  startAt(cpu, vector << 8, vector << 12, 0);
  cpu.state.activity = Activity.active;
  updateMode(cpu);
}

function startAt(cpu: Cpu, selector: number, base: number, ip: number): void {
  const { state } = cpu;
  const fields = SEGMENT_FIELDS[Segment.cs];
  state.u32[fields.selector] = selector;
  state.u32[fields.base] = base;
  state.u32[fields.base + 1] = 0;
  setBounds(state, Segment.cs, 0x93, 0xffff);
  state.rip = state.nextRip = BigInt(ip);
}

function resetSystemSegment(cpu: Cpu, index: number, attributes: number): void {
  const { state } = cpu;
  const fields = SEGMENT_FIELDS[index];
  state.u32[fields.selector] = 0;
  state.u32[fields.base] = state.u32[fields.base + 1] = 0;
  setBounds(state, index, attributes, 0xffff);
}

function clear(cpu: Cpu, offset: number, type: "i64" | "u32" | "v128"): void {
  cpu.state.u32[offset >> 2] = 0;
  if (type === "i64") cpu.state.u32[(offset >> 2) + 1] = 0;
}
