/** Hosts, and whole processes, that go on from a file. */

import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import type { Cycles } from "../../../core/clock/clock.ts";
import { SnapshotError } from "../../../core/lib/snapshot.ts";
import { createMachine, Host, loadAll, loadMachine, type Machine, saveAll } from "../../../mod.ts";
import { createLinux } from "../../../guests/model/mod.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import { echoGuest } from "../echo_guest.ts";
import { AbiGuest, type Call, SCRATCH } from "./abi_guest.ts";
import { withFolder } from "../../with_folder.ts";

function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  return withFolder((folder) => body(join(folder, "snapshot")));
}

/** A host with two guests, one of which has a card, channels, a timer and changed tables. */
async function stirredHost(): Promise<AbiGuest> {
  const guest = await AbiGuest.start({ profile: "xeon-2003" });
  await AbiGuest.join(guest.host);
  const frame = BigInt(guest.frameAt(SCRATCH + 0x1000));
  guest.poke64(SCRATCH, 0n, 0n);
  guest.poke64(SCRATCH + 0x200, 0n, guest.labels.event);
  guest.poke64(SCRATCH + 0x300, 300_000n, 0n);
  const calls: readonly Call[] = [
    ["event_channel_op", 1, SCRATCH],
    ["update_va_mapping", SCRATCH + 0x1000, frame << 12n | 1n, 2],
    ["callback_op", 0, SCRATCH + 0x200],
    ["vcpu_op", 8, 0, SCRATCH + 0x300],
  ];
  assertEquals(await guest.calls(calls), [0n, 0n, 0n, 0n]);
  return guest;
}

/** What a host and its guest do next, and what can be told of them then. */
async function future(guest: AbiGuest) {
  const found = [
    await guest.call("update_va_mapping", SCRATCH + 0x1000, 0, 2),
    await guest.call("sched_op", 1),
    guest.eventsTaken,
  ];
  const { clock, trace } = guest.host.hardware;
  const names = guest.host.domains.map(({ id, name }) => `${id} ${name}`);
  return { found, now: clock.now, hash: trace.hash, names };
}

Deno.test("a host goes on from a file as it went on itself, with its domains and its bills", async () => {
  await inFolder(async (path) => {
    const guest = await stirredHost();
    await Host.save(guest.host, path);
    const loaded = AbiGuest.on(await Host.load(path));
    assertEquals(auditFrames(loaded.host.hypervisor), []);
    const first = await future(guest);
    assertEquals(first.found, [0, 0, 1]);
    assertEquals(await future(loaded), first);
    assertEquals(loaded.host.ledger.save(), guest.host.ledger.save());
    await Host.save(loaded.host, path);
    await future(AbiGuest.on(await Host.load(path)));
  });
});

Deno.test("a host of which a part is a script's is not saved, and is told why", async () => {
  const refused: readonly [why: string, make: (host: Host) => Promise<unknown> | unknown][] = [
    [
      "the kernel of the modelled domain a is a script's, with devices that nobody could make again",
      (host) =>
        host.modelled.create({
          name: "a",
          memory: "4MiB",
          kernel: (place) => createLinux(place).kernel,
        }),
    ],
    [
      "what is plugged into tap of bridge br0 is a script's",
      (host) => host.zero.bridge("br0").attach("tap"),
    ],
  ];
  await inFolder(async (path) => {
    for (const [why, make] of refused) {
      const { host } = await AbiGuest.start();
      await make(host);
      await assertRejects(
        () => Host.save(host, path),
        TypeError,
        `this host cannot be saved to a file: ${why}`,
      );
    }
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  });
});

const outcome = ({ now, trace: { hash }, console: { text } }: Machine) => ({ now, hash, text });

Deno.test("machines and hosts go on from one file of the whole process", async () => {
  await inFolder(async (path) => {
    const guest = await stirredHost();
    const machines = [];
    for (const text of ["one", "two"]) {
      const machine = await createMachine({ kernel: echoGuest(), memory: "4MiB" });
      machine.console.send(text);
      await machine.run({ forCycles: 300_000 as Cycles });
      machines.push(machine);
    }
    await saveAll(path, { machines, hosts: [guest.host] });
    const loaded = await loadAll(path);
    assertEquals(loaded.machines.map(outcome), machines.map(outcome));
    for (const each of [...machines, ...loaded.machines]) {
      await each.run({ forCycles: 1_000_000 as Cycles });
    }
    assertEquals(loaded.machines.map(outcome), machines.map(outcome));
    assertEquals(machines.map(({ console }) => console.text), ["one", "two"]);
    assertEquals(await future(AbiGuest.on(loaded.hosts[0])), await future(guest));
  });
});

Deno.test("each file is read by who reads its kind, and says so to the others", async () => {
  await inFolder(async (path) => {
    const machine = await createMachine({ kernel: echoGuest(), memory: "4MiB" });
    await machine.save(path);
    await assertRejects(
      () => Host.load(path),
      SnapshotError,
      `snapshot ${path}: it holds a machine, not a host: loadMachine reads it`,
    );
    await saveAll(path, { machines: [machine], hosts: [] });
    await assertRejects(
      () => loadMachine(path),
      SnapshotError,
      "it holds a process, not a machine: loadAll reads it",
    );
    await Host.save(await Host.boot({ memory: "32MiB" }), path);
    await assertRejects(() => loadAll(path), SnapshotError, "it holds a host, not a process");
    const whole = await Deno.readFile(path);
    await Deno.writeFile(path, whole.subarray(0, whole.length - 1));
    await assertRejects(() => Host.load(path), SnapshotError, "it is cut short");
  });
});
