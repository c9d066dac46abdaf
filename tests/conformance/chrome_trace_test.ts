/** What Perfetto is given of a run: rings and handlers as slices that do not overlap, and a run that is the same. */

import { assert, assertEquals } from "@std/assert";
import { createMachine, tinyGuests, writeChromeTrace } from "../../mod.ts";

interface Slice {
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly name: string;
}

const guest = tinyGuests.find(({ name }) => name === "rings64")!;

Deno.test("rings and system calls of a guest are slices; the run is the same", async () => {
  const free = await createMachine({ kernel: guest.image(), memory: "16MiB" });
  const stop = await free.run();
  const machine = await createMachine({ kernel: guest.image(), memory: "16MiB", name: "seen" });
  const lines: string[] = [];
  const end = writeChromeTrace(machine, (line) => lines.push(line));
  assertEquals(await machine.run(), stop);
  end();
  assertEquals([machine.now, machine.trace.hash], [free.now, free.trace.hash]);
  const { traceEvents } = JSON.parse(lines.join("\n")) as { traceEvents: Slice[] };
  const slices = traceEvents.filter(({ ph }) => ph === "X");
  const rings = slices.filter(({ tid }) => tid === 1);
  assertEquals(rings[0].name, "ring 0");
  assert(rings.some(({ name }) => name === "ring 3"));
  for (const [i, { ts }] of rings.entries()) {
    const before = rings[i - 1];
    if (before) {
      assertEquals(Math.round(before.ts * 1000 + before.dur * 1000), Math.round(ts * 1000));
    }
  }
  const total = rings.reduce((sum, { dur }) => sum + dur, 0);
  assertEquals(Math.round(total * 1000), machine.now);
  assert(slices.some(({ tid, name }) => tid === 2 && name === "system call"));
});
