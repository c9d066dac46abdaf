/**
 * The debugger of one machine: stops, steps, and views of what a CPU sees. The guest cannot notice it, and neither does
 * the trace hash.
 */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { Efer } from "../../core/x86/state/bits.ts";
import { codeAddress } from "../../core/x86/sampling.ts";
import { type KernelCode, writeSymbolElf } from "../../guests/linux/mod.ts";
import type { DebugTarget, RunOptions, StopReason } from "../machine_api.ts";
import type { CpuNews } from "./cpu_news.ts";
import { backTrace, type StackFrame } from "./back_trace.ts";
import type { Debugger, WatchOptions } from "./debugger_api.ts";
import { type DescriptorTables, descriptorTables } from "./descriptor_tables.ts";
import { evaluateAddress, registerOf } from "./expression.ts";
import { type PageWalk, pageWalk } from "./page_walk.ts";
import type { StopCondition, StopOptions, StopPoint } from "./stop_conditions.ts";
import { StopList, type StopListParts } from "./stop_list.ts";
import { Symbols } from "./symbols.ts";
import { tlbEntries, type TlbEntryView } from "./tlb_entries.ts";

/** Instructions behind which control comes back: those that call, and those that repeat. */
const RETURNING = ["call", "rep", "loop"];

/** What the debugger needs of its machine. */
export interface DebuggerParts extends StopListParts {
  readonly machine: DebugTarget;
  kernelCode(): KernelCode | null;
}

/** The debugger of one machine. */
export class MachineDebugger implements Debugger {
  /** The stops as the machine's run loop sees them. */
  readonly list: StopList;
  readonly #parts: DebuggerParts;
  #symbols: Symbols | null = null;

  constructor(parts: DebuggerParts) {
    this.#parts = parts;
    this.list = new StopList(parts);
  }

  get symbols(): Symbols {
    return this.#symbols ??= Symbols.of(this.#parts.kernelCode());
  }

  /** The width of the machine's kernel; without one, that of the CPU's mode. */
  get bits(): 32 | 64 {
    const kernel = this.#parts.kernelCode();
    if (kernel) return kernel.bits;
    return (this.cpu(0).state.efer & Efer.LMA) !== 0 ? 64 : 32;
  }

  symbolFile(): Uint8Array<ArrayBuffer> {
    const kernel = this.#parts.kernelCode();
    if (kernel && kernel.names.length > 0) return writeSymbolElf(kernel.names, kernel.bits);
    throw new RangeError(`no symbols are known of what ${this.#parts.machine.name} runs`);
  }

  get stops(): readonly StopPoint[] {
    return this.list.list();
  }

  break(where: bigint | string, options?: StopOptions): number {
    return this.stopAt({ kind: "code", address: this.place(where) }, options);
  }

  watch(where: bigint | string, options: WatchOptions = {}): number {
    const { bytes = 8, on = "write", space = "linear", ...rest } = options;
    const address = this.place(where);
    return this.stopAt({ kind: "watch", address, bytes, on, space }, rest);
  }

  stopAt(condition: StopCondition, options?: StopOptions): number {
    return this.list.add(condition, options);
  }

  remove(id: number): void {
    if (this.list.remove(id)) return;
    const known = this.stops.map((stop) => stop.id).join(", ") || "none";
    throw new RangeError(`there is no stop ${id}; there are: ${known}`);
  }

  clear(): void {
    for (const { id } of this.stops) this.list.remove(id);
  }

  async stepInto(cpu = 0, options?: RunOptions): Promise<StopReason> {
    this.cpu(cpu);
    return await this.list.whileAwaiting(cpu, 0, () => this.#parts.machine.run(options));
  }

  async stepOver(cpu = 0, options?: RunOptions): Promise<StopReason> {
    const [line, next] = await this.#parts.machine.disassemble(undefined, 2, cpu);
    const isCall = line && RETURNING.some((name) => line.text.startsWith(name));
    if (!isCall || !next) return await this.stepInto(cpu, options);
    return await this.#runTo(next.address, cpu, options);
  }

  async stepOut(cpu = 0, options?: RunOptions): Promise<StopReason> {
    const caller = this.backTrace(cpu).slice(1).find(({ uncertain }) => !uncertain);
    if (!caller) throw new RangeError("no caller is known: its frame is not on the stack");
    return await this.#runTo(caller.address, cpu, options);
  }

  backTrace(cpu = 0): StackFrame[] {
    const kernel = this.#parts.kernelCode();
    const framePointers = this.symbols.size === 0 || kernel?.framePointers === true;
    return backTrace(
      this.cpu(cpu),
      this.symbols,
      framePointers,
      (address, bytes) => this.#parts.machine.memory.readLinear(cpu, address, bytes),
    );
  }

  walk(address: bigint | string, cpu = 0): PageWalk {
    return pageWalk(this.cpu(cpu), this.place(address, cpu));
  }

  descriptorTables(cpu = 0): DescriptorTables {
    return descriptorTables(
      this.cpu(cpu),
      (address, bytes) => this.#parts.machine.memory.readLinear(cpu, address, bytes),
    );
  }

  tlb(cpu = 0): TlbEntryView[] {
    return tlbEntries(this.cpu(cpu));
  }

  onCpuNews(listener: (news: CpuNews) => void): () => void {
    return this.list.listen(listener);
  }

  /** Runs until CPU `cpu` comes to `address` in the frame that it is in now, or in one further out. */
  async #runTo(address: bigint, cpu: number, options?: RunOptions): Promise<StopReason> {
    const { state } = this.cpu(cpu);
    const from = state.rsp;
    const id = this.list.add(
      { kind: "code", address },
      { cpu, condition: () => BigInt.asUintN(64, state.rsp) >= BigInt.asUintN(64, from) },
      true,
    );
    try {
      return await this.#parts.machine.run(options);
    } finally {
      this.list.remove(id);
    }
  }

  place(where: bigint | string, cpu = 0): bigint {
    if (typeof where === "bigint") return where;
    const { machine } = this.#parts;
    return evaluateAddress(where, {
      symbol: (name) => registerOf(machine.cpus[cpu].registers, name) ?? this.symbols.find(name),
      missing: (name) => this.symbols.addressOf(name),
      read: (address, bytes) => machine.memory.readLinear(cpu, address, bytes),
    });
  }

  /** A CPU itself, for those who stand beside the debugger. */
  cpu(index: number): CpuLook {
    const cpu = this.#parts.cpus[index];
    if (cpu) return cpu;
    throw new RangeError(`there is no CPU ${index}; there are ${this.#parts.cpus.length}`);
  }

  /** `function+0x12` of a CPU's next instruction, or its address. */
  placeOf(cpu = 0): string {
    const address = codeAddress(this.cpu(cpu));
    return this.symbols.nameAt(address) ?? `0x${BigInt.asUintN(64, address).toString(16)}`;
  }
}
