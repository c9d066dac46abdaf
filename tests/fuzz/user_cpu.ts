/**
 * A guest CPU in the state of a Linux process: CPL 3, in 64-bit or compatibility mode, with the pages of the oracle
 * mapped and nothing else. It executes the requests of host_process.ts and answers with the same replies.
 */

import { ColdEngine } from "../../core/x86/cold/cold_engine.ts";
import { ALWAYS_PASSES } from "../../core/x86/cold/passing.ts";
import { LOOKUP_BYTES } from "../../core/x86/cold/record.ts";
import { Cpu, type CpuPorts, type Trap } from "../../core/x86/cpu.ts";
import { Decoder } from "../../core/x86/decode/decoder.ts";
import type { Engine } from "../../core/x86/engine.ts";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import type { CpuModel } from "../../core/x86/model/mod.ts";
import { TLB_SIZE_BYTES } from "../../core/x86/paging/tlb.ts";
import { ReferenceEngine } from "../../core/x86/reference/reference_engine.ts";
import { Cr0, Cr4, Efer, Eflags, Exception } from "../../core/x86/state/bits.ts";
import { openCpuState } from "../../core/x86/state/cpu_state.ts";
import { fprOffset, offsetOf, Status, xmmOffset } from "../../core/x86/state/layout.ts";
import { readFlags, writeFlags } from "../../core/x86/system/flags_image.ts";
import { SystemFunctions } from "../../core/x86/system/functions.ts";
import { updateMode } from "../../core/x86/system/mode.ts";
import { resetCpu } from "../../core/x86/system/reset.ts";
import {
  installNull,
  Segment,
  SEGMENT_FIELDS,
  setBounds,
} from "../../core/x86/system/segment_fields.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { HotEngine } from "../../core/translate/mod.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";
import {
  CODE,
  COMPLETED,
  DATA,
  DATA_BYTES,
  FX_BYTES,
  GS_BASE,
  PATCH_BYTES,
  Reply,
  Request,
} from "./host_process.ts";

const MIB = 1 << 20;
const PAGE = 4096;
const STATE_BASE = 4096;
const TLB_BASE = 64 * 1024;
const LOOKUP_BASE = 8 * MIB;
const ARENA_BASE = LOOKUP_BASE + LOOKUP_BYTES;
const ARENA_BYTES = 8 * MIB;
/** The hot engine has a code cache of its own. */
const HOT_LOOKUP_BASE = ARENA_BASE + ARENA_BYTES;
const HOT_ARENA_BASE = HOT_LOOKUP_BASE + LOOKUP_BYTES;
const HOT_ARENA_BYTES = 13 * MIB;
const TABLES_BASE = 32 * MIB;
const HOT_TABLES_BASE = 64 * MIB;
/** So has the engine that executes all code in passing. */
const PASSING_LOOKUP_BASE = 96 * MIB;
const PASSING_ARENA_BASE = PASSING_LOOKUP_BASE + LOOKUP_BYTES;
const PASSING_ARENA_BYTES = MIB;
const PASSING_TABLES_BASE = 100 * MIB;
const RAM_BASE = 128 * MIB;
const RAM_BYTES = 8 * MIB;
/** More than a machine of this size needs for its code lines. */
const CODE_LINES_BYTES = 0x10_0000;
/** Counts so long that nothing is translated but what is told to be. */
const NEVER_HOT = 65535;

/** Physical addresses. */
const At = {
  pml4: 0x1000,
  pdpt: 0x2000,
  directory: 0x3000,
  codeTable: 0x4000,
  dataTable: 0x5000,
  taskState: 0x6000,
  taskDirectory: 0x7000,
  taskTable: 0x8000,
  code: 0x10000,
  data: 0x20000,
  /** Pairs of pages that code can be put into, to be mapped as the code pages. */
  slots: 0x10_0000,
} as const;
/** Pairs of code pages. */
export const SLOTS = 512;
/** Above what 32-bit code reaches. */
const TASK_STATE = 0x3_0000_0000;

const SLOT_BYTES = 2 * PAGE;

const PRESENT_WRITABLE = 3;
const PRESENT_WRITABLE_USER = 7;

/** Selectors and attributes of a Linux process. */
const SEGMENTS = {
  longCode: { selector: 0x33, attributes: 0xa0fb },
  compatibilityCode: { selector: 0x23, attributes: 0xc0fb },
  data: { selector: 0x2b, attributes: 0xc0f3 },
} as const;

/** EFLAGS that a program can change. */
const USER_FLAGS = Eflags.CF | Eflags.PF | Eflags.AF | Eflags.ZF | Eflags.SF | Eflags.DF |
  Eflags.OF | Eflags.NT | Eflags.AC | Eflags.ID;
const MOST_INSTRUCTIONS = 20_000;
const BREAKPOINT = 0xcc;

const GENERAL = offsetOf("rax") >> 2;
const XMM = xmmOffset(0) >> 2;
const FPR = fprOffset(0) >> 2;
const RIP = offsetOf("rip") >> 2;
const FAULT_ADDRESS = offsetOf("faultAddress") >> 2;

/** Code to be put into a slot. */
export interface SlotCode {
  readonly bytes: Uint8Array;
  /** Its offset in the code pages. */
  readonly at: number;
  readonly long: boolean;
}

/** One CPU and its engines. */
export class UserCpu {
  readonly cpu: Cpu;
  readonly decoder: Decoder;
  readonly reference: Engine;
  readonly cold: Engine;
  /** The cold tier without blocks. */
  readonly passing: Engine;
  readonly hot: HotEngine;
  readonly #memory: MachineMemory;
  readonly #data: Uint32Array;
  readonly #before: Uint32Array;
  readonly #pattern: Uint32Array;
  readonly #codeBytes = new Uint8Array(48);
  /** A software interrupt that was raised, or -1. */
  #software = -1;
  #long: boolean | null = null;

  /** `pattern` is what the data pages hold besides each case's patch. */
  constructor(model: CpuModel, pattern: Uint8Array) {
    const linear = wasmHost.createMemory(RAM_BASE + RAM_BYTES + CODE_LINES_BYTES);
    const memory = new MachineMemory(linear.buffer, {
      ramBytes: RAM_BYTES,
      lowRamBytes: RAM_BYTES,
      ramBase: RAM_BASE,
      romBase: RAM_BASE - MIB,
      romBytes: 0,
      codeLinesBase: RAM_BASE + RAM_BYTES,
    });
    this.#memory = memory;
    const ports: CpuPorts = {
      memory,
      io: new IoSpace(),
      cycle: () => 0,
      requestStop: () => {},
      acknowledgePic: () => 0,
      invalidateCode: () => {},
    };
    const cpu = new Cpu(0, openCpuState(linear.buffer, STATE_BASE), model, ports, TLB_BASE);
    if (TLB_BASE + TLB_SIZE_BYTES > LOOKUP_BASE) throw new RangeError("the TLBs do not fit");
    this.cpu = cpu;
    resetCpu(cpu);
    cpu.owner = { trap: (_, trap) => this.#softwareTrap(trap) };
    this.#mapPages();
    const data = memory.readableLinear(At.data as PhysicalAddress);
    this.#data = new Uint32Array(linear.buffer, data, DATA_BYTES >> 2);
    this.#pattern = new Uint32Array(pattern.slice().buffer);
    this.#data.set(this.#pattern);
    this.#before = this.#pattern.slice();
    const functions = new SystemFunctions();
    this.decoder = new Decoder(
      ENCODINGS,
      (feature) => model.has(feature),
      (name) => functions.find(name),
    );
    const { decoder } = this;
    const reference = new ReferenceEngine(decoder, functions);
    this.reference = reference;
    const plan = {
      lookupBase: LOOKUP_BASE,
      arenaBase: ARENA_BASE,
      arenaBytes: ARENA_BYTES,
      tablesBase: TABLES_BASE,
    };
    const parts = { host: wasmHost, linear, cpus: [cpu], decoder, functions, reference, plan };
    this.cold = new ColdEngine({ ...parts, passes: 0 });
    const passingPlan = {
      lookupBase: PASSING_LOOKUP_BASE,
      arenaBase: PASSING_ARENA_BASE,
      arenaBytes: PASSING_ARENA_BYTES,
      tablesBase: PASSING_TABLES_BASE,
    };
    this.passing = new ColdEngine({ ...parts, plan: passingPlan, passes: ALWAYS_PASSES });
    const hotPlan = {
      lookupBase: HOT_LOOKUP_BASE,
      arenaBase: HOT_ARENA_BASE,
      arenaBytes: HOT_ARENA_BYTES,
      tablesBase: HOT_TABLES_BASE,
    };
    this.hot = new HotEngine({ ...parts, plan: hotPlan }, { hotAfter: NEVER_HOT, passes: 0 });
  }

  /** Executes the request at `at` of `requests` on `engine`; writes the reply at the start of `reply`. */
  execute(engine: Engine, requests: Uint8Array, at: number, reply: Uint32Array): void {
    const request = new DataView(requests.buffer, requests.byteOffset + at, Request.sizeBytes);
    this.#load(request);
    this.#loadCode(requests, at, request);
    this.#run(engine, budgetOf(request));
    this.#answer(request, reply);
  }

  /** Puts code into the slots from the first on, in place of all that was there. */
  fillSlots(codes: readonly SlotCode[]): void {
    this.hot.invalidate();
    const pages = new Uint8Array(SLOT_BYTES);
    codes.forEach(({ bytes, at }, slot) => {
      pages.fill(BREAKPOINT);
      pages.set(bytes, at);
      this.#memory.writeBytes(slotAt(slot), pages);
    });
  }

  /** Lets the hot engine translate what is in the slots. */
  translateSlots(codes: readonly SlotCode[]): void {
    for (const long of [true, false]) {
      this.#enterMode(long);
      const places = codes.flatMap((code, slot) =>
        code.long === long ? [this.#memory.readableLinear(slotAt(slot)) + code.at] : []
      );
      this.hot.translate(places, this.cpu.state.modeKey);
    }
  }

  /**
   * Executes the code in a slot from the state of the request at `at` on `engine`, at most `budget` instructions; by
   * default as many as the request says. Writes the reply, and returns the budget that is left.
   */
  executeSlot(
    slot: number,
    engine: Engine,
    requests: Uint8Array,
    at: number,
    reply: Uint32Array,
    budget = -1,
  ): number {
    const request = new DataView(requests.buffer, requests.byteOffset + at, Request.sizeBytes);
    this.#mapCode(slotAt(slot));
    this.#load(request);
    this.#run(engine, budget < 0 ? budgetOf(request) : budget);
    const left = this.cpu.state.budget;
    this.#answer(request, reply);
    this.#mapCode(At.code);
    return left;
  }

  #load(request: DataView): void {
    const { cpu: { state } } = this;
    const { u32 } = state;
    this.#enterMode(request.getUint8(Request.isLong) !== 0);
    for (let i = 0; i < 32; i++) {
      u32[GENERAL + i] = request.getUint32(Request.general + 4 * i, true);
    }
    const flags = request.getUint32(Request.flags, true);
    const alignmentChanges = ((state.flags ^ flags) & Eflags.AC) !== 0;
    writeFlags(state, flags | Eflags.IF, USER_FLAGS | Eflags.IF | Eflags.TF | Eflags.RF);
    if (alignmentChanges) updateMode(this.cpu);
    this.#loadFloating(request);
    const patch = request.getUint32(Request.patchAt, true) >> 2;
    for (let i = 0; i < PATCH_BYTES >> 2; i++) {
      this.#data[patch + i] = this.#before[patch + i] = request.getUint32(
        Request.patch + 4 * i,
        true,
      );
    }
    u32[RIP] = CODE + request.getUint32(Request.codeAt, true);
    u32[RIP + 1] = 0;
  }

  #loadCode(requests: Uint8Array, at: number, request: DataView): void {
    const codeAt = request.getUint32(Request.codeAt, true);
    const code = this.#codeBytes.fill(BREAKPOINT);
    const start = at + Request.code;
    code.set(requests.subarray(start, start + request.getUint8(Request.length)), 16);
    this.#memory.writeBytes(At.code + codeAt - 16 as PhysicalAddress, code);
  }

  #loadFloating(request: DataView): void {
    const { state } = this.cpu;
    const { u32 } = state;
    const fx = Request.fx;
    state.fpuControl = request.getUint16(fx, true);
    const status = request.getUint16(fx + 2, true);
    state.fpuStatus = status & ~0x3800;
    const top = (status >> 11) & 7;
    state.fpuTop = top;
    state.fpuTags = ~request.getUint8(fx + 4) & 0xff;
    state.fpuOpcode = state.fpuCs = state.fpuDs = 0;
    state.fpuIp = state.fpuDp = 0n;
    state.mxcsr = request.getUint32(fx + 24, true);
    for (let i = 0; i < 8; i++) {
      const to = FPR + 4 * ((top + i) & 7);
      const from = fx + 32 + 16 * i;
      u32[to] = request.getUint32(from, true);
      u32[to + 1] = request.getUint32(from + 4, true);
      u32[to + 2] = request.getUint16(from + 8, true);
      u32[to + 3] = 0;
    }
    for (let i = 0; i < 64; i++) u32[XMM + i] = request.getUint32(fx + 160 + 4 * i, true);
  }

  #run(engine: Engine, budget: number): void {
    const { cpu, cpu: { state } } = this;
    this.#software = -1;
    state.status = Status.none;
    state.budget = budget;
    engine.run(cpu);
  }

  /** The owner of ring 0: INT3 and INTO come here. */
  #softwareTrap(trap: Trap): boolean {
    this.#software = trap.vector;
    this.cpu.state.status = Status.stop;
    return true;
  }

  #answer(request: DataView, reply: Uint32Array): void {
    const { cpu: { state } } = this;
    const { u32 } = state;
    const faulted = state.status === Status.exception;
    const end = CODE + request.getUint32(Request.codeAt, true) + request.getUint8(Request.length);
    let vector: number = faulted ? state.vector : this.#software >= 0 ? this.#software : COMPLETED;
    let rip = u32[RIP];
    if (vector === Exception.BP && !faulted && rip === end + 1) {
      vector = COMPLETED;
      rip = end;
    }
    const isPageFault = faulted && vector === Exception.PF;
    reply[Reply.vector >> 2] = vector;
    reply[Reply.error >> 2] = faulted && state.hasErrorCode === 1 ? state.errorCode : 0;
    reply[Reply.address >> 2] = isPageFault ? u32[FAULT_ADDRESS] : 0;
    reply[(Reply.address >> 2) + 1] = isPageFault ? u32[FAULT_ADDRESS + 1] : 0;
    reply[Reply.rip >> 2] = rip;
    reply[(Reply.rip >> 2) + 1] = u32[RIP + 1];
    reply[Reply.flags >> 2] = readFlags(state);
    reply[(Reply.flags >> 2) + 1] = 0;
    for (let i = 0; i < 32; i++) reply[(Reply.general >> 2) + i] = u32[GENERAL + i];
    this.#answerFloating(reply);
    this.#answerMemory(request, reply);
  }

  #answerFloating(reply: Uint32Array): void {
    const { state } = this.cpu;
    const { u32 } = state;
    const fx = Reply.fx >> 2;
    const top = state.fpuTop;
    reply.fill(0, fx, fx + (FX_BYTES >> 2));
    reply[fx] = state.fpuControl | ((state.fpuStatus | (top << 11)) << 16);
    reply[fx + 1] = ~state.fpuTags & 0xff;
    reply[fx + 6] = state.mxcsr;
    for (let i = 0; i < 8; i++) {
      const from = FPR + 4 * ((top + i) & 7);
      const to = fx + 8 + 4 * i;
      reply[to] = u32[from];
      reply[to + 1] = u32[from + 1];
      reply[to + 2] = u32[from + 2] & 0xffff;
    }
    for (let i = 0; i < 64; i++) reply[fx + 40 + i] = u32[XMM + i];
  }

  /** Puts what changed in the data pages into the reply, and the pattern back into the pages. */
  #answerMemory(request: DataView, reply: Uint32Array): void {
    const data = this.#data;
    const before = this.#before;
    let first = 0;
    const words = DATA_BYTES >> 2;
    while (first < words && data[first] === before[first]) first++;
    reply[Reply.changedAt >> 2] = reply[Reply.changedBytes >> 2] = 0;
    if (first < words) {
      let last = words;
      while (data[last - 1] === before[last - 1]) last--;
      this.#putChange(reply, 4 * first, 4 * last);
      for (let i = first; i < last; i++) data[i] = this.#pattern[i];
    }
    const patch = request.getUint32(Request.patchAt, true) >> 2;
    for (let i = patch; i < patch + (PATCH_BYTES >> 2); i++) {
      data[i] = before[i] = this.#pattern[i];
    }
  }

  /** `from` and `to` are the bounds of the changed words; those of the changed bytes lie within. */
  #putChange(reply: Uint32Array, from: number, to: number): void {
    const data = new Uint8Array(this.#data.buffer, this.#data.byteOffset, DATA_BYTES);
    const before = new Uint8Array(this.#before.buffer);
    while (data[from] === before[from]) from++;
    while (data[to - 1] === before[to - 1]) to--;
    reply[Reply.changedAt >> 2] = from;
    reply[Reply.changedBytes >> 2] = to - from;
    const bytes = new Uint8Array(reply.buffer, reply.byteOffset + Reply.sizeBytes);
    bytes.set(data.subarray(from, to));
    bytes.fill(0, to - from, (to - from + 7) & ~7);
  }

  #enterMode(long: boolean): void {
    if (this.#long === long) return;
    this.#long = long;
    const { state } = this.cpu;
    state.cr0 = (Cr0.PG | Cr0.AM | Cr0.WP | Cr0.NE | Cr0.ET | Cr0.MP | Cr0.PE) >>> 0;
    state.cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
    state.efer = Efer.LMA | Efer.LME | Efer.SCE;
    state.cr3 = BigInt(At.pml4);
    state.cpl = 3;
    this.#segment(Segment.cs, long ? SEGMENTS.longCode : SEGMENTS.compatibilityCode);
    for (const index of [Segment.ss, Segment.ds, Segment.es]) this.#segment(index, SEGMENTS.data);
    installNull(state, Segment.fs, 0);
    installNull(state, Segment.gs, 0);
    state.gsBase = BigInt(GS_BASE);
    state.u32[SEGMENT_FIELDS[Segment.tr].selector] = 0x40;
    state.trBase = BigInt(TASK_STATE);
    setBounds(state, Segment.tr, 0x8b, 0x67);
    this.cpu.mmu.flushEverything();
    updateMode(this.cpu);
  }

  #segment(
    index: number,
    { selector, attributes }: { readonly selector: number; readonly attributes: number },
  ): void {
    const { state } = this.cpu;
    const fields = SEGMENT_FIELDS[index];
    state.u32[fields.selector] = selector;
    state.u32[fields.base] = state.u32[fields.base + 1] = 0;
    setBounds(state, index, attributes, 0xffffffff);
  }

  /** Maps two pages from a physical address on as the code pages. */
  #mapCode(physical: number): void {
    for (let page = 0; page < 2; page++) {
      const virtual = CODE + page * PAGE;
      const entry = At.codeTable + 8 * ((virtual >>> 12) & 511);
      this.#memory.write(entry, 4, (physical + page * PAGE) | PRESENT_WRITABLE_USER);
      this.cpu.mmu.flushPage(virtual, 0);
    }
  }

  /** Tables for the code and data pages, and for a task state segment without I/O permission bits. */
  #mapPages(): void {
    const entry = (table: number, index: number, target: number, bits: number) =>
      this.#memory.write(table + 8 * index, 4, target | bits);
    entry(At.pml4, 0, At.pdpt, PRESENT_WRITABLE_USER);
    entry(At.pdpt, 0, At.directory, PRESENT_WRITABLE_USER);
    entry(At.pdpt, TASK_STATE / 0x4000_0000, At.taskDirectory, PRESENT_WRITABLE_USER);
    entry(At.taskDirectory, 0, At.taskTable, PRESENT_WRITABLE_USER);
    entry(At.taskTable, 0, At.taskState, PRESENT_WRITABLE);
    const regions = [
      [CODE, At.codeTable, At.code],
      [DATA, At.dataTable, At.data],
    ] as const;
    for (const [virtual, table, physical] of regions) {
      entry(At.directory, virtual >>> 21, table, PRESENT_WRITABLE_USER);
      for (let page = 0; page < 2; page++) {
        const index = ((virtual >>> 12) & 511) + page;
        entry(table, index, physical + page * PAGE, PRESENT_WRITABLE_USER);
      }
    }
    this.#memory.write(At.taskState + 0x66, 2, 0xffff);
  }
}

/** Physical address of a slot. */
function slotAt(slot: number): PhysicalAddress {
  return At.slots + slot * SLOT_BYTES as PhysicalAddress;
}

/** Instructions that the request lets retire. */
function budgetOf(request: DataView): number {
  return request.getUint8(Request.singleStep) !== 0 ? 1 : MOST_INSTRUCTIONS;
}
