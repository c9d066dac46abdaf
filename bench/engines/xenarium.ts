/** This project's machine. */

import { createMachine } from "../../testbed/machine.ts";
import type { EngineName } from "../../testbed/machine_api.ts";
import type { GuestImage } from "../guest/image.ts";
import { MEMORY_MIB } from "../guest/kernel.ts";
import type { KernelTimes, MeasuredEngine } from "./engine.ts";
import { MarkReader } from "./marks.ts";

/** Times, and what no other engine tells: the instructions that each kernel retired. */
export interface OwnRun {
  readonly times: KernelTimes;
  readonly instructions: ReadonlyMap<string, number>;
}

/** Runs an image on an engine of ours; rejects if the guest ends otherwise than it should. */
export async function runOwn(
  engine: EngineName,
  image: GuestImage,
  signal: AbortSignal,
): Promise<OwnRun> {
  const machine = await createMachine({ kernel: image.flat, memory: `${MEMORY_MIB}MiB`, engine });
  const marks = new MarkReader(image);
  const cycles = new MarkReader(image);
  for (;;) {
    const stop = await machine.run({ signal });
    if (stop.kind !== "exit") throw new Error(`the guest image stopped: ${JSON.stringify(stop)}`);
    // The debug exit makes (value << 1) | 1 of what is written.
    const mark = stop.code >> 1;
    cycles.take(mark, machine.now);
    if (marks.take(mark, performance.now())) {
      return { times: marks.times, instructions: cycles.times };
    }
  }
}

function own(name: string, engine: EngineName, scale: number): MeasuredEngine {
  return {
    name,
    bits: [32, 64],
    scale,
    available: () => Promise.resolve(true),
    run: async (image, signal) => (await runOwn(engine, image, signal)).times,
  };
}

/** Our interpreter in WebAssembly. */
export const coldTier = own("cold tier", "cold", 4);
/** Our translator. */
export const hotTier = own("hot tier", "hot", 16);
