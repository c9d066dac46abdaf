/**
 * Where runs end is not for the guest to notice: the same machine run at once, in pieces, and by way of snapshots.
 */

import { assertEquals } from "@std/assert";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { createMachine, type Machine, type StopReason, tinyGuests } from "../../mod.ts";

const guest = tinyGuests.find(({ name }) => name === "smp64")!;

async function machine(): Promise<Machine> {
  return await createMachine({ kernel: guest.image(), memory: "16MiB", cpus: guest.cpus });
}

function outcome({ now, trace: { hash } }: Machine, stop: StopReason) {
  return { now, hash, stop };
}

const once = await machine();
const expected = outcome(once, await once.run());

for (const pieceCycles of [1_001, 20_011, 77_777, 1_000_000] as Cycles[]) {
  Deno.test(`${guest.cpus} CPUs run in pieces of ${pieceCycles} cycles as at once`, async () => {
    const pieces = await machine();
    for (let pieceEnd = pieceCycles as number;; pieceEnd += pieceCycles) {
      const stop = await pieces.run({ forCycles: pieceCycles });
      if (stop.kind !== "limit") return assertEquals(outcome(pieces, stop), expected);
      assertEquals(pieces.now as number, pieceEnd);
    }
  });
}

Deno.test(`${guest.cpus} CPUs do not notice that each run ends in another machine`, async () => {
  let [from, to] = [await machine(), await machine()];
  for (const cycle of [5_000, 123_456, 10_000_001, 100_000_000, 140_000_000] as Cycle[]) {
    assertEquals(await from.run({ untilCycle: cycle }), { kind: "limit" });
    to.restore(from.snapshot());
    [from, to] = [to, from];
  }
  assertEquals(outcome(from, await from.run()), expected);
});
