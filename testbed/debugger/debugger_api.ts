/** A machine's debugger as scripts see it. */

import type { RunOptions, StopReason } from "../machine_api.ts";
import type { CpuNews } from "./cpu_news.ts";
import type { StackFrame } from "./back_trace.ts";
import type { DescriptorTables } from "./descriptor_tables.ts";
import type { PageWalk } from "./page_walk.ts";
import type { StopCondition, StopOptions, StopPoint } from "./stop_conditions.ts";
import type { Symbols } from "./symbols.ts";
import type { TlbEntryView } from "./tlb_entries.ts";

/** How memory is watched. */
export interface WatchOptions extends StopOptions {
  /** Default 8. */
  readonly bytes?: number;
  /** Default `write`. */
  readonly on?: "write" | "read" | "access";
  /** Default `linear`, as the CPU's own tables translate it; stores by devices are seen with `physical` only. */
  readonly space?: "linear" | "physical";
}

/**
 * The debugger of one machine. Stops end a run with a stop of kind `breakpoint` at an exact instruction boundary, on every
 * engine; neither the guest nor the trace hash depends on them. Places are linear addresses, or text: a symbol, a
 * register, or an expression of both.
 *
 * ```ts ignore
 * const machine = await createMachine({ kernel: "debian" });
 * machine.debugger.break("vfs_read");
 * await machine.run();
 * console.log(machine.debugger.backTrace());
 * ```
 */
export interface Debugger {
  /** Names of the kernel that the machine was given. */
  readonly symbols: Symbols;
  /** An ELF file of the symbols, for gdb's `symbol-file`. Throws `RangeError` if none are known. */
  symbolFile(): Uint8Array<ArrayBuffer>;
  /** The address of a place; throws `RangeError` for an unknown name, `SyntaxError` for what is no expression. */
  place(where: bigint | string, cpu?: number): bigint;
  /** What is set. */
  readonly stops: readonly StopPoint[];
  /** Stops before the instruction at a place; returns the stop's number. */
  break(where: bigint | string, options?: StopOptions): number;
  /** Stops after an access to memory at a place; returns the stop's number. */
  watch(where: bigint | string, options?: WatchOptions): number;
  /** Stops at anything else; returns the stop's number. Throws `RangeError` if the condition cannot be. */
  stopAt(condition: StopCondition, options?: StopOptions): number;
  /** Removes a stop; throws `RangeError` if there is none of that number. */
  remove(id: number): void;
  /** Removes all stops. */
  clear(): void;
  /** Carries one CPU on by one instruction or event; resolves with `limit`, or with what stopped it before. */
  stepInto(cpu?: number, options?: RunOptions): Promise<StopReason>;
  /** The same, but lets a function that is called, or a repeated instruction, come to its end. */
  stepOver(cpu?: number, options?: RunOptions): Promise<StopReason>;
  /** Runs until the function that a CPU is in has returned. Throws `RangeError` if its caller is not known. */
  stepOut(cpu?: number, options?: RunOptions): Promise<StopReason>;
  /** The functions that a CPU is in, innermost first. */
  backTrace(cpu?: number): StackFrame[];
  /** The way of a linear address through the page tables. */
  walk(address: bigint | string, cpu?: number): PageWalk;
  /** GDT, LDT and IDT. */
  descriptorTables(cpu?: number): DescriptorTables;
  /** What the TLBs hold. */
  tlb(cpu?: number): TlbEntryView[];
  /** Calls `listener` with changes of ring, and entries of the kernel and returns; returns how to stop that. */
  onCpuNews(listener: (news: CpuNews) => void): () => void;
  /** `function+0x12` of a CPU's next instruction, or its address. */
  placeOf(cpu?: number): string;
}
