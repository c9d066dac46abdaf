/** What a modelled kernel needs of the machine or hypervisor under it: a small port for each virtual CPU. */

import type { Cycle } from "../../../core/clock/clock.ts";

/** A virtual CPU, as the kernel sees it. */
export interface VirtualCpuPort {
  /** It has nothing to do until {@link wake}. */
  block(): void;
  /** Something came up: it wants to run. Without effect if it does. */
  wake(): void;
  /** Wants a timer interrupt at `at` (the latest wish counts), or none. */
  armTimer(at: Cycle | null): void;
}

/** The machine as a whole. */
export interface MachinePort {
  /** The present cycle. */
  now(): Cycle;
  readonly frequencyHz: number;
  readonly cpus: readonly VirtualCpuPort[];
  /** Whether another physical CPU works at present, and uses the memory's one bus; absent: never. */
  othersWork?(): boolean;
}
