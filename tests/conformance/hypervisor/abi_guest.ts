/**
 * A paravirtual guest that makes whatever hypercalls a test lists.
 *
 * Its kernel is a loop in ring 3, or in ring 1 of a 32-bit guest: it takes calls from a page, makes them with SYSCALL or
 * INT 0x82, and stores the results. The test writes arguments into the guest's memory and reads what came back, so that each case is a row of a table and still
 * goes the whole way from the guest's registers.
 */

import { trap_info } from "../../../core/abi/arch_x86.ts";
import { callback_register, CALLBACKTYPE, SHUTDOWN } from "../../../core/abi/operations.ts";
import { start_info } from "../../../core/abi/xen.ts";
import type { SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { HYPERCALL, type HypercallName } from "../../../core/abi/hypercalls.ts";
import type { MachineFrame } from "../../../core/abi/ids.ts";
import type {
  DataModel,
  Fields,
  StructLayout,
  StructValue,
} from "../../../core/abi/struct_layout.ts";
import type { Cycles } from "../../../core/clock/clock.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { concatBytes } from "../../../guests/linux/layout.ts";
import { Host, type HostDomain } from "../../../testbed/host/host.ts";
import {
  ABI_KERNELS,
  CALL_BYTES,
  CALLS,
  END,
  EVENTS,
  FLAG,
  FRAME,
  SNIPPET,
  START,
  TRAPS,
} from "./abi_kernels.ts";
import { pvKernel, VIRT_BASE } from "./pv_kernel.ts";

export { VIRT_BASE };

/** Eight pages of zeros that tests may use as they like. */
export const SCRATCH = VIRT_BASE + 0x8000;
const MAX_CALLS = 64;
const PAGE_BYTES = 4096;
/** Pages for snippets, and a stack for entries from programs. */
export const SNIPPETS = SCRATCH + 0x4000;
export const KERNEL_STACK = SCRATCH + 0x8000;
const PATIENCE_CYCLES = 5_000_000;
const SLICE = 2000 as Cycles;

/** What of a data model the guest itself must know: selectors, and bits of a long. */
const MODELS = {
  lp64: { kernelCs: 0xe033, kernelStack: 0, bits: 64 },
  ilp32: { kernelCs: 0xe019, kernelStack: 0xe021, bits: 32 },
} as const;
/** Both data models, for tests that hold for either. */
export const DATA_MODELS: readonly DataModel[] = ["lp64", "ilp32"];

/** Arguments of 64 bits, which a 32-bit guest passes as two (`xen.h`). */
const WIDE_ARGUMENTS: Partial<Record<HypercallName, readonly number[]>> = {
  update_descriptor: [0, 1],
  update_va_mapping: [1],
  set_timer_op: [0],
};

/** A call by name, and its arguments. */
export type Call = readonly [name: HypercallName, ...args: readonly (number | bigint)[]];

/** What an exception frame holds, from the stack pointer up; an error code lies before RIP. */
const FRAME_FIELDS = {
  lp64: ["rcx", "r11", "rip", "cs", "rflags", "rsp", "ss"],
  ilp32: ["rip", "cs", "rflags", "rsp", "ss"],
} as const;
export type FrameField = (typeof FRAME_FIELDS)["lp64"][number] | "error";

/** How a guest is made. */
export interface AbiGuestOptions {
  /** Default: `lp64`. */
  readonly model?: DataModel;
  /** The cost profile of a new host; default: `free`. */
  readonly profile?: string;
  /** Virtual CPUs; the kernel uses the first. Default: 1. */
  readonly vcpus?: number;
}

/** The result of a call that a guest which ended did not come to. */
const NOT_MADE = -4096n;

/** What a test does while its guest works. */
export interface Patience {
  /** Called while the calls are not done and the guest waits. */
  readonly whenIdle?: () => void;
  /** The guest may shut down instead of making all calls. */
  readonly mayEnd?: boolean;
}

function assertDone(result: number): void {
  if (result !== 0) throw new Error(`a preparation was refused: ${result}`);
}

/** See the module comment. */
export class AbiGuest {
  readonly model: DataModel;
  readonly #frames: ReadonlyMap<number, MachineFrame>;

  private constructor(readonly host: Host, readonly domain: HostDomain) {
    this.model = domain.domain.model;
    const { frames, map } = host.hypervisor;
    const own = [...frames.framesOf(domain.id)];
    this.#frames = new Map(
      own.map((frame): [number, MachineFrame] => [map.pfnOf(frame), frame])
        .filter(([pfn]) => pfn < 2 ** 32 - 1),
    );
  }

  /** A new host with one such guest. */
  static async start(
    { model, profile = "free", vcpus }: AbiGuestOptions = {},
  ): Promise<AbiGuest> {
    return await AbiGuest.join(await Host.boot({ memory: "32MiB", profile }), model, vcpus);
  }

  /** Another such guest on a host. */
  static async join(host: Host, model: DataModel = "lp64", vcpus = 1): Promise<AbiGuest> {
    const domain = await host.create({
      name: "abi",
      kernel: pvKernel(ABI_KERNELS[model].bytes, model),
      memory: "8MiB",
      vcpus,
    });
    const guest = new AbiGuest(host, domain);
    guest.poke64(CALLS, BigInt(END));
    await guest.#finish();
    return guest;
  }

  /** The guest goes to sleep, and what it was goes into a record. */
  async suspend(): Promise<SnapshotRecord> {
    const { hypervisor } = this.host;
    const address = Number(this.peekLong(START));
    // As a kernel does before it sleeps: its rings by pseudo-physical numbers.
    const { model } = this;
    const bytes = this.peek(address, start_info.sizeBytes(model));
    const { console_mfn, store_mfn } = start_info.read(bytes, 0, model);
    const pfn = (frame: number) => hypervisor.map.pfnOf(frame);
    const rings = { console_mfn: pfn(console_mfn), store_mfn: pfn(store_mfn) };
    start_info.write(bytes, rings, 0, model);
    this.poke(address, bytes);
    this.poke64(SCRATCH, BigInt(SHUTDOWN.suspend));
    const frame = BigInt(this.frameAt(address));
    this.#list([[BigInt(HYPERCALL.sched_op), 2n, BigInt(SCRATCH), frame]]);
    await this.host.run({ forCycles: PATIENCE_CYCLES as Cycles, untilShutdown: this.domain });
    return this.host.save(this.domain);
  }

  /** The guest that is the first domain of a host from a file. */
  static on(host: Host): AbiGuest {
    return new AbiGuest(host, host.domains[0]);
  }

  /** A guest out of a record, awake. */
  static async wake(host: Host, record: SnapshotRecord): Promise<AbiGuest> {
    const guest = new AbiGuest(host, host.restoreDomain(record));
    await guest.#finish();
    return guest;
  }

  /** Linear addresses of the guest's handlers. */
  get labels(): Readonly<Record<string, bigint>> {
    return ABI_KERNELS[this.model].labels;
  }

  /** Makes one call; the result is signed. */
  async call(name: HypercallName, ...args: readonly (number | bigint)[]): Promise<number> {
    const [result] = await this.calls([[name, ...args]]);
    return Number(result);
  }

  /** Makes calls one after the other. */
  async calls(calls: readonly Call[], patience: Patience = {}): Promise<bigint[]> {
    if (calls.length > MAX_CALLS) throw new RangeError(`at most ${MAX_CALLS} calls at once`);
    this.#list(calls.map((call) => callWords(this.model, call)));
    if (patience.mayEnd) {
      calls.forEach((_, i) => this.pokeLongs(CALLS + i * CALL_BYTES + 48, NOT_MADE));
    }
    await this.#finish(patience);
    const { bits } = MODELS[this.model];
    return calls.map((_, i) => BigInt.asIntN(bits, this.peek64(CALLS + i * CALL_BYTES + 48)));
  }

  /**
   * Runs code in the guest's kernel until it returns or traps; the result is RAX. RBX, in a 32-bit guest EBP, must be
   * kept. Each vector of `vectors` leads to the handler, with its privilege level; so do system calls of programs.
   */
  async run(source: string, vectors: Readonly<Record<number, number>> = {}): Promise<bigint> {
    const { kernelCs, kernelStack, bits } = MODELS[this.model];
    const { bytes } = assemble(source, { bits, origin: SNIPPETS });
    const { handler } = this.labels;
    const traps = Object.entries(vectors).map(([vector, flags]) =>
      trap_info.toBytes(
        { vector: Number(vector), flags, cs: kernelCs, address: handler },
        this.model,
      )
    );
    this.poke(SCRATCH, concatBytes([...traps, trap_info.toBytes({}, this.model)]));
    assertDone(await this.call("set_trap_table", SCRATCH));
    if (this.model === "lp64") {
      const callback = { type: CALLBACKTYPE.syscall, address: handler };
      this.poke(SCRATCH + 0x800, callback_register.toBytes(callback));
      assertDone(await this.call("callback_op", 0, SCRATCH + 0x800));
    }
    assertDone(await this.call("stack_switch", kernelStack, KERNEL_STACK));
    this.poke(SNIPPETS, bytes);
    this.#list([[BigInt(SNIPPET), BigInt(SNIPPETS)]]);
    await this.#finish();
    return this.peek64(CALLS + 48);
  }

  /** The frame that the handler last found. */
  frame(withErrorCode: boolean): Readonly<Record<FrameField, bigint>> {
    const fields: FrameField[] = [...FRAME_FIELDS[this.model]];
    if (withErrorCode) fields.splice(fields.indexOf("rip"), 0, "error");
    const longBytes = MODELS[this.model].bits / 8;
    return Object.fromEntries(
      fields.map((name, i) => [name, this.peekLong(FRAME + longBytes * i)]),
    ) as Record<FrameField, bigint>;
  }

  /** Machine frame of a pseudo-physical frame. */
  frameOf(pfn: number): MachineFrame {
    const frame = this.#frames.get(pfn);
    if (frame === undefined) throw new RangeError(`the guest has no frame ${pfn}`);
    return frame;
  }

  /** Machine frame of the page at a linear address of the initial mapping. */
  frameAt(address: number): MachineFrame {
    return this.frameOf(Math.floor((address - VIRT_BASE) / PAGE_BYTES));
  }

  poke(address: number, bytes: Uint8Array): void {
    // Pages that lie behind each other do so in the guest's eyes only.
    for (let at = 0; at < bytes.length;) {
      const offset = (address + at) % PAGE_BYTES;
      const part = bytes.subarray(at, at + PAGE_BYTES - offset);
      this.host.hypervisor.memory.writeBytes(this.frameAt(address + at), offset, part);
      at += part.length;
    }
  }

  peek(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.host.hypervisor.memory.readBytes(this.frameAt(address), address % PAGE_BYTES, bytes);
    return bytes;
  }

  poke64(address: number, ...values: readonly bigint[]): void {
    const view = new DataView(new ArrayBuffer(8 * values.length));
    values.forEach((value, i) => view.setBigUint64(8 * i, BigInt.asUintN(64, value), true));
    this.poke(address, new Uint8Array(view.buffer));
  }

  peek64(address: number): bigint {
    const bytes = this.peek(address, 8);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** Writes words as wide as the guest's longs. */
  pokeLongs(address: number, ...values: readonly bigint[]): void {
    this.poke(address, longs(...values)(this.model));
  }

  peekLong(address: number): bigint {
    return BigInt.asUintN(MODELS[this.model].bits, this.peek64(address));
  }

  /** Traps that reached the guest's handler, and events. */
  get trapsTaken(): number {
    return Number(this.peekLong(FLAG + TRAPS));
  }

  get eventsTaken(): number {
    return Number(this.peekLong(FLAG + EVENTS));
  }

  #list(entries: readonly (readonly bigint[])[]): void {
    entries.forEach((words, i) => {
      const at = CALLS + i * CALL_BYTES;
      for (let n = 0; n < 6; n++) this.poke64(at + 8 * n, words[n] ?? 0n);
    });
    this.poke64(CALLS + entries.length * CALL_BYTES, BigInt(END));
    this.poke64(FLAG, 0n);
  }

  /** Runs until the guest has worked off its list. */
  async #finish({ whenIdle, mayEnd = false }: Patience = {}): Promise<void> {
    const { clock } = this.host.hardware;
    const limit = clock.now + PATIENCE_CYCLES;
    while (this.peek64(FLAG) === 0n) {
      if (mayEnd && this.domain.domain.shutdown !== null) return;
      if (clock.now >= limit || this.domain.domain.shutdown !== null) {
        throw new Error(`the guest does not answer: ${this.domain.domain.crashMessage}`);
      }
      await this.host.run({ forCycles: SLICE });
      if (this.domain.domain.vcpus[0].sched.state === "blocked") whenIdle?.();
    }
  }
}

/** Number and arguments of a call as words, as a guest of the data model passes them. */
export function callWords(model: DataModel, [name, ...args]: Call): bigint[] {
  const wide = model === "ilp32" ? WIDE_ARGUMENTS[name] ?? [] : [];
  const halves = (value: bigint) => [BigInt.asUintN(32, value), BigInt.asUintN(32, value >> 32n)];
  const words = args.map(BigInt).flatMap((arg, n) => wide.includes(n) ? halves(arg) : [arg]);
  return [BigInt(HYPERCALL[name]), ...words];
}

/** What a test puts into a guest's memory, by the guest's data model. */
export type Given = (model: DataModel) => Uint8Array;

/** Words as wide as the guest's longs. */
export function longs(...values: readonly bigint[]): Given {
  return (model) => {
    const bytes = MODELS[model].bits / 8;
    const view = new DataView(new ArrayBuffer(bytes * values.length));
    values.forEach((value, i) => {
      if (bytes === 8) view.setBigUint64(8 * i, BigInt.asUintN(64, value), true);
      else view.setUint32(4 * i, Number(BigInt.asUintN(32, value)), true);
    });
    return new Uint8Array(view.buffer);
  };
}

/** Words of 64 bits in either data model. */
export function words64(...values: readonly bigint[]): Given {
  return () => longs(...values)("lp64");
}

/** Structures one behind the other. */
export function structs<F extends Fields>(
  layout: StructLayout<F>,
  ...values: readonly Partial<StructValue<F>>[]
): Given {
  return (model) => concatBytes(values.map((value) => layout.toBytes(value, model)));
}
