/**
 * A machine without a CPU, for tests of what drives machines: it plays a script of console output and
 * stops, in simulated time.
 */

import { type Cycle, MachineClock } from "../core/clock/clock.ts";
import type { PhysicalAddress } from "../core/lib/brand.ts";
import { expectRecord, type SnapshotRecord } from "../core/lib/snapshot.ts";
import { disassembleBytes } from "./disassembler.ts";
import type {
  CheckpointView,
  CpuView,
  Machine,
  MachineOptions,
  Recording,
  RunOptions,
  ScreenWaitOptions,
  SerialConsole,
  StopReason,
  TraceLine,
} from "./machine_api.ts";
import { GuestProfile } from "./profile/guest_profile.ts";
import { waitForScreen } from "./machine/screen_wait.ts";
import { parseSize } from "./units.ts";

/** What the stand-in does at a cycle. */
export interface ScriptStep {
  readonly at: number;
  readonly print?: string;
  readonly stop?: StopReason;
}

const SLICE_CYCLES = 1000;
const MEMORY_BYTES = 64 * 1024;

/** A machine that plays `script`; after its end it runs idle until a limit or an abort. */
export class MachineStandIn implements Machine {
  readonly clock = new MachineClock();
  readonly name: string;
  readonly devices = [{ name: "uart0", resources: "ports 0x3f8-0x3ff, IRQ 4" }];
  readonly network = null;
  readonly translations = { list: () => [], find: () => [] };
  readonly console: StandInConsole;
  readonly bytes = new Uint8Array(MEMORY_BYTES);
  readonly registers: Record<string, bigint> = { rax: 0x1234n, rip: 0x1000n, rflags: 0x202n };
  readonly cpus: readonly CpuView[];
  running = false;
  lastStop: StopReason | null = null;
  #interrupted = false;
  readonly #events: TraceLine[] = [];
  readonly #traceListeners = new Set<(event: TraceLine) => void>();

  constructor(readonly options: MachineOptions, readonly script: readonly ScriptStep[] = []) {
    this.name = options.name ?? "machine1";
    this.console = new StandInConsole(this);
    const { registers } = this;
    this.cpus = [{ index: 0, mode: "long", codeBits: 64, halted: false, registers }];
    this.bytes.set([0x48, 0x89, 0xd8, 0xf4], 0x1000);
  }

  get now(): Cycle {
    return this.clock.now;
  }

  get change() {
    const { bytes, registers } = this;
    return {
      memory: (address: PhysicalAddress, piece: Uint8Array) => bytes.set(piece, address),
      linear: (_cpu: number, address: bigint, piece: Uint8Array) =>
        bytes.set(piece, Number(address)),
      register: (_cpu: number, name: string, value: bigint) => void (registers[name] = value),
    };
  }

  get memory() {
    const { bytes } = this;
    const readBytes = (address: PhysicalAddress, lengthBytes: number) => {
      if (address + lengthBytes > bytes.length) throw new RangeError(`no RAM at ${address}`);
      return bytes.slice(address, address + lengthBytes);
    };
    return {
      sizeBytes: parseSize(this.options.memory ?? "128MiB"),
      readBytes,
      readLinear: (_cpu: number, address: bigint, lengthBytes: number) =>
        bytes.slice(Number(address), Number(address) + lengthBytes),
    };
  }

  get trace() {
    return {
      hash: this.now.toString(16).padStart(16, "0"),
      counters: { "hot.regions": this.now as number },
      onCounters: () => () => {},
      recent: (count: number) => this.#events.slice(-count),
      onEvent: (listener: (event: TraceLine) => void) => {
        this.#traceListeners.add(listener);
        return () => this.#traceListeners.delete(listener);
      },
    };
  }

  get debugger(): never {
    throw new TypeError("a stand-in has no CPU to debug");
  }

  async run(options: RunOptions = {}): Promise<StopReason> {
    if (this.running) throw new TypeError(`${this.name} is running already`);
    this.running = true;
    this.#interrupted = false;
    try {
      return this.lastStop = await this.#slices(options);
    } finally {
      this.running = false;
    }
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  async step(count = 1): Promise<StopReason> {
    this.registers.rip += BigInt(count);
    return await this.run({ forCycles: count as RunOptions["forCycles"] });
  }

  screen(): string[] {
    return ["stand-in"];
  }

  async waitForScreen(pattern: string | RegExp, options?: ScreenWaitOptions): Promise<string> {
    return await waitForScreen(this, pattern, options);
  }

  pressKeys(...keys: string[]): void {
    this.console.print(`<${keys.join(" ")}>`);
  }

  disassemble(address = this.registers.rip, count = 10) {
    return disassembleBytes(this.bytes.slice(Number(address)), address, 64, count);
  }

  /** A profile without samples: there is no CPU. */
  profile({ everyCycles = 1 } = {}): GuestProfile {
    return new GuestProfile(null, this.clock.frequencyHz, everyCycles, () => {});
  }

  snapshot(): SnapshotRecord {
    return { kind: "stand-in", version: 1, state: { now: this.now } };
  }

  restore(record: SnapshotRecord): void {
    expectRecord(record, "stand-in", 1);
  }

  async save(path: string): Promise<string> {
    await Deno.writeTextFile(path, `${this.name} at ${this.now}\n`);
    return "stand-in";
  }

  record(path: string): Promise<Recording> {
    return Promise.resolve({ path, stop: () => this.emit("record", `${path} ended`) });
  }

  readonly checkpoints: CheckpointView[] = [];

  checkpoint(): CheckpointView {
    const taken = { cycle: this.now };
    this.checkpoints.push(taken);
    return taken;
  }

  seek(cycle: Cycle): Promise<void> {
    return Promise.reject(
      new RangeError(`${this.name} cannot go to cycle ${cycle}: it has no past`),
    );
  }

  async reverseStep(count = 1): Promise<void> {
    await this.seek(this.now - count as Cycle);
  }

  lastWrite(): Promise<null> {
    return Promise.resolve(null);
  }

  async reverseContinue(): Promise<StopReason> {
    await this.seek(0 as Cycle);
    return { kind: "limit" };
  }

  emit(kind: string, text: string): void {
    const event: TraceLine = { cycle: this.now, kind, text, values: [0, 0] };
    this.#events.push(event);
    for (const listener of this.#traceListeners) listener(event);
  }

  async #slices({ untilCycle, forCycles, untilText, signal }: RunOptions): Promise<StopReason> {
    const limit = Math.min(untilCycle ?? Infinity, forCycles ? this.now + forCycles : Infinity);
    const from = this.console.text.length;
    while (this.now < limit) {
      await new Promise((resolve) => setTimeout(resolve));
      if (signal?.aborted || this.#interrupted) return { kind: "aborted" };
      const next = this.script.find(({ at }) => at > this.now)?.at ?? Infinity;
      this.clock.advanceTo(Math.min(next, this.now + SLICE_CYCLES, limit) as Cycle);
      for (const { print, stop } of this.script.filter(({ at }) => at === this.now)) {
        if (print) this.console.print(print);
        if (untilText && this.console.text.slice(from).includes(untilText)) {
          return { kind: "marker", text: untilText };
        }
        if (stop) return stop;
      }
    }
    return { kind: "limit" };
  }
}

class StandInConsole implements SerialConsole {
  text = "";
  /** What was typed so far. */
  typed = "";
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();

  constructor(private readonly machine: MachineStandIn) {}

  onOutput(listener: (bytes: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  send(text: string | Uint8Array): void {
    this.typed += typeof text === "string" ? text : new TextDecoder().decode(text);
  }

  async waitFor(pattern: string | RegExp): Promise<string> {
    if (typeof pattern !== "string") throw new TypeError("the stand-in waits for text only");
    const stop = await this.machine.run({ untilText: pattern });
    if (stop.kind !== "marker") throw new Error(`stopped before ${pattern}: ${stop.kind}`);
    return pattern;
  }

  print(text: string): void {
    this.text += text;
    this.machine.emit("uart", JSON.stringify(text));
    for (const listener of this.#listeners) listener(new TextEncoder().encode(text));
  }
}
