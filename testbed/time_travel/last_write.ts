/** Who changed this? The last store to a place of memory, found by going back to it. */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { FRAME_BYTES } from "../../core/memory/machine_memory.ts";
import type { CpuView, MemoryView, WriteRecord } from "../machine_api.ts";
import type { StopCondition } from "../debugger/stop_conditions.ts";
import { type CpuTraveller, reverseCpuStep } from "./cpu_steps.ts";
import { reverseContinue, reverseStep } from "./time_travel.ts";

/** What the search needs of its machine besides its past. */
export interface WriteSearch {
  readonly cpus: readonly CpuView[];
  readonly memory: MemoryView;
  /** The number of a frame of RAM in the order of linear memory. */
  frameOf(address: PhysicalAddress): number;
  /** Lets `body` run the machine with this stop alone. */
  withOnlyStop<Result>(condition: StopCondition, body: () => Promise<Result>): Promise<Result>;
}

/**
 * Finds the last store to bytes [address, address + bytes) of guest-physical memory; the machine is in the present again
 * then. `null` if there was none since the oldest checkpoint.
 */
export async function lastWrite(
  machine: CpuTraveller,
  { cpus, memory, frameOf, withOnlyStop }: WriteSearch,
  address: PhysicalAddress,
  bytes: number,
): Promise<WriteRecord | null> {
  const { timeline } = machine;
  const known = new Set(timeline.checkpoints);
  const present = timeline.take();
  const frames = [frameOf(address), frameOf(address + bytes - 1 as PhysicalAddress)];
  const watch = { kind: "watch", address: BigInt(address), bytes, on: "write", space: "physical" };
  try {
    const stop = await withOnlyStop(
      watch as StopCondition,
      () =>
        reverseContinue(
          machine,
          {},
          (from, next) => frames.some((frame) => timeline.mayDiffer(from, next ?? present, frame)),
        ),
    );
    if (stop.kind !== "breakpoint") return null;
    const { now: cycle } = machine;
    const after = memory.readBytes(address, bytes);
    const { cpu } = stop;
    await (cpus.length === 1 ? reverseStep(machine) : reverseCpuStep(machine, cpu));
    const { registers, codeBits } = cpus[cpu];
    const rip = registers.rip + (codeBits === 64 ? 0n : registers["cs.base"]);
    return { cycle, cpu, address: rip, before: memory.readBytes(address, bytes), after };
  } finally {
    timeline.goTo(present);
    for (const each of [...timeline.checkpoints]) if (!known.has(each)) timeline.drop(each);
  }
}

/** The number of a frame in the order of linear memory. */
export function frameNumber(linear: number, ramBase: number): number {
  return Math.floor((linear - ramBase) / FRAME_BYTES);
}
