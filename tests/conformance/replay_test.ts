/** Recorded machines: what was written down is what happens again. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { parseIpv4 } from "../../devices/net/mod.ts";
import { createMachine, type Machine, type MachineOptions, replay, tinyGuests } from "../../mod.ts";
import { echoGuest } from "./echo_guest.ts";
import { withFolder } from "../with_folder.ts";

const smp64 = tinyGuests.find(({ name }) => name === "smp64")!;
/** Time for a character at 115,200 baud, and for its echo. */
const CHARACTER = 200_003 as Cycles;
const ECHO: MachineOptions = { kernel: echoGuest(), memory: "8MiB" };

const outcome = ({ now, trace: { hash }, console: { text } }: Machine) => ({ now, hash, text });

function inFolder(body: (log: string, folder: string) => Promise<void>): Promise<void> {
  return withFolder((folder) => body(join(folder, "log"), folder));
}

async function type(machine: Machine, text: string): Promise<void> {
  for (const character of text) {
    machine.console.send(character);
    await machine.run({ forCycles: CHARACTER });
  }
}

const RECORDINGS: readonly [
  claim: string,
  options: MachineOptions,
  drive: (machine: Machine) => Promise<void>,
][] = [
  ["typed text, and a reset", ECHO, (machine) => type(machine, "abrcd")],
  ["keys and text to several CPUs", {
    kernel: smp64.image(),
    memory: "16MiB",
    cpus: 3,
    quantumCycles: 501,
  }, async (machine) => {
    for (const at of [12_345, 500_000, 20_000_001] as Cycle[]) {
      await machine.run({ untilCycle: at });
      machine.pressKeys("a", "Control+c");
      machine.console.send("x");
    }
    await machine.run({ forCycles: 1_000_000 as Cycles });
  }],
  ["what the script's host sends", { ...ECHO, net: "lan0" }, async (machine) => {
    const { host } = machine.network!;
    host.ping(parseIpv4("10.0.2.15"));
    await machine.run({ forCycles: 50_000 as Cycles });
    host.sendFrame(new Uint8Array(64).fill(0xff));
    await machine.run({ forCycles: 12_000_000 as Cycles });
  }],
  [
    "a machine that was sent back and got something else",
    { ...ECHO, checkpoints: "64MiB" },
    async (machine) => {
      await type(machine, "abcdefgh");
      await machine.run({ untilCycle: 15_000_000 as Cycle });
      await machine.seek(2 * CHARACTER + 1 as number as Cycle);
      await type(machine, "XY");
      await machine.run({ untilCycle: 11_000_000 as Cycle });
      await machine.seek(9_000_000 as Cycle);
      await type(machine, "Z");
      await machine.run({ untilCycle: 13_000_000 as Cycle });
    },
  ],
];

for (const [claim, options, drive] of RECORDINGS) {
  Deno.test(`a replay has ${claim}, and the same trace hash`, async () => {
    await inFolder(async (log) => {
      const machine = await createMachine(options);
      const recording = await machine.record(log);
      await drive(machine);
      recording.stop();
      const { machine: again, recordedTo, checked, tornBytes } = await replay(log);
      assertEquals(outcome(again), outcome(machine));
      assertEquals([recordedTo, tornBytes], [machine.now, 0]);
      assertEquals(checked, 1 + Math.floor(machine.now / 10_000_000));
    });
  });
}

Deno.test("a recording may begin anywhere, with a snapshot beside it", async () => {
  await inFolder(async (log) => {
    const machine = await createMachine(ECHO);
    await type(machine, "fist");
    const recording = await machine.record(log);
    await type(machine, "then");
    await assertRejects(() => machine.record(log), TypeError, "is recorded already");
    recording.stop();
    const { machine: again } = await replay(log);
    assertEquals(outcome(again), outcome(machine));
    assertEquals(again.console.text, "fistthen");
  });
});

Deno.test("a replay stops where it is told, can be sent back, and goes on with the inputs that are left", async () => {
  await inFolder(async (log) => {
    const machine = await createMachine(ECHO);
    const recording = await machine.record(log);
    await type(machine, "abcdef");
    recording.stop();
    const to = 3 * CHARACTER as number as Cycle;
    const { machine: again, recordedTo } = await replay(log, { to, checkpoints: "64MiB" });
    assertEquals([again.now, again.console.text], [to, "abc"]);
    await again.seek(CHARACTER as number as Cycle);
    assertEquals(again.console.text, "a");
    await again.seek(recordedTo);
    assertEquals(outcome(again), outcome(machine));
  });
});

Deno.test("a log that nobody ended replays to its last record; a torn one to the last whole record", async () => {
  await inFolder(async (log) => {
    const machine = await createMachine(ECHO);
    const recording = await machine.record(log);
    await type(machine, "abc");
    const alive = await replay(log);
    assertEquals([alive.machine.now as number, alive.tornBytes], [2 * CHARACTER, 0]);
    const whole = await Deno.readFile(log);
    for (const missing of [1, 5, 20]) {
      await Deno.writeFile(log, whole.subarray(0, whole.length - missing));
      const torn = await replay(log);
      assert(torn.tornBytes > 0);
      assertEquals(torn.recordedTo as number, CHARACTER);
    }
    recording.stop();
  });
});

Deno.test("a log that is altered, or belongs to something else, has its error", async () => {
  await inFolder(async (log, folder) => {
    const machine = await createMachine(ECHO);
    const recording = await machine.record(log);
    await type(machine, "abc");
    recording.stop();
    const whole = await Deno.readFile(log);
    const altered = async (at: number, byte: number) => {
      const bytes = whole.slice();
      bytes[at] = byte;
      await Deno.writeFile(log, bytes);
    };
    await altered(0, 0);
    await assertRejects(() => replay(log), SnapshotError, "is no log of Xenarium");
    await altered(12, 7);
    await assertRejects(
      () => replay(log),
      SnapshotError,
      "has version 7; this build reads version 1",
    );
    await altered(40, whole[40] ^ 1);
    await assertRejects(() => replay(log), SnapshotError, "the CRC of the record at byte 16");
    await Deno.writeFile(log, whole);
    const other = join(folder, "other");
    await machine.save(other);
    await assertRejects(
      () => replay(log, { snapshot: other }),
      SnapshotError,
      "does not belong to",
    );
    await Deno.remove(`${log}.snapshot`);
    await assertRejects(() => replay(log), RangeError, `there is no file ${log}.snapshot`);
  });
});

Deno.test("of a machine that was just switched on, images are named, and must be the same", async () => {
  await inFolder(async (log, folder) => {
    const kernel = join(folder, "kernel");
    await Deno.writeFile(kernel, echoGuest());
    const machine = await createMachine({ kernel, memory: "8MiB" });
    const recording = await machine.record(log);
    await type(machine, "ab");
    recording.stop();
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["kernel", "log"]);
    assertEquals(outcome((await replay(log)).machine), outcome(machine));
    await Deno.writeFile(kernel, smp64.image());
    await assertRejects(() => replay(log), SnapshotError, "are not those it was recorded with");
  });
});
