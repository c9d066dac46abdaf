/**
 * One CPU in 64-bit mode without paging, which runs single instructions on either engine: for tests that compare
 * engines on random states.
 */

import { ColdEngine } from "../../core/x86/cold/cold_engine.ts";
import { LOOKUP_BYTES } from "../../core/x86/cold/record.ts";
import { Cpu, type CpuPorts } from "../../core/x86/cpu.ts";
import { Decoder } from "../../core/x86/decode/decoder.ts";
import type { Engine } from "../../core/x86/engine.ts";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { TLB_SIZE_BYTES } from "../../core/x86/paging/tlb.ts";
import { ReferenceEngine } from "../../core/x86/reference/reference_engine.ts";
import { Cr0, Cr4, Efer } from "../../core/x86/state/bits.ts";
import { openCpuState } from "../../core/x86/state/cpu_state.ts";
import { Status } from "../../core/x86/state/layout.ts";
import { SystemFunctions } from "../../core/x86/system/functions.ts";
import { updateMode } from "../../core/x86/system/mode.ts";
import { resetCpu } from "../../core/x86/system/reset.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";

const MIB = 1 << 20;
const STATE_BASE = 4096;
const TLB_BASE = 64 * 1024;
const LOOKUP_BASE = 8 * MIB;
const ARENA_BASE = LOOKUP_BASE + LOOKUP_BYTES;
const ARENA_BYTES = 8 * MIB;
const TABLES_BASE = 32 * MIB;
const RAM_BASE = 64 * MIB;
const RAM_BYTES = 8 * MIB;
/** More than a machine of this size needs for its code lines. */
const CODE_LINES_BYTES = 0x10_0000;
/** First address of the code under test. */
const CODE = 0x10_0000;
/** Code segment attributes: present, code, readable, 64-bit. */
const LONG_CODE = 0xa09b;

/** Counts how often generated code or the reference leaves for TypeScript. */
class CountingFunctions extends SystemFunctions {
  calls = 0;

  override call(cpu: Cpu, id: number): boolean {
    this.calls++;
    return super.call(cpu, id);
  }
}

/** A CPU and its two engines. */
export class EngineBench {
  readonly cpu: Cpu;
  readonly memory: MachineMemory;
  readonly reference: Engine;
  readonly cold: Engine;
  readonly functions = new CountingFunctions();
  readonly #addresses = new Map<string, number>();
  #nextCode = CODE;

  constructor() {
    const linear = wasmHost.createMemory(RAM_BASE + RAM_BYTES + CODE_LINES_BYTES);
    this.memory = new MachineMemory(linear.buffer, {
      ramBytes: RAM_BYTES,
      lowRamBytes: RAM_BYTES,
      ramBase: RAM_BASE,
      romBase: RAM_BASE - MIB,
      romBytes: 0,
      codeLinesBase: RAM_BASE + RAM_BYTES,
    });
    const ports: CpuPorts = {
      memory: this.memory,
      io: new IoSpace(),
      cycle: () => 0,
      requestStop: () => {},
      acknowledgePic: () => 0,
      invalidateCode: () => {},
    };
    const model = cpuModel("default");
    this.cpu = new Cpu(0, openCpuState(linear.buffer, STATE_BASE), model, ports, TLB_BASE);
    if (TLB_BASE + TLB_SIZE_BYTES > LOOKUP_BASE) throw new RangeError("the TLBs do not fit");
    resetCpu(this.cpu);
    this.#enterLongMode();
    const { functions } = this;
    const decoder = new Decoder(
      ENCODINGS,
      (feature) => model.has(feature),
      (name) => functions.find(name),
    );
    const reference = new ReferenceEngine(decoder, functions);
    this.reference = reference;
    this.cold = new ColdEngine({
      host: wasmHost,
      linear,
      cpus: [this.cpu],
      decoder,
      functions,
      reference,
      plan: {
        lookupBase: LOOKUP_BASE,
        arenaBase: ARENA_BASE,
        arenaBytes: ARENA_BYTES,
        tablesBase: TABLES_BASE,
      },
    });
  }

  #enterLongMode(): void {
    const { state } = this.cpu;
    state.cr0 = Cr0.PE | Cr0.NE | Cr0.ET;
    state.cr4 = Cr4.OSFXSR | Cr4.OSXMMEXCPT;
    state.efer = Efer.LMA;
    state.csAttributes = LONG_CODE;
    state.csBase = 0n;
    state.fpuTags = 0;
    updateMode(this.cpu);
  }

  /** Runs the instruction `code` once on `engine`; whether it completed. */
  run(engine: Engine, code: readonly number[]): boolean {
    const { state } = this.cpu;
    state.rip = BigInt(this.#addressOf(code));
    state.budget = 1;
    state.status = Status.none;
    engine.run(this.cpu);
    return state.status === Status.none;
  }

  /** Where `code` lies; each instruction is put into memory once. */
  #addressOf(code: readonly number[]): number {
    const key = code.join();
    let at = this.#addresses.get(key);
    if (at === undefined) {
      at = this.#nextCode;
      this.#nextCode += 32;
      this.memory.writeBytes(at as PhysicalAddress, Uint8Array.from(code));
      this.#addresses.set(key, at);
    }
    return at;
  }
}
