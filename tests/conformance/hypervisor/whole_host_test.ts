/**
 * Whole hosts that go on from a file, or from memory, in the middle of things: with disks, cards, driver domains, an outside
 * network, domains that were restored, and others that have gone. What tells whether they do is the run that nobody saved.
 */

import { assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import type { Cycles } from "../../../core/clock/clock.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import { SnapshotError } from "../../../core/lib/snapshot.ts";
import { DiskImage, memoryBase, zeroBase } from "../../../devices/disk/mod.ts";
import { call, exit, type Program } from "../../../guests/model/mod.ts";
import { computing } from "../../../guests/model/workloads/compute.ts";
import { Host } from "../../../mod.ts";
import { openFileDisk } from "../../../testbed/disk_file.ts";
import { hosts } from "../../../testbed/host_registry.ts";
import { HISTORY_COMMANDS } from "../../../testbed/repl/history_commands.ts";
import { Toolstack, type XlSession } from "../../../testbed/toolstack/mod.ts";
import { SESSION_VERBS } from "../../../testbed/toolstack/session_verbs.ts";
import { answer, startTiny } from "./tiny_session.ts";
import { withFolder } from "../../with_folder.ts";

const MILLION = 1e6;

const compute = computing(1e9);
const sleeper: Program = {
  name: "sleeper",
  steps: {
    sleep: () => call("nanosleep", { cycles: 3 * MILLION }, "woken"),
    woken: ({ now }) => call("report", { name: "woken", value: now }, "again"),
    again: ({ locals }) => {
      locals.times = (locals.times as number ?? 0) + 1;
      return locals.times === 8 ? exit() : call("nanosleep", { cycles: 3 * MILLION }, "woken");
    },
  },
};

/** Where the back ends of `web` and `db` are. */
type Place = "domain-0" | "drivers" | "hypervisor";

/** A host with all that a host can have, which has seen better days, and is in the middle of traffic. */
async function busyHost(place: Place = "drivers", folder?: string): Promise<Host> {
  const backEnds = place === "hypervisor" ? "hypervisor" : "domain-0";
  const host = await Host.boot({ memory: "96MiB", cpus: 2, profile: "xeon-2003", backEnds });
  const old = await startTiny(host, "old", "ip 10.0.0.9");
  if (place === "drivers") {
    await host.create({ name: "drivers", kernel: "drivers", memory: "4MiB" });
  }
  const backend = place === "drivers" ? "drivers" : undefined;
  host.outside.add({
    address: "10.0.0.1",
    dhcp: { first: "10.0.0.20", count: 9, netmask: "255.255.255.0" },
  });
  const file = folder && openFileDisk(join(folder, "disk"), { readonly: false }).image;
  const content = Uint8Array.from({ length: 1 << 16 }, (_, i) => i);
  const image = file || new DiskImage(memoryBase(content), { sizeBytes: 1 << 17 });
  await startTiny(host, "web", "ip 10.0.0.2", {
    vif: [{ backend }],
    disk: [{ vdev: "xvda", image, backend }],
  });
  const devices = {
    vif: [{ mac: "00:16:3e:00:00:42", backend, rate: { bytes: 50_000, intervalNs: 1e6 as never } }],
    disk: [{ vdev: "xvdb", image: new DiskImage(zeroBase(1 << 16)), backend }],
  };
  const db = await startTiny(host, "db", "ip dhcp", devices);
  await answer(db);
  host.destroy(old);
  await host.suspend(db);
  const record = host.save(db);
  host.destroy(db);
  const woken = host.restoreDomain(record, devices);
  const model = host.modelled.create({ name: "model", memory: "4MiB", cpus: [1] });
  for (const program of [compute, sleeper]) model.kernel.spawn(program);
  const [web] = host.domains.filter(({ name }) => name === "web");
  await answer(web);
  await host.run({ forCycles: MILLION as Cycles });
  web.console.send("check 100\n");
  woken.console.send("udp 10.0.0.2 60 900\n");
  return host;
}

/** All that can be told of a host and its domains. */
function outcomeOf(host: Host) {
  const { clock, trace } = host.hardware;
  return {
    now: clock.now,
    hash: trace.hash,
    free: host.hypervisor.frames.freeFrames,
    bills: host.ledger.save(),
    domains: host.domains.map(({ id, name, domain, console: { text } }) => {
      const cards = host.zero.cardsOf(id).map(({ driver }) => ({ ...driver.counters }));
      const disks = host.zero.disksOf(id).map(({ driver, image }) => {
        const bytes = new Uint8Array(image.sizeBytes);
        image.read(0, bytes);
        return { ...driver.counters, sum: bytes.reduce((sum, byte, i) => sum + byte * (i + 1), 0) };
      });
      return { id, name, shutdown: domain.shutdown, text, cards, disks };
    }),
    models: host.modelled.all.map(({ name, domain: { id }, kernel: { reports } }) => {
      return { id, name, reports: [...reports], cycles: host.dispatcher.domainCycles(id) };
    }),
    store: [...host.zero.store.list()].map(({ path, value }) =>
      `${path} ${new TextDecoder().decode(value)}`
    ),
    ports: host.zero.bridges.map(({ ports }) =>
      ports.map(({ name, attached }) => [name, attached])
    ),
  };
}

const run = (host: Host, millions: number) =>
  host.run({ forCycles: Math.round(millions * MILLION) as Cycles });
const load = (path: string) => Host.load(path, { programs: [compute, sleeper] });
const cardOf = (host: Host, name: string) =>
  host.zero.cardsOf(host.domains.find((each) => each.name === name)!.id)[0].driver.counters;
const diskOf = (host: Host, name: string) =>
  host.zero.disksOf(host.domains.find((each) => each.name === name)!.id)[0].driver.counters;

/** When a host is saved, and the longest step that does not miss it, in millions of cycles. */
const MOMENTS: readonly ((host: Host) => boolean)[] = [
  (host) => diskOf(host, "web").writes > 0,
  (host) => cardOf(host, "db").txPackets > 8,
  (host) => cardOf(host, "db").txPackets > 46,
];
const STEP = 0.02;

/** Runs a host until `is` holds; returns how many steps that took. */
async function runUntil(host: Host, is: (host: Host) => boolean): Promise<number> {
  for (let steps = 1; steps < 1000; steps++) {
    await run(host, STEP);
    if (is(host)) return steps;
  }
  throw new Error("the moment does not come");
}

for (const place of ["drivers", "domain-0", "hypervisor"] as const) {
  Deno.test(`a host that goes on from one file after the other does what it did without (back ends: ${place})`, async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "host");
      const undisturbed = await busyHost(place);
      let host = await busyHost(place);
      const seen: number[][] = [];
      for (const moment of MOMENTS) {
        const steps = await runUntil(undisturbed, moment);
        for (let step = 0; step < steps; step++) await run(host, STEP);
        seen.push([diskOf(host, "web").writes, cardOf(host, "db").txPackets]);
        await Host.save(host, path);
        const saved = outcomeOf(host);
        assertEquals(saved, outcomeOf(undisturbed));
        host = await load(path);
        assertEquals(outcomeOf(host), saved);
      }
      for (const each of [undisturbed, host]) await run(each, 12);
      // A file was written when some requests had been answered, and others had not; and so of packets.
      const [writes, packets] = [diskOf(host, "web").writes, cardOf(host, "db").txPackets];
      assertEquals(seen.map(([some]) => some < writes)[0], true, `${seen} of ${writes}`);
      assertEquals(seen.map(([, some]) => some < packets), [true, true, true], `${seen}`);
      const { domains, models } = outcomeOf(host);
      const said = domains.map(({ text }) => text).join("");
      assertStringIncludes(said, "100 sectors written and read");
      assertStringIncludes(said, "60 of 60 answers from 10.0.0.2");
      assertNotEquals(models[0].cycles, 0);
      // Nothing was forgotten that its end would have to give back.
      for (const each of [undisturbed, host]) {
        for (const model of [...each.modelled.all]) each.modelled.destroy(model);
        for (const domain of [...each.domains]) each.destroy(domain);
        await run(each, 1);
        assertEquals(auditFrames(each.hypervisor), []);
        each.hypervisor.grants.audit();
      }
      assertEquals(outcomeOf(host), outcomeOf(undisturbed));
      assertEquals((await startTiny(host, "next", "")).id, 7 - Number(place !== "drivers"));
    });
  });
}

Deno.test("a host goes back to what it was in memory, whatever became of its domains and devices since", async () => {
  const host = await busyHost();
  await runUntil(host, MOMENTS[1]);
  const then = outcomeOf(host);
  const snapshot = host.snapshot();
  await run(host, 12);
  const first = outcomeOf(host);
  const [drivers, web, db] = host.domains;
  host.destroy(drivers);
  await run(host, 1);
  host.destroy(db);
  host.modelled.destroy(host.modelled.all[0]);
  const other = await startTiny(host, "other", "ip 10.0.0.7", { vif: [{ bridge: "br1" }] });
  host.outside.add({ name: "beyond", bridge: "br1", address: "10.0.0.1" });
  await answer(other);
  host.restore(snapshot);
  assertEquals(outcomeOf(host), then);
  assertEquals(host.domains.map((each) => each === web), [false, true, false]);
  await run(host, 12);
  assertEquals(outcomeOf(host), first);
  // A host that was booted alike, with domains of its own, takes it over, and leaves the first one its disks.
  const twin = await Host.boot(host.options);
  await startTiny(twin, "a", "", { vif: [] });
  twin.restore(snapshot);
  assertEquals(outcomeOf(twin), then);
  await run(twin, 12);
  assertEquals([outcomeOf(twin), outcomeOf(host)], [first, first]);
});

Deno.test("a device whose driver domain has gone is on its way out in the file, too", async () => {
  await withFolder(async (folder) => {
    const host = await busyHost();
    await runUntil(host, MOMENTS[0]);
    host.destroy(host.domains[0]);
    await Host.save(host, join(folder, "host"));
    const loaded = await load(join(folder, "host"));
    assertEquals(loaded.zero.cards.map(({ isLost }) => isLost), [true, true]);
    for (const each of [host, loaded]) await run(each, 8);
    assertEquals(outcomeOf(loaded), outcomeOf(host));
    assertEquals(loaded.zero.cards, []);
    assertStringIncludes(loaded.domains[0].console.text, "the network card is gone");
  });
});

Deno.test("a disk that is a file is named with its digest, and what was written to it is in the host's file", async () => {
  await withFolder(async (folder) => {
    const disk = join(folder, "disk");
    const content = new Uint8Array(1 << 17).fill(7);
    await Deno.writeFile(disk, content);
    const path = join(folder, "host");
    const host = await busyHost("domain-0", folder);
    await runUntil(host, MOMENTS[0]);
    await Host.save(host, path);
    const loaded = await load(path);
    for (const each of [host, loaded]) await run(each, 8);
    assertEquals(outcomeOf(loaded), outcomeOf(host));
    assertEquals(await Deno.readFile(disk), content);
    content[5]++;
    await Deno.writeFile(disk, content);
    const refused = (why: string) => assertRejects(() => load(path), SnapshotError, why);
    await refused(`${disk} is not the disk that it was taken with: its SHA-256 differs`);
    await Deno.remove(disk);
    await refused(`the disk ${disk} is not there`);
  });
});

Deno.test("code that a file names and nobody gives is told by its name", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "host");
    const host = await Host.boot({ memory: "32MiB" });
    const model = host.modelled.create({ name: "model", memory: "4MiB" });
    model.kernel.spawn(sleeper);
    const outside = host.outside.add({ address: "10.0.0.1" });
    await Host.save(host, path);
    await assertRejects(
      () => Host.load(path),
      SnapshotError,
      `snapshot ${path}: domain model runs the program sleeper, which has to be given`,
    );
    const service = { name: "echo" };
    outside.listen({ address: outside.addHost("echo", "10.9.9.9"), port: 7 }, service);
    await Host.save(host, path);
    await assertRejects(
      () => load(path),
      SnapshotError,
      "the snapshot has the network service echo; known are: none",
    );
    const loaded = await Host.load(path, { programs: [sleeper], services: [service] });
    assertEquals(loaded.outside.save(), host.outside.save());
  });
});

Deno.test("the prompt and xl put a host into a file, and the prompt makes of a file what it holds", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "host");
    const host = await Host.boot({ memory: "32MiB" });
    await answer(await startTiny(host, "web", "", { vif: [] }));
    const name = [...hosts].find(([, each]) => each === host)![0];
    const noMachine = () => {
      throw new RangeError("there is no machine");
    };
    const { save, load } = HISTORY_COMMANDS;
    assertEquals(
      await save.run([path, name], noMachine),
      `${name} at cycle ${host.hardware.clock.reached} is in ${path}`,
    );
    await assertRejects(() => save.run([path, "host0"], noMachine), RangeError, "no host host0");
    assertEquals(
      await load.run([path], noMachine),
      `a host is at cycle ${host.hardware.clock.reached}: .xl means it`,
    );
    assertEquals(outcomeOf([...hosts].at(-1)![1]), outcomeOf(host));
    const verbs = `${path}2`;
    await SESSION_VERBS.snapshot.run({ tools: Toolstack.of(host) } as XlSession, [verbs], {});
    assertEquals(outcomeOf(await Host.load(verbs)), outcomeOf(host));
  });
});
