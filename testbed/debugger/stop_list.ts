/**
 * The stops of one machine, and which of them are met: the debugger's side of {@link DebugPort}.
 *
 * What happens within an instruction is only noted; it is judged, conditions included, at the boundary behind it. There
 * the machine stops, and its run ends with what was met.
 */

import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { DebugControl } from "../../core/x86/debugging/debug_control.ts";
import type { DebugPort } from "../../core/x86/debugging/debug_port.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { codeAddress } from "../../core/x86/sampling.ts";
import { offsetOf } from "../../core/x86/state/layout.ts";
import type { CpuView, StopReason } from "../machine_api.ts";
import type { CpuNews } from "./cpu_news.ts";
import { MemoryWatch } from "./memory_watch.ts";
import {
  checkCondition,
  describeCondition,
  type StopCondition,
  type StopHit,
  type StopOptions,
  type StopPoint,
} from "./stop_conditions.ts";
import { TableWatch } from "./table_watch.ts";

const CPL = offsetOf("cpl") >> 2;
const RCX = offsetOf("rcx");
const ARGUMENT0 = offsetOf("argument0") >> 2;
const FIRST_INTERRUPT = 32;
/** More stops than this have no use, and each is looked at when one is met. */
const MAX_STOPS = 1000;

/** System functions that enter the kernel or return from it. */
const CALLS: readonly string[] = ["syscall", "sysenter", "iret", "sysret", "sysexit"];
/** Kinds that system functions or traps are compared with, as they happen. */
const SEEN_AT_ONCE: readonly StopCondition["kind"][] = ["msr", "control", "ring", "trap"];
/** System functions that write control register 0 besides MOV. */
const CR0_WRITERS = ["clts", "lmsw"];

/** A stop of the machine at one boundary. */
export interface MetStop {
  readonly cpu: number;
  readonly cycle: number;
  /** Linear address of the CPU's next instruction. */
  readonly address: bigint;
  /** What was met; empty behind a single step. */
  readonly hits: readonly StopHit[];
  /** Whether none of it was set by a user: a step has ended. */
  readonly isStep: boolean;
  /** What a condition threw. */
  readonly failure?: unknown;
}

/** How a run ends that was stopped. Throws what a condition threw. */
export function stopReasonOf({ failure, cpu, address, hits, isStep }: MetStop): StopReason {
  if (failure !== undefined) throw failure;
  return isStep ? { kind: "limit" } : { kind: "breakpoint", cpu, address, hits };
}

interface Entry {
  readonly id: number;
  readonly condition: StopCondition;
  readonly options: StopOptions;
  /** Whether it is part of a step. */
  readonly internal: boolean;
  hits: number;
}

/** What the processors are told to look out for. */
export type StopControl = Pick<DebugControl, "setCodeStops" | "setWatchpoints" | "attach">;

/** What the list needs of its machine. */
export interface StopListParts {
  readonly control: StopControl;
  readonly memory: MachineMemory;
  readonly cpus: readonly CpuLook[];
  readonly views: readonly CpuView[];
  /** Whether the machine runs: outside of runs nothing is noted. */
  running(): boolean;
  now(): number;
}

/** The stops of one machine. */
export class StopList implements DebugPort {
  readonly #parts: StopListParts;
  readonly #memory: MemoryWatch;
  readonly #entries = new Map<number, Entry>();
  readonly #tables = new Map<number, TableWatch>();
  /** Whether nobody is told, and nothing is counted: what happens has happened before. */
  muted = false;
  #nextId = 1;
  /** The next boundary of a CPU at or after a cycle of its own at which to stop, besides all stops. */
  #awaited: { readonly cpu: number; readonly cycle: number } | null = null;
  /** Stops that were met since the last boundary. */
  readonly #noted = new Set<number>();
  readonly #met: MetStop[] = [];
  readonly #listeners = new Set<(news: CpuNews) => void>();
  /** The privilege level of each CPU at the last look. */
  #levels: number[] = [];
  #ignored = false;
  /** The only stop that counts, if there is one. */
  #only: number | null = null;

  constructor(parts: StopListParts) {
    this.#parts = parts;
    this.#memory = new MemoryWatch(parts.memory, (id) => this.#note(id));
  }

  /** Adds a stop; throws `RangeError` if it names what cannot be, or if there are too many. */
  add(condition: StopCondition, options: StopOptions = {}, internal = false): number {
    checkCondition(condition);
    const { cpus } = this.#parts;
    if (options.cpu !== undefined && !cpus[options.cpu]) {
      throw new RangeError(`there is no CPU ${options.cpu}; there are ${cpus.length}`);
    }
    if (this.#entries.size >= MAX_STOPS) {
      throw new RangeError(`there are ${MAX_STOPS} stops already: remove some`);
    }
    const id = this.#nextId;
    if (condition.kind === "pageTable") {
      this.#tables.set(id, new TableWatch(id, cpus[options.cpu ?? 0], condition.address));
    }
    this.#nextId++;
    this.#entries.set(id, { id, condition, options, internal, hits: 0 });
    try {
      this.#install();
    } catch (error) {
      this.remove(id);
      throw error;
    }
    return id;
  }

  /** Removes a stop; false if there is none of that number. */
  remove(id: number): boolean {
    this.#tables.delete(id);
    if (!this.#entries.delete(id)) return false;
    this.#install();
    return true;
  }

  /** Calls `listener` with changes of ring and calls of the kernel, the rings of the moment first. */
  listen(listener: (news: CpuNews) => void): () => void {
    this.#listeners.add(listener);
    this.#lookAtLevels();
    this.#attach();
    for (const { index, state } of this.#parts.cpus) {
      listener({ cpu: index, cycle: this.#parts.now(), ring: state.u32[CPL] });
    }
    return () => {
      this.#listeners.delete(listener);
      this.#attach();
    };
  }

  /** Replaces several stops at once, so that nothing is decoded anew for those that stay. */
  exchange(remove: readonly number[], add: readonly StopCondition[]): number[] {
    for (const condition of add) checkCondition(condition);
    for (const id of remove) this.#entries.delete(id);
    const ids = add.map((condition) => {
      const id = this.#nextId++;
      this.#entries.set(id, { id, condition, options: {}, internal: false, hits: 0 });
      return id;
    });
    this.#install();
    return ids;
  }

  /** Lets `body` run the machine until CPU `cpu` is between two instructions or events, at or after its cycle `cycle`. */
  async whileAwaiting<Result>(
    cpu: number,
    cycle: number,
    body: () => Promise<Result>,
  ): Promise<Result> {
    this.#awaited = { cpu, cycle };
    this.#attach();
    try {
      return await body();
    } finally {
      this.#awaited = null;
      this.#attach();
    }
  }

  nextLook(cpu: number, cycle: number): number {
    return this.#awaited?.cpu === cpu ? Math.max(cycle + 1, this.#awaited.cycle) : Infinity;
  }

  get hearsEvents(): boolean {
    return this.#listeners.size > 0 ||
      [...this.#entries.values()].some(({ condition }) => SEEN_AT_ONCE.includes(condition.kind));
  }

  /** Those that a user has set. */
  list(): StopPoint[] {
    return [...this.#entries.values()].filter(({ internal }) => !internal)
      .map(({ id, condition, options, hits }) => ({ id, condition, options, hits }));
  }

  /** The first stop that was met and not yet told, or null. */
  take(): MetStop | null {
    return this.#met.shift() ?? null;
  }

  /** Counts stops that the machine has stopped at. */
  count(met: readonly { readonly id: number }[]): void {
    for (const { id } of met) {
      const entry = this.#entries.get(id);
      if (entry) entry.hits++;
    }
  }

  /** Forgets what was met and not told: the machine is elsewhere now. */
  forget(): void {
    this.#met.length = 0;
    this.#noted.clear();
    this.#lookAtLevels();
    for (const table of this.#tables.values()) table.lookAgain();
    if (this.#tables.size > 0) this.#installWatches();
  }

  /** Lets `body` run the machine over all stops: it goes where it has been. */
  async whileIgnored<Result>(body: () => Promise<Result>): Promise<Result> {
    this.#ignored = true;
    try {
      return await body();
    } finally {
      this.#ignored = false;
      this.forget();
    }
  }

  /** Lets `body` run the machine with a stop of its own, and over all others. */
  async whileOnly<Result>(condition: StopCondition, body: () => Promise<Result>): Promise<Result> {
    const id = this.#only = this.add(condition);
    try {
      return await body();
    } finally {
      this.#only = null;
      this.remove(id);
      this.forget();
    }
  }

  /** A port was accessed by the CPU that runs. */
  portAccess(port: number): void {
    this.#noteAll(({ condition }) => condition.kind === "port" && condition.port === port);
  }

  /** Events between turns may have stored to watched memory. */
  afterEvents(cycle: number): void {
    if (this.#noted.size > 0) this.#judge(this.#parts.cpus[0], cycle, [...this.#noted]);
  }

  // ---- what the processors tell and ask ----

  stopsBefore(cpu: CpuLook, cycle: number): boolean {
    if (this.#ignored) return false;
    const address = BigInt.asUintN(64, codeAddress(cpu));
    const ids = [...this.#entries.values()]
      .filter(({ condition }) =>
        condition.kind === "code" && BigInt.asUintN(64, condition.address) === address
      )
      .map(({ id }) => id);
    return this.#judge(cpu, cycle, ids);
  }

  stopsAfter(cpu: CpuLook, cycle: number): boolean {
    const level = cpu.state.u32[CPL];
    if (level !== this.#levels[cpu.index]) {
      this.#levels[cpu.index] = level;
      this.#tell({ cpu: cpu.index, cycle, ring: level });
      this.#noteAll(({ condition }) => condition.kind === "ring");
    }
    const isStepped = this.#awaited?.cpu === cpu.index && cycle >= this.#awaited.cycle;
    if (this.#noted.size === 0 && !isStepped) return false;
    return this.#judge(cpu, cycle, [...this.#noted], isStepped);
  }

  trap(_cpu: CpuLook, vector: number): void {
    this.#noteAll(({ condition }) =>
      condition.kind === "trap" && (condition.vector ?? vector) === vector &&
      (condition.vector !== null || vector < FIRST_INTERRUPT)
    );
  }

  system(cpu: CpuLook, name: string): void {
    const { state } = cpu;
    if (state.u32[CPL] !== this.#levels[cpu.index]) cpu.ports.requestStop();
    if (this.#listeners.size > 0) {
      if (CALLS.includes(name)) {
        this.#tell({ cpu: cpu.index, cycle: cpu.ports.cycle(), call: name });
      }
    }
    if (name === "rdmsr" || name === "wrmsr") {
      const msr = state.low(RCX) >>> 0;
      this.#noteAll(({ condition }) =>
        condition.kind === "msr" && (condition.msr === null || condition.msr === msr)
      );
    }
    if (name !== "writeCr" && !CR0_WRITERS.includes(name)) return;
    const register = name === "writeCr" ? state.u32[ARGUMENT0] : 0;
    this.#noteAll(({ condition }) =>
      condition.kind === "control" && condition.register === register
    );
  }

  // ---- how that is judged ----

  #tell(news: CpuNews): void {
    if (!this.#parts.running() || this.muted) return;
    for (const listener of this.#listeners) listener(news);
  }

  #noteAll(isMet: (entry: Entry) => boolean): void {
    for (const entry of this.#entries.values()) if (isMet(entry)) this.#note(entry.id);
  }

  #note(id: number): void {
    if (this.#ignored || !this.#parts.running()) return;
    this.#noted.add(id);
    for (const { ports } of this.#parts.cpus) ports.requestStop();
  }

  /** Whether the machine stops, for stops `ids` that were met or for a step that has ended. */
  #judge(cpu: CpuLook, cycle: number, ids: readonly number[], isStepped = false): boolean {
    this.#noted.clear();
    const place = { cpu: cpu.index, cycle, address: codeAddress(cpu) };
    const met: Entry[] = [];
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (!entry) continue;
      try {
        if (this.#isMet(entry, cpu)) met.push(entry);
      } catch (error) {
        const name = `the condition of stop ${id} (${describeCondition(entry.condition)})`;
        const text = error instanceof Error ? error.message : String(error);
        const failure = new Error(`${name} failed: ${text}`, { cause: error });
        this.#met.push({ ...place, hits: [], isStep: false, failure });
        return true;
      }
    }
    if (met.length === 0 && !isStepped) return false;
    if (!this.muted) this.count(met);
    const told = met.filter(({ internal }) => !internal);
    const hits = told.map(({ id, condition }) => ({ id, condition }));
    this.#met.push({ ...place, hits, isStep: told.length === 0 });
    return true;
  }

  #isMet({ id, options, condition }: Entry, cpu: CpuLook): boolean {
    if (this.#only !== null && this.#only !== id) return false;
    if (options.cpu !== undefined && options.cpu !== cpu.index) return false;
    if (condition.kind === "pageTable") {
      if (!this.#tables.get(id)!.changed()) return false;
      this.#installWatches();
    }
    return options.condition === undefined || options.condition(this.#parts.views[cpu.index]);
  }

  // ---- what the machine is told to look out for ----

  #install(): void {
    const { control } = this.#parts;
    const conditions = [...this.#entries.values()].map(({ condition }) => condition);
    control.setCodeStops(
      conditions.flatMap((condition) => condition.kind === "code" ? [condition.address] : []),
    );
    this.#installWatches();
    this.#lookAtLevels();
    this.#attach();
  }

  #attach(): void {
    const watches = this.#entries.size > 0 || this.#awaited !== null || this.#listeners.size > 0;
    this.#parts.control.attach(watches ? this : null);
  }

  #installWatches(): void {
    const watched = [...this.#entries.values()].flatMap(({ id, condition }) =>
      condition.kind !== "watch" ? [] : [{
        ...condition,
        id,
        onRead: condition.on !== "write",
        onWrite: condition.on !== "read",
      }]
    );
    const tables = [...this.#tables.values()].flatMap(({ stretches }) => stretches);
    this.#parts.control.setWatchpoints(
      this.#memory.replace([...watched, ...tables]),
      (_cpu, watchpoint) => this.#note(this.#memory.ownerOf(watchpoint)),
    );
  }

  #lookAtLevels(): void {
    this.#levels = this.#parts.cpus.map(({ state }) => state.u32[CPL]);
  }
}
