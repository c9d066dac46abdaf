/** A CPU without an engine, for tests of system functions: descriptor tables, stacks, calls, faults. */

import { MachineClock } from "../../../clock/clock.ts";
import { IoSpace } from "../../../memory/io_space.ts";
import { MachineMemory } from "../../../memory/machine_memory.ts";
import { ApicBus } from "../../apic/apic_bus.ts";
import { LocalApic } from "../../apic/local_apic.ts";
import { Cpu } from "../../cpu.ts";
import type { CpuModel } from "../../model/cpu_model.ts";
import { cpuModel } from "../../model/presets.ts";
import { TLB_SIZE_BYTES } from "../../paging/tlb.ts";
import { openCpuState } from "../../state/cpu_state.ts";
import { type FieldName, offsetOf, Status } from "../../state/layout.ts";
import { type SystemFunctionName, SystemFunctions } from "../functions.ts";
import { localApicPort } from "../interrupts.ts";
import { updateMode } from "../mode.ts";
import { resetCpu } from "../reset.ts";
import { SEGMENT_FIELDS } from "../segment_fields.ts";

/** Linear (and physical) addresses of the rig's tables and stacks. */
export const At = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x3000,
  tss2: 0x3800,
  ldt: 0x4000,
  code: 0x5000,
  stack0: 0x8000,
  stack3: 0x9000,
  pml4: 0x10000,
  pdpt: 0x11000,
  directory: 0x12000,
  ist1: 0xa000,
} as const;

/** Selectors of the rig's GDT. */
export const Sel = {
  code0: 0x08,
  data0: 0x10,
  code3: 0x1b,
  data3: 0x23,
  tss: 0x28,
  code64: 0x38,
  user64: 0x43,
  conforming: 0x48,
  code16: 0x50,
  data16: 0x58,
  /** First of the entries that tests fill. */
  spare: 0x60,
  gdtEnd: 0xff,
} as const;

/** What a call did: nothing special, or the exception that it left pending. */
export type Outcome = "done" | { readonly vector: number; readonly error: number | null };

const RAM_BYTES = 0x20_0000;
/** More than a machine of this size needs for its code lines. */
const CODE_LINES_BYTES = 0x10_0000;
const RAM_BASE = 0x40_0000;
/** Linear memory that a rig needs. */
export const RIG_BYTES: number = RAM_BASE + RAM_BYTES + CODE_LINES_BYTES;

/** One CPU over two MiB of RAM. */
export class Rig {
  readonly memory: MachineMemory;
  readonly cpu: Cpu;
  readonly clock = new MachineClock();
  readonly functions = new SystemFunctions();
  readonly io = new IoSpace();
  /** How often the CPU asked to be stopped. */
  stops = 0;

  /** `buffer` has {@link RIG_BYTES} zeros. */
  constructor(model: CpuModel = cpuModel(), buffer: ArrayBufferLike = new ArrayBuffer(RIG_BYTES)) {
    this.memory = new MachineMemory(buffer, {
      ramBytes: RAM_BYTES,
      lowRamBytes: RAM_BYTES,
      ramBase: RAM_BASE,
      romBase: RAM_BASE,
      romBytes: 0,
      codeLinesBase: RAM_BASE + RAM_BYTES,
    });
    const tlbBase = 0x1_0000;
    if (tlbBase + TLB_SIZE_BYTES > RAM_BASE) throw new Error("the TLBs overlap RAM");
    this.cpu = new Cpu(0, openCpuState(buffer, 0), model, {
      memory: this.memory,
      io: this.io,
      cycle: () => this.clock.now,
      requestStop: () => void this.stops++,
      acknowledgePic: () => 0,
      invalidateCode: () => {},
    }, tlbBase);
    this.cpu.apic = new LocalApic({
      id: 0,
      bsp: true,
      clock: this.clock,
      cpu: localApicPort(this.cpu),
      network: new ApicBus(),
    });
    resetCpu(this.cpu);
  }

  get state() {
    return this.cpu.state;
  }

  /** Calls a system function; numbers are zero-extended, bigints taken whole. */
  call(name: SystemFunctionName, ...args: (number | bigint)[]): Outcome {
    args.forEach((value, n) => {
      const field = offsetOf(`argument${n}` as FieldName);
      this.state.set128(field, BigInt.asUintN(64, BigInt(value)));
    });
    return this.outcome(this.functions.call(this.cpu, this.functions.idOf(name)));
  }

  /** The outcome after something that returned whether it succeeded. */
  outcome(done: boolean): Outcome {
    const { state } = this;
    if (done) return "done";
    const error = state.hasErrorCode === 1 ? state.errorCode : null;
    state.status = Status.none;
    return { vector: state.vector, error };
  }

  get result(): bigint {
    return this.state.u64[offsetOf("result") >> 3];
  }

  write(address: number, ...words: number[]): void {
    words.forEach((word, i) => this.memory.write(address + 4 * i, 4, word >>> 0));
  }

  read(address: number, size: 1 | 2 | 4 = 4): number {
    return this.memory.read(address, size);
  }

  /** Eight bytes at `address`. */
  read64(address: number): bigint {
    return BigInt(this.read(address)) | (BigInt(this.read(address + 4)) << 32n);
  }

  /** Writes GDT entry `selector`; `attributes` as in the state (type in the low byte, flags in 15..12). */
  descriptor(selector: number, base: number, limit: number, attributes: number): void {
    this.descriptorAt(At.gdt + (selector & 0xfff8), base, limit, attributes);
  }

  descriptorAt(address: number, base: number, limit: number, attributes: number): void {
    this.write(
      address,
      (limit & 0xffff) | (base << 16),
      ((base >>> 16) & 0xff) | (attributes << 8) | (limit & 0xf0000) | (base & 0xff000000),
    );
  }

  /** Writes a gate at `address`: of an IDT, or a call gate with `count` parameters. */
  gate(address: number, selector: number, offset: number, attributes: number, count = 0): void {
    this.write(
      address,
      (offset & 0xffff) | (selector << 16),
      (offset & 0xffff0000) | (attributes << 8) | count,
    );
  }

  /** Writes IDT entry `vector` of long mode. */
  longGate(vector: number, selector: number, offset: bigint, attributes: number, ist = 0): void {
    const at = At.idt + 16 * vector;
    this.gate(at, selector, Number(offset & 0xffffffffn) | 0, attributes, ist);
    this.write(at + 8, Number(offset >> 32n), 0);
  }

  /** Loads a segment register past all checks. */
  segment(index: number, selector: number, base: number, limit: number, attributes: number): void {
    const { u32 } = this.state;
    const fields = SEGMENT_FIELDS[index];
    u32[fields.selector] = selector;
    u32[fields.base] = base;
    u32[fields.base + 1] = 0;
    u32[fields.attributes] = attributes;
    u32[fields.limit] = limit;
    u32[fields.first] = u32[fields.first + 1] = 0;
    u32[fields.last] = limit;
    u32[fields.last + 1] = 0;
    u32[fields.access] = 7;
  }

  #tables(): void {
    const { state } = this;
    this.descriptor(Sel.code0, 0, 0xfffff, 0xc09b);
    this.descriptor(Sel.data0, 0, 0xfffff, 0xc093);
    this.descriptor(Sel.code3, 0, 0xfffff, 0xc0fb);
    this.descriptor(Sel.data3, 0, 0xfffff, 0xc0f3);
    this.descriptor(Sel.tss, At.tss, 0x2ff, 0x8b);
    this.descriptor(Sel.code64, 0, 0xfffff, 0xa09b);
    this.descriptor(Sel.user64, 0, 0xfffff, 0xa0fb);
    this.descriptor(Sel.conforming, 0, 0xfffff, 0xc09f);
    this.descriptor(Sel.code16, 0, 0xffff, 0x009b);
    this.descriptor(Sel.data16, 0, 0xffff, 0x0093);
    state.gdtrBase = BigInt(At.gdt);
    state.gdtrLimit = Sel.gdtEnd;
    state.idtrBase = BigInt(At.idt);
    state.idtrLimit = 0xfff;
    this.segment(7, Sel.tss, At.tss, 0x2ff, 0x8b);
    // ESP0 and SS0.
    this.write(At.tss + 4, At.stack0, Sel.data0);
    // No I/O permission bitmap.
    this.memory.write(At.tss + 102, 2, 0x300);
  }

  /** Flat 32-bit protected mode without paging at privilege level `cpl`. */
  protectedMode(cpl: 0 | 3 = 0): this {
    const { state } = this;
    this.#tables();
    state.cr0 = 0x11;
    this.#flat(cpl, cpl === 0 ? Sel.code0 : Sel.code3, 0xc09b);
    return this;
  }

  /** 64-bit mode, the first GiB mapped to itself, at privilege level `cpl`. */
  longMode(cpl: 0 | 3 = 0): this {
    const { state } = this;
    this.#tables();
    this.write(At.pml4, At.pdpt | 7, 0);
    this.write(At.pdpt, At.directory | 7, 0);
    for (let i = 0; i < 8; i++) this.write(At.directory + 8 * i, (i << 21) | 0xe7, 0);
    // RSP0 and IST1.
    this.write(At.tss + 4, At.stack0, 0);
    this.write(At.tss + 36, At.ist1, 0);
    state.cr3 = BigInt(At.pml4);
    state.cr4 = 0x220;
    state.efer = 0x501;
    state.cr0 = 0x80010011;
    this.#flat(cpl, cpl === 0 ? Sel.code64 : Sel.user64, 0xa09b);
    return this;
  }

  #flat(cpl: number, code: number, codeAttributes: number): void {
    const { state } = this;
    const dpl = cpl << 5;
    const data = cpl === 0 ? Sel.data0 : Sel.data3;
    this.segment(1, code, 0, 0xffffffff, codeAttributes | dpl);
    for (const index of [0, 2, 3, 4, 5]) this.segment(index, data, 0, 0xffffffff, 0xc093 | dpl);
    state.cpl = cpl;
    state.rsp = BigInt(cpl === 0 ? At.stack0 - 0x100 : At.stack3);
    state.rip = BigInt(At.code);
    state.nextRip = BigInt(At.code + 2);
    updateMode(this.cpu);
  }
}
