/** What every engine is: something that runs one CPU until its budget is spent or something happens. */

import type { Counts } from "../trace/counters.ts";
import type { Cpu } from "./cpu.ts";

/** Names of the engines that a machine can be told to use. */
export type EngineName = "reference" | "cold" | "hot";

/** An execution engine of one machine. */
export interface Engine {
  readonly name: EngineName;
  /** What it did so far; nothing that a guest could notice. */
  readonly counters: Counts;
  /**
   * Runs `cpu` from `rip` until `budget` instructions have retired or `status` is set. On return `rip` is the
   * next instruction's offset, or with an exception pending that of the instruction that raised it.
   */
  run(cpu: Cpu): void;
  /** Drops everything decoded or translated. */
  invalidate(): void;
}
