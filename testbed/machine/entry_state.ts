/** Puts a CPU into the state in which a load plan says that it starts. */

import type { FlatEntry, LoadPlan, SegmentState } from "../../guests/linux/load_plan.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import { GENERAL_REGISTERS, offsetOf, type SegmentRegister } from "../../core/x86/state/layout.ts";
import { updateMode } from "../../core/x86/system/mod.ts";

/** VMCS access rights: bit 16 marks a segment that cannot be used; the rest is as in a descriptor. */
function loadSegment(cpu: Cpu, name: SegmentRegister, segment: SegmentState): void {
  const { state } = cpu;
  const put = (part: string, value: number) => {
    state.u32[offsetOf(`${name}${part}` as "csLimit") >> 2] = value;
  };
  const putWide = (part: string, value: number) => {
    state.setHalves(offsetOf(`${name}${part}` as "csBase"), value | 0, 0);
  };
  const isCode = (segment.accessRights & 0x18) === 0x18;
  const writable = !isCode && (segment.accessRights & 2) !== 0;
  const readable = !isCode || (segment.accessRights & 2) !== 0;
  put("Selector", segment.selector);
  put("Attributes", segment.accessRights & 0xf0ff);
  put("Limit", segment.limit);
  putWide("Base", segment.base);
  putWide("First", 0);
  putWide("Last", segment.limit >>> 0);
  put("Access", (readable ? 1 : 0) | (writable ? 2 : 0) | 4);
}

function loadFlat(cpu: Cpu, entry: FlatEntry): void {
  const { state } = cpu;
  loadSegment(cpu, "cs", entry.code);
  for (const name of ["ds", "es", "ss", "fs", "gs"] as const) loadSegment(cpu, name, entry.data);
  loadSegment(cpu, "tr", entry.task);
  state.gdtrBase = BigInt(entry.gdt.base);
  state.gdtrLimit = entry.gdt.limit;
  state.cr0 = entry.cr0;
  state.cr4 = entry.cr4;
  state.flags = entry.eflags & ~0x8d5;
  state.rip = BigInt(entry.instructionPointer);
  for (const name of GENERAL_REGISTERS.slice(0, 8)) {
    const value = entry.registers[`e${name.slice(1)}` as "eax"] ?? 0;
    state[name] = BigInt(value >>> 0);
  }
}

/** Makes `cpu`, which comes out of RESET, start as `plan` says. */
export function applyEntry(cpu: Cpu, plan: LoadPlan): void {
  const { entry } = plan;
  const { state } = cpu;
  switch (entry.kind) {
    case "real16":
      loadSegment(cpu, "cs", entry.code);
      state.rip = BigInt(entry.instructionPointer);
      break;
    case "protected32":
      loadFlat(cpu, entry);
      break;
    case "long64":
      loadFlat(cpu, entry);
      state.cr3 = BigInt(entry.cr3);
      state.efer = entry.efer;
      break;
  }
  updateMode(cpu);
}
