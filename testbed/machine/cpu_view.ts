/** A CPU as scripts see it: registers by name, read-only. */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { Cr0, Efer, Eflags } from "../../core/x86/state/bits.ts";
import {
  Activity,
  GENERAL_REGISTERS,
  offsetOf,
  SEGMENT_REGISTERS,
} from "../../core/x86/state/layout.ts";
import { ModeKey, readFlags } from "../../core/x86/system/mod.ts";
import type { CpuView } from "../machine_api.ts";
import { printAs } from "../tables.ts";
import { describeCpu } from "../views.ts";

const CONTROL = ["cr0", "cr2", "cr3", "cr4", "efer"] as const;

/** The view of one CPU. */
export class CpuWindow implements CpuView {
  readonly #cpu: CpuLook;

  constructor(cpu: CpuLook) {
    this.#cpu = cpu;
  }

  get index(): number {
    return this.#cpu.index;
  }

  get mode(): string {
    const { cr0, flags, efer } = this.#cpu.state;
    if ((cr0 & Cr0.PE) === 0) return "real";
    if ((flags & Eflags.VM) !== 0) return "v8086";
    if ((efer & Efer.LMA) === 0) return "protected";
    return this.codeBits === 64 ? "long" : "compatibility";
  }

  get codeBits(): 16 | 32 | 64 {
    const key = this.#cpu.state.modeKey;
    return (key & ModeKey.long) !== 0 ? 64 : (key & ModeKey.code32) !== 0 ? 32 : 16;
  }

  get halted(): boolean {
    return this.#cpu.state.activity !== Activity.active;
  }

  get registers(): Readonly<Record<string, bigint>> {
    const { state, apic } = this.#cpu;
    const registers: Record<string, bigint> = {};
    for (const name of GENERAL_REGISTERS) registers[name] = state[name];
    registers.rip = state.rip;
    registers.rflags = BigInt(readFlags(this.#cpu.state) >>> 0);
    for (const name of CONTROL) registers[name] = BigInt(state[name]);
    registers.cr8 = BigInt(apic.cr8);
    for (const name of SEGMENT_REGISTERS) {
      registers[name] = BigInt(state.u32[offsetOf(`${name}Selector`) >> 2]);
      registers[`${name}.base`] = state.u64[offsetOf(`${name}Base`) >> 3];
    }
    return registers;
  }
}

printAs(CpuWindow.prototype, describeCpu);
