/** Live views: what they tell of a host, and that a host which is looked at runs as one that is not. */

import { assertEquals, assertNotEquals } from "@std/assert";
import type { Cycles } from "../../../core/clock/clock.ts";
import { DiskImage, zeroBase } from "../../../devices/disk/mod.ts";
import { parseMac } from "../../../devices/net/mod.ts";
import { Host } from "../../../testbed/host/host.ts";
import { watchedHost } from "../../../testbed/host/watched_host.ts";
import { BoxSampler } from "../../../testbed/live/box_sampler.ts";
import { type LiveNews, LiveWatch } from "../../../testbed/live/live_watch.ts";
import { LoadBox } from "../../../testbed/model/load_box.ts";
import { MachineRegistry } from "../../../testbed/machine_registry.ts";
import { BoxRegistry, NO_DISK } from "../../../testbed/watched_boxes.ts";
import { AbiGuest } from "./abi_guest.ts";

/** `HYPERVISOR_console_io`'s command to write. */
const CONSOLE_WRITE = 0;
const SCRATCH = 0x4000_8000;

async function say(guest: AbiGuest, text: string): Promise<void> {
  guest.poke(SCRATCH, new TextEncoder().encode(text));
  await guest.call("console_io", CONSOLE_WRITE, text.length, SCRATCH);
}

Deno.test("a sample has domains, CPU time, links and who ran, all in simulated time", async () => {
  const host = await Host.boot({ memory: "64MiB", cpus: 2, scheduler: "credit2" });
  const sampler = new BoxSampler(watchedHost(host), "host1");
  const guest = await AbiGuest.join(host);
  const { id } = guest.domain;
  host.zero.plugDisk(id, { vdev: "xvda", image: new DiskImage(zeroBase(1 << 20)) });
  host.zero.plugVif(id, 0, { mac: parseMac("00:16:3e:00:00:01"), bridge: "lan" });
  await guest.call("xen_version", 0);
  const sample = sampler.sample(watchedHost(host));
  assertEquals([sample.host, sample.scheduler, sample.cpus.length], ["host1", "credit2", 2]);
  assertEquals(sample.timeNs, host.hardware.clock.now * 1e9 / host.hardware.clock.frequencyHz);
  assertEquals(
    sample.domains.map(({ name, memoryBytes, hasConsole }) => [
      name,
      memoryBytes,
      hasConsole,
    ]),
    [["Domain-0", 0, false], ["abi", 8 << 20, true]],
  );
  assertEquals(sample.links.map(({ bridge, port, domain }) => [bridge, port, domain]), [
    ["lan", "vif1.0", 1],
  ]);
  const ran = sample.schedule.filter(({ domain }) => domain === id)
    .reduce((sum, { fromNs, toNs }) => sum + toNs - fromNs, 0);
  assertNotEquals(sample.domains[1].cpuNs, 0);
  assertEquals(Math.abs(sample.domains[1].cpuNs - ran) < 1, true);
  assertEquals(sampler.sample(watchedHost(host)).schedule, []);
  sampler.stop();
});

Deno.test("a host that is watched has the trace hash of one that is not", async () => {
  const hashes: string[] = [];
  for (const watched of [false, true]) {
    const registry = new BoxRegistry();
    const host = await Host.boot({ memory: "32MiB" });
    registry.add("host", host, watchedHost);
    const watch = watched ? new LiveWatch(() => {}, { boxes: registry, everyMs: 1 }) : null;
    const guest = await AbiGuest.join(host);
    await say(guest, "hello");
    watch?.look();
    await host.run({ forCycles: 100_000 as Cycles });
    watch?.stop();
    hashes.push(host.hardware.trace.hash);
  }
  assertEquals(hashes[0], hashes[1]);
});

Deno.test("a watch tells of consoles, their text so far, and what they print, once each", async () => {
  const registry = new BoxRegistry();
  const host = await Host.boot({ memory: "32MiB" });
  const guest = await AbiGuest.join(host);
  await say(guest, "before ");
  registry.add("host", host, watchedHost);
  const news: LiveNews[] = [];
  const watch = new LiveWatch((each) => news.push(each), {
    boxes: registry,
    machines: new MachineRegistry(),
    everyMs: 60_000,
  });
  await say(guest, "after");
  watch.look();
  const consoles = news.filter((each) => each.kind !== "sample");
  assertEquals(consoles, [
    { kind: "console", key: "host1/1", title: "abi", text: "before " },
    { kind: "output", key: "host1/1", text: "after" },
  ]);
  assertEquals([watch.type("host1/1", "x"), watch.type("host1/2", "x")], [true, false]);
  watch.stop();
});

Deno.test("a host that stands still has no news", async () => {
  const registry = new BoxRegistry();
  const host = await Host.boot({ memory: "16MiB" });
  registry.add("host", host, watchedHost);
  const news: LiveNews[] = [];
  const watch = new LiveWatch((each) => news.push(each), { boxes: registry, everyMs: 60_000 });
  watch.look();
  watch.look();
  watch.stop();
  assertEquals(news.length, 1);
});

Deno.test("domains that are added to a box after it is watched are seen", async () => {
  const registry = new BoxRegistry();
  const box = await LoadBox.boot({ cpus: 1 });
  const { dispatcher, clock } = box;
  const news: LiveNews[] = [];
  const watch = new LiveWatch((each) => news.push(each), { boxes: registry, everyMs: 60_000 });
  // A view that was made once knows the domains of that time.
  registry.add("box", box, ({ domains }) => {
    const names = domains.map(({ name }) => name);
    const blank = { memoryBytes: 0, maxMemoryBytes: 0, halt: null, disk: NO_DISK, console: null };
    return {
      dispatcher,
      clock,
      memoryBytes: 0,
      domains: () => names.map((name, i) => ({ id: i + 1, name, ...blank })),
      links: () => [],
    };
  });
  box.create({ name: "late", load: { kind: "computes" } });
  watch.look();
  watch.stop();
  const seen = news.flatMap((each) => each.kind === "sample" ? [each.sample.domains] : []);
  assertEquals(seen.map((domains) => domains.map(({ name }) => name)), [[], ["late"]]);
});

Deno.test("domains of a box that only computes are watched, and have the box's CPUs", async () => {
  const box = await LoadBox.boot({ cpus: 2, scheduler: "bvt" });
  for (const name of ["a", "b", "c"]) box.create({ name, load: { kind: "computes" } });
  const news: LiveNews[] = [];
  const machines = new MachineRegistry();
  const watch = new LiveWatch((each) => news.push(each), { machines, everyMs: 60_000 });
  await box.run("300ms");
  watch.look();
  watch.stop();
  const samples = news.flatMap((each) => each.kind === "sample" ? [each.sample] : []);
  const mine = samples.filter(({ domains }) => domains.map(({ name }) => name).join("") === "abc");
  const total = mine.at(-1)!.domains.reduce((sum, { cpuNs }) => sum + cpuNs, 0);
  assertEquals(Math.round(total / 1e6), 600);
});
