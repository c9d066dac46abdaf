import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import { echoGuest } from "./echo_guest.ts";
import { createMachine, loadMachine } from "../../testbed/machine.ts";
import type { PcMachine } from "../../testbed/machine/machine.ts";
import type { Machine, MachineOptions } from "../../testbed/machine_api.ts";
import { packSections, unpackSections } from "../../testbed/snapshot/container.ts";
import { migrate } from "../../testbed/snapshot/migrations.ts";
import { decodeValue, encodeValue } from "../../testbed/snapshot/record_codec.ts";
import { withFolder } from "../with_folder.ts";

const guest = (name: string) => tinyGuests.find((each) => each.name === name)!;

const outcome = ({ now, trace: { hash }, console: { text } }: Machine) => ({ now, hash, text });

const MACHINES: readonly [claim: string, options: MachineOptions, at: number][] = [
  ["a machine with one CPU", { kernel: guest("hello32").image(), memory: "8MiB" }, 900_001],
  ["several CPUs, in the middle of a turn", {
    kernel: guest("smp64").image(),
    memory: "16MiB",
    cpus: 3,
    quantumCycles: 501,
  }, 1_234_567],
  ["a machine with a network card", { kernel: echoGuest(), memory: "8MiB", net: "lan0" }, 10_000],
  ["a machine before its first cycle", { kernel: echoGuest(), memory: "8MiB" }, 0],
];

for (const [claim, options, at] of MACHINES) {
  Deno.test(`${claim} goes on from a file as it went on itself`, async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "snapshot");
      const machine = await createMachine(options);
      await machine.run({ untilCycle: at as Cycle });
      machine.console.send("hi");
      await machine.save(path);
      const loaded = await loadMachine(path);
      assertEquals(outcome(loaded), outcome(machine));
      for (const each of [machine, loaded]) await each.run({ forCycles: 3_000_000 as Cycles });
      assertEquals(outcome(loaded), outcome(machine));
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["snapshot"]);
    });
  });
}

Deno.test("what a guest wrote to a disk is in the file; a disk of the host is not, and must be the same", async () => {
  await withFolder(async (folder) => {
    const [path, disk] = [join(folder, "snapshot"), join(folder, "disk.img")];
    await Deno.writeFile(disk, new Uint8Array(1 << 20));
    const options = { kernel: echoGuest(), memory: "8MiB", disks: [disk, new Uint8Array(4096)] };
    const machine = await createMachine(options) as PcMachine;
    await machine.save(path);
    const loaded = await loadMachine(path) as PcMachine;
    assertEquals(loaded.images.disks.map(({ length }) => length), [1 << 20, 4096]);
    await Deno.writeFile(disk, Uint8Array.of(1), { append: true });
    await assertRejects(
      () => loadMachine(path),
      SnapshotError,
      "is not the disk that it was taken",
    );
    await Deno.remove(disk);
    await assertRejects(() => loadMachine(path), SnapshotError, "cannot be read");
  });
});

Deno.test("each way in which a file is not whole has its error, and no machine is made of it", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "snapshot");
    const machine = await createMachine({ kernel: echoGuest(), memory: "4MiB" });
    await machine.save(path);
    const whole = await Deno.readFile(path);
    const changed = (at: number, byte: number) => {
      const bytes = whole.slice();
      bytes[at] = byte;
      return bytes;
    };
    const end = whole.length;
    const cases: readonly [bytes: Uint8Array, error: string][] = [
      [new Uint8Array(), "is no snapshot of Xenarium"],
      [new TextEncoder().encode("{}"), "is no snapshot of Xenarium"],
      [whole.subarray(0, 5), "cut short: 5 bytes of a header of 56"],
      [whole.subarray(0, 60), "is cut short: 4 of"],
      [whole.subarray(0, end - 1), "is cut short"],
      [Uint8Array.of(...whole, 7), "1 bytes follow its end"],
      [changed(12, 9), "has file version 9; this build reads version 1"],
      [changed(30, whole[30] ^ 1), "was altered"],
      [changed(100, whole[100] ^ 1), "was altered"],
      [changed(end - 1, whole[end - 1] ^ 0x80), "was altered"],
    ];
    for (const [bytes, error] of cases) {
      await Deno.writeFile(path, bytes);
      await assertRejects(() => loadMachine(path), SnapshotError, error);
    }
  });
});

/** Rewrites the record in a file. */
async function alterRecord(
  path: string,
  alter: (record: SnapshotRecord) => SnapshotRecord,
): Promise<void> {
  const { sections: [first, ...others] } = await unpackSections(await Deno.readFile(path));
  const manifest = decodeValue(first) as unknown as { record: SnapshotRecord };
  const altered = encodeValue({ ...manifest, record: alter(manifest.record) } as never);
  const { pieces } = await packSections([altered, ...others]);
  await Deno.writeFile(
    path,
    new Uint8Array(await new Blob([...pieces] as BlobPart[]).arrayBuffer()),
  );
}

Deno.test("a file of an older machine loads by migration, one of a newer machine says its version", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "snapshot");
    const machine = await createMachine({ kernel: guest("hello32").image(), memory: "8MiB" });
    await machine.run({ untilText: "\n" });
    await machine.save(path);
    await alterRecord(
      path,
      ({ kind, state: { console: _, ...state } }) => ({ kind, version: 1, state }),
    );
    const loaded = await loadMachine(path);
    assertEquals([loaded.console.text, loaded.now], ["", machine.now]);
    assertEquals(await loaded.run(), await machine.run());
    assertEquals(loaded.trace.hash, machine.trace.hash);
    await alterRecord(path, (record) => ({ ...record, version: 3 }));
    await assertRejects(() => loadMachine(path), SnapshotError, "has version 3; this build reads");
    await alterRecord(
      path,
      ({ kind, state: { clock: _, ...state } }) => ({ kind, version: 2, state }),
    );
    await assertRejects(() => loadMachine(path), SnapshotError, "does not fit this build");
  });
});

Deno.test("migrations are applied in turn, to records within records, too", () => {
  const chip = (version: number, state: SnapshotRecord["state"]) => ({
    kind: "chip",
    version,
    state,
  });
  const migrations = {
    "chip 1": (state: SnapshotRecord["state"]) => ({ ...state, b: 2 }),
    "chip 2": (state: SnapshotRecord["state"]) => ({ ...state, c: 3 }),
  };
  assertEquals(
    migrate({ board: [chip(1, { a: 1 }), chip(9, {})], n: 5n }, migrations),
    { board: [chip(3, { a: 1, b: 2, c: 3 }), chip(9, {})], n: 5n },
  );
});

Deno.test("pages that are alike are in a file once", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "snapshot");
    const machine = await createMachine({ kernel: echoGuest(), memory: "64MiB" });
    await machine.save(path);
    assert((await Deno.stat(path)).size < 10_000);
  });
});
