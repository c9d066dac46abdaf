/**
 * Processors, memory and time without a board: for tests whose guest is a page of assembly and whose devices
 * are timers of the test.
 */

import { assertEquals } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { HotEngine, type HotEngineOptions } from "../../core/translate/mod.ts";
import { Trace } from "../../core/trace/trace.ts";
import { ApicBus } from "../../core/x86/apic/mod.ts";
import { assemble } from "../../core/x86/assembler/mod.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { processorAreaBytes } from "../../core/x86/processor_area.ts";
import { Processors } from "../../core/x86/processors.ts";
import { Attribute, Cr0, Cr4, Efer } from "../../core/x86/state/bits.ts";
import { Activity, offsetOf, SEGMENT_REGISTERS } from "../../core/x86/state/layout.ts";
import { stateReplaced } from "../../core/x86/system/mod.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";

/** Every engine, for suites that run on each; the hot one translates whatever it meets. */
export const ENGINES: readonly EngineName[] = ["reference", "cold", "hot"];

/** RAM of a small machine, from address 0. */
export const RAM_BYTES = 4 * 1024 * 1024;
/** More than a machine of this size needs for its code lines. */
const CODE_LINES_BYTES = 0x10_0000;
/** Where programs start. */
export const PROGRAM = 0x1_0000;
/** Where tables lie: IDT, GDT, and the root of the identity map of the first GiB. */
const IDT = 0x2000;
const GDT = 0x3000;
const PML4 = 0x4000;
/** 64-bit code, data: selectors 8 and 16. */
const DESCRIPTORS: readonly (readonly [number, number])[] = [
  [0, 0],
  [0xffff, 0xaf9b00],
  [0xffff, 0xcf9300],
];
const STACK = 0x9000;

/** One CPU in 64-bit mode at CPL 0, its memory mapped one to one, its IDT in the guest's hands. */
export class SmallMachine {
  readonly clock = new MachineClock();
  readonly io = new IoSpace();
  readonly trace = new Trace();
  readonly bus = new ApicBus();
  readonly memory: MachineMemory;
  readonly processors: Processors;

  /** `translator` is for the hot engine, its `passes` for the cold one, too. */
  constructor(engine: EngineName, translator: HotEngineOptions = { hotAfter: 1 }) {
    const romBase = processorAreaBytes(1);
    const ramBase = romBase + 65536;
    const linear = wasmHost.createMemory(ramBase + RAM_BYTES + CODE_LINES_BYTES);
    this.memory = new MachineMemory(linear.buffer, {
      ramBytes: RAM_BYTES,
      lowRamBytes: RAM_BYTES,
      ramBase,
      romBase,
      romBytes: 65536,
      codeLinesBase: ramBase + RAM_BYTES,
    });
    this.processors = new Processors({
      count: 1,
      model: cpuModel("default"),
      engine,
      translator: (parts) => new HotEngine(parts, translator),
      passes: translator.passes,
      host: wasmHost,
      linear,
      memory: this.memory,
      io: this.io,
      clock: this.clock,
      bus: this.bus,
      trace: this.trace,
      acknowledgePic: () => 0,
    });
    this.#enterLongMode();
  }

  get cpu(): Cpu {
    return this.processors.cpus[0];
  }

  /** Assembles `source` (64-bit) at `address`; returns its labels. */
  place(source: string, address = PROGRAM): Readonly<Record<string, bigint>> {
    const { bytes, labels } = assemble(source, { bits: 64, origin: address });
    this.memory.writeBytes(physical(address), bytes);
    return labels;
  }

  /** Installs an interrupt gate. */
  gate(vector: number, offset: bigint | number): void {
    const low = Number(offset);
    this.#words(IDT + 16 * vector, [0x8_0000 | (low & 0xffff), (low & 0xffff0000) | 0x8e00, 0, 0]);
  }

  /** Lets `vector` arrive at the CPU as a message at `cycle`. */
  interruptAt(cycle: number, vector: number): void {
    const timer = this.clock.createTimer(`test.${vector}.${cycle}`, () => {
      this.bus.sendMessage(physical(0xfee0_0000), vector);
    });
    timer.armAt(cycle as Cycle);
  }

  /** Runs until exactly `cycle`, or until the CPU is shut down. */
  runTo(cycle: number): void {
    const { clock, processors } = this;
    while (clock.now < cycle && processors.shutDown === null) {
      const to = Math.min(cycle, clock.nextDeadline);
      const from = clock.now;
      const reached = processors.idle ? to : processors.run(from, Math.max(from + 1, to));
      clock.advanceTo(reached as Cycle);
      clock.runDue();
    }
    if (processors.shutDown === null) assertEquals(clock.now as number, cycle);
  }

  /** Four bytes of RAM. */
  read(address: number): number {
    return this.memory.read(address, 4);
  }

  #words(address: number, words: readonly number[]): void {
    words.forEach((word, i) => this.memory.write(address + 4 * i, 4, word >>> 0));
  }

  #enterLongMode(): void {
    DESCRIPTORS.forEach((words, i) => this.#words(GDT + 8 * i, words));
    this.#words(PML4, [0x5007, 0]);
    this.#words(0x5000, [0x6007, 0]);
    this.#words(0x6000, [0x7007, 0]);
    for (let i = 0; i < 512; i++) this.#words(0x7000 + 8 * i, [i * 4096 | 7, 0]);
    for (let i = 1; i < 512; i++) this.#words(0x6000 + 8 * i, [(i * 0x20_0000 | 0x87) >>> 0, 0]);
    const { cpu } = this;
    const { state } = cpu;
    state.cr0 = Cr0.PE | Cr0.PG | Cr0.ET | Cr0.NE | Cr0.WP;
    state.cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
    state.efer = Efer.LMA | Efer.LME | Efer.SCE;
    state.cr3 = BigInt(PML4);
    state.gdtrBase = BigInt(GDT);
    state.gdtrLimit = DESCRIPTORS.length * 8 - 1;
    state.idtrBase = BigInt(IDT);
    state.idtrLimit = 0xfff;
    for (const name of SEGMENT_REGISTERS.slice(0, 6)) {
      const isCode = name === "cs";
      const put = (part: string, value: number) => {
        state.u32[offsetOf(`${name}${part}` as "csBase") >> 2] = value;
      };
      put("Selector", isCode ? 8 : 16);
      put("Attributes", isCode ? 0x9b | Attribute.long : 0x93 | Attribute.big);
      put("Base", 0);
      put("Last", 0xffff_ffff);
      put("Limit", 0xffff_ffff);
      put("Access", 7);
    }
    state.activity = Activity.active;
    state.rsp = BigInt(STACK);
    state.rip = BigInt(PROGRAM);
    stateReplaced(cpu);
    cpu.apic.writeMmio(0xf0, 4, 0x1ff);
  }
}
