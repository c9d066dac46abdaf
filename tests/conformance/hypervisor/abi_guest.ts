/**
 * A paravirtual guest that makes whatever hypercalls a test lists.
 *
 * Its kernel is a loop in ring 3: it takes calls from a page, makes them with SYSCALL, and stores the results. The test
 * writes arguments into the guest's memory and reads what came back, so that each case is a row of a table and still
 * goes the whole way from the guest's registers.
 */

import { SHUTDOWN } from "../../../core/abi/operations.ts";
import { start_info } from "../../../core/abi/xen.ts";
import type { SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { HYPERCALL, type HypercallName } from "../../../core/abi/hypercalls.ts";
import type { MachineFrame } from "../../../core/abi/ids.ts";
import type { Cycles } from "../../../core/clock/clock.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { Host, type HostDomain } from "../../../testbed/host/host.ts";
import { CODE, pvKernel, VIRT_BASE } from "./pv_kernel.ts";

export { VIRT_BASE };

/** Pages for tests, by linear address: calls, then free space. */
const CALLS = VIRT_BASE + 0x4000;
const FLAG = VIRT_BASE + 0x3000;
/** Eight pages of zeros that tests may use as they like. */
export const SCRATCH = VIRT_BASE + 0x8000;
/** One call: number, five arguments, result, padding. */
const CALL_BYTES = 64;
const MAX_CALLS = 64;
const PAGE_BYTES = 4096;
/** The number that means: run the code at the first argument. */
const SNIPPET = -2;
/** Where the handler puts the frame that it found on its stack. */
const FRAME = FLAG + 0x100;
const FRAME_WORDS = 10;
/** Where the kernel keeps the address of its start information. */
const START = FLAG + 0x200;
/** Pages for snippets, and a stack for entries from programs. */
export const SNIPPETS = SCRATCH + 0x4000;
const KERNEL_STACK = SCRATCH + 0x8000;
const PATIENCE_CYCLES = 5_000_000;
const SLICE = 2000 as Cycles;

const SOURCE = `
entry:  mov [${START}], rsi   ; start_info
again:  mov rbx, ${CALLS}
next:   mov rax, [rbx]
        cmp rax, -1
        je done
        cmp rax, ${SNIPPET}
        je snippet
        mov rdi, [rbx + 8]
        mov rsi, [rbx + 16]
        mov rdx, [rbx + 24]
        mov r10, [rbx + 32]
        mov r8, [rbx + 40]
        syscall
behind: mov [rbx + 48], rax
        add rbx, ${CALL_BYTES}
        jmp next
snippet:
        mov [${FLAG} + 40], rsp
        call [rbx + 8]
        jmp behind
done:   mov qword [${FLAG}], 1
wait:   mov eax, ${HYPERCALL.sched_op}
        xor edi, edi
        xor esi, esi
        syscall
        cmp qword [${FLAG}], 0
        jne wait
        jmp again
handler:                      ; of traps and callbacks: keeps the frame, and goes on behind the snippet
        inc qword [${FLAG} + 8]
        mov rsi, rsp
        mov edi, ${FRAME}
        mov ecx, ${FRAME_WORDS}
        rep movsq
        mov rsp, [${FLAG} + 40]
        jmp behind
event:                        ; ends the list
        inc qword [${FLAG} + 24]
        jmp done
`;

/** A call by name, and its arguments. */
export type Call = readonly [name: HypercallName, ...args: readonly (number | bigint)[]];

/** What an exception frame holds, from the stack pointer up; an error code lies before RIP. */
const FRAME_FIELDS = ["rcx", "r11", "rip", "cs", "rflags", "rsp", "ss"] as const;
export type FrameField = (typeof FRAME_FIELDS)[number] | "error";

function assertDone(result: number): void {
  if (result !== 0) throw new Error(`a preparation was refused: ${result}`);
}

/** See the module comment. */
export class AbiGuest {
  readonly #frames: ReadonlyMap<number, MachineFrame>;

  private constructor(readonly host: Host, readonly domain: HostDomain) {
    const { frames, map } = host.hypervisor;
    const own = [...frames.framesOf(domain.id)];
    this.#frames = new Map(
      own.map((frame): [number, MachineFrame] => [map.pfnOf(frame), frame])
        .filter(([pfn]) => pfn < 2 ** 32 - 1),
    );
  }

  /** A new host with one such guest. */
  static async start(profile = "free"): Promise<AbiGuest> {
    return await AbiGuest.join(await Host.boot({ memory: "32MiB", profile }));
  }

  /** Another such guest on a host. */
  static async join(host: Host): Promise<AbiGuest> {
    const domain = await host.create({
      name: "abi",
      kernel: pvKernel(ASSEMBLED.bytes),
      memory: "8MiB",
    });
    const guest = new AbiGuest(host, domain);
    guest.poke64(CALLS, -1n);
    await guest.#finish();
    return guest;
  }

  /** The guest goes to sleep, and what it was goes into a record. */
  async suspend(): Promise<SnapshotRecord> {
    const { hypervisor } = this.host;
    const address = Number(BigInt.asIntN(64, this.peek64(START)));
    // As a kernel does before it sleeps: its rings by pseudo-physical numbers.
    const bytes = this.peek(address, start_info.sizeBytes());
    const { console_mfn, store_mfn } = start_info.read(bytes);
    const pfn = (frame: number) => hypervisor.map.pfnOf(frame);
    start_info.write(bytes, { console_mfn: pfn(console_mfn), store_mfn: pfn(store_mfn) });
    this.poke(address, bytes);
    this.poke64(SCRATCH, BigInt(SHUTDOWN.suspend));
    const frame = BigInt(this.frameAt(address));
    this.#list([[BigInt(HYPERCALL.sched_op), 2n, BigInt(SCRATCH), frame]]);
    await this.host.run({ forCycles: PATIENCE_CYCLES as Cycles, untilShutdown: this.domain });
    return this.host.save(this.domain);
  }

  /** A guest out of a record, awake. */
  static async wake(host: Host, record: SnapshotRecord): Promise<AbiGuest> {
    const guest = new AbiGuest(host, host.restoreDomain(record));
    await guest.#finish();
    return guest;
  }

  /** Linear addresses of the guest's handlers. */
  get labels(): Readonly<Record<string, bigint>> {
    return ASSEMBLED.labels;
  }

  /** Makes one call; the result is signed. */
  async call(name: HypercallName, ...args: readonly (number | bigint)[]): Promise<number> {
    const [result] = await this.calls([[name, ...args]]);
    return Number(result);
  }

  /** Makes calls one after the other. */
  async calls(calls: readonly Call[]): Promise<bigint[]> {
    if (calls.length > MAX_CALLS) throw new RangeError(`at most ${MAX_CALLS} calls at once`);
    this.#list(calls.map(([name, ...args]) => [BigInt(HYPERCALL[name]), ...args.map(BigInt)]));
    await this.#finish();
    return calls.map((_, i) => BigInt.asIntN(64, this.peek64(CALLS + i * CALL_BYTES + 48)));
  }

  /**
   * Runs code in the guest's kernel until it returns or traps; the result is RAX. RBX must be kept. Each vector of
   * `vectors` leads to the handler, with its privilege level; so do system calls of programs.
   */
  async run(source: string, vectors: Readonly<Record<number, number>> = {}): Promise<bigint> {
    const { bytes } = assemble(source, { bits: 64, origin: SNIPPETS });
    const handler = this.labels.handler;
    const entries = Object.entries(vectors).flatMap(([vector, level]) => [
      BigInt(vector) | BigInt(level) << 8n | 0xe033n << 16n,
      handler,
    ]);
    this.poke64(SCRATCH, ...entries, 0n, 0n);
    this.poke64(SCRATCH + 0x800, 2n, handler);
    assertDone(await this.call("set_trap_table", SCRATCH));
    assertDone(await this.call("callback_op", 0, SCRATCH + 0x800));
    assertDone(await this.call("stack_switch", 0, KERNEL_STACK));
    this.poke(SNIPPETS, bytes);
    this.#list([[BigInt(SNIPPET), BigInt(SNIPPETS)]]);
    await this.#finish();
    return this.peek64(CALLS + 48);
  }

  /** The frame that the handler last found. */
  frame(withErrorCode: boolean): Readonly<Record<FrameField, bigint>> {
    const fields = withErrorCode
      ? [...FRAME_FIELDS.slice(0, 2), "error", ...FRAME_FIELDS.slice(2)]
      : FRAME_FIELDS;
    return Object.fromEntries(
      fields.map((name, i) => [name, this.peek64(FRAME + 8 * i)]),
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
    this.host.hypervisor.memory.writeBytes(this.frameAt(address), address % PAGE_BYTES, bytes);
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

  /** Traps that reached the guest's handler, and events. */
  get trapsTaken(): number {
    return Number(this.peek64(FLAG + 8));
  }

  get eventsTaken(): number {
    return Number(this.peek64(FLAG + 24));
  }

  #list(entries: readonly (readonly bigint[])[]): void {
    entries.forEach((words, i) => {
      const at = CALLS + i * CALL_BYTES;
      for (let n = 0; n < 6; n++) this.poke64(at + 8 * n, words[n] ?? 0n);
    });
    this.poke64(CALLS + entries.length * CALL_BYTES, -1n);
    this.poke64(FLAG, 0n);
  }

  /** Runs until the guest has worked off its list. */
  async #finish(): Promise<void> {
    const { clock } = this.host.hardware;
    const limit = clock.now + PATIENCE_CYCLES;
    while (this.peek64(FLAG) === 0n) {
      if (clock.now >= limit || this.domain.domain.shutdown !== null) {
        throw new Error(`the guest does not answer: ${this.domain.domain.crashMessage}`);
      }
      await this.host.run({ forCycles: SLICE });
    }
  }
}

const ASSEMBLED = assemble(SOURCE, { bits: 64, origin: CODE });
