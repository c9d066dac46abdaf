/** The tiny guests on our machine, on every engine. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { createMachine, type EngineName, type TinyGuest, tinyGuests } from "../../mod.ts";

/** Far more simulated time than any of them takes. */
const LIMIT = 1_000_000_000 as Cycles;

/** What a run shows: how it ended, what it printed, its instant and its trace. */
async function outcome({ name, cpus, image }: TinyGuest, engine: EngineName) {
  const machine = await createMachine({
    name: `${name}-${engine}`,
    kernel: image(),
    memory: "16MiB",
    cpus,
    engine,
  });
  const stop = await machine.run({ forCycles: LIMIT });
  return { stop, text: machine.console.text, now: machine.now, hash: machine.trace.hash };
}

for (const guest of tinyGuests) {
  Deno.test(`${guest.name} reports what it should, to the same cycle on every engine`, async () => {
    const reference = await outcome(guest, "reference");
    assertEquals(reference.text, guest.expectedOutput);
    assertEquals(reference.stop, { kind: "exit", code: guest.expectedExitCode });
    for (const engine of ["cold", "hot"] as const) {
      assertEquals(await outcome(guest, engine), reference, engine);
    }
  });
}
