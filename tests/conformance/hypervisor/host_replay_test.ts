/** Recorded hosts: what was written down is what happens again. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import type { Cycle, Cycles } from "../../../core/clock/clock.ts";
import { SnapshotError } from "../../../core/lib/snapshot.ts";
import { DiskImage, memoryBase, zeroBase } from "../../../devices/disk/mod.ts";
import { tinyDomain } from "../../../guests/tiny/mod.ts";
import { openFileDisk } from "../../../testbed/disk_file.ts";
import { domainSettings } from "../../../testbed/toolstack/xl_cfg/domain_settings.ts";
import { createMachine, Host, replay, replayHost, toolstack } from "../../../mod.ts";
import { echoGuest } from "../echo_guest.ts";
import { answer, startTiny } from "./tiny_session.ts";
import { withFolder } from "../../with_folder.ts";

const MS = 1_000_000;
const SENDER = [0x52, 0x55, 0x0a, 0, 0, 9];
/** An ARP request of 10.0.0.9 for 10.0.0.1. */
const WHO_HAS = Uint8Array.of(
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...SENDER, 8, 6],
  ...[0, 1, 8, 0, 6, 4, 0, 1, ...SENDER, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1],
);

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function inFolder(body: (log: string) => Promise<void>): Promise<void> {
  return withFolder((folder) => body(join(folder, "log")));
}

/** What can be told of a host. */
function outcome(host: Host) {
  const { clock, trace } = host.hardware;
  const domains = host.domains.map(({ id, name, console, domain }) =>
    `${id} ${name} ${domain.pages} ${domain.shutdown} ${console.text}`
  );
  return { now: clock.reached as number, hash: trace.hash, domains };
}

/** Two domains that talk, and much that the toolstack does to them. */
async function drive(host: Host): Promise<void> {
  const tools = await toolstack(host);
  const a = await startTiny(host, "a", "ip 10.0.0.1");
  const b = await startTiny(host, "b", "ip 10.0.0.2", { maxmem: "8MiB" });
  await answer(a);
  await answer(b);
  tools.rename(b, "second");
  tools.schedule(b, { weight: 512 });
  tools.vcpuPin(b, "all", "0");
  tools.memMax(b, "16");
  a.console.send("ping 10.0.0.2 3\n");
  await host.run({ forCycles: 12_345 as Cycles });
  tools.pause(b);
  await host.run({ forCycles: 3 * MS as Cycles });
  assertThrows(() => tools.memSet(b, "64"), RangeError);
  a.console.send("he");
  tools.unpause(b);
  await host.run({ forCycles: 30 * MS as Cycles });
  a.console.send("lp\n");
  await answer(b, "udp 10.0.0.1 20");
  tools.networkDetach(b, "0");
  await host.run({ forCycles: 5 * MS as Cycles });
  tools.networkAttach(b, "bridge=br1");
  await host.run({ forCycles: 5 * MS as Cycles });
  await assertRejects(() => startTiny(host, "huge", "", { memory: "1GiB" }));
  tools.destroy(a);
  await startTiny(host, "c", "mac");
  await host.run({ forCycles: 20 * MS as Cycles });
}

for (const cpus of [1, 2]) {
  Deno.test(`a replay of a host with ${cpus} CPUs has its domains, consoles and trace hash`, async () => {
    await inFolder(async (log) => {
      const host = await Host.boot({ memory: "64MiB", cpus });
      const recording = await Host.record(host, log);
      await assertRejects(() => Host.record(host, log), TypeError, "is recorded already");
      await drive(host);
      recording.stop();
      const replayed = await replayHost(log);
      assertEquals(outcome(replayed.host), outcome(host));
      assertEquals(replayed.recordedTo, host.hardware.clock.reached);
      assert(replayed.checked > 5);
      await host.run({ forCycles: MS as Cycles });
      await replayed.host.run({ forCycles: MS as Cycles });
      assertEquals(outcome(replayed.host), outcome(host));
    });
  });
}

Deno.test("a replay of a host stops where it is told, and goes on from there with what is left", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    await drive(host);
    recording.stop();
    const to = 1_000_003 as Cycle;
    const replayed = await replayHost(log, { to });
    assertEquals(replayed.host.hardware.clock.reached, to);
    assertEquals(replayed.host.domains.map(({ name }) => name), ["a", "second"]);
    for (const at of [1_000_004, 3_000_000, 30_000_001] as Cycle[]) {
      await replayed.runTo(at);
      assertEquals(replayed.host.hardware.clock.reached, at);
    }
    await replayed.runTo();
    assertEquals(outcome(replayed.host), outcome(host));
  });
});

Deno.test("a frame from outside reaches a domain, which answers, and comes again in a replay", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    const domain = await startTiny(host, "a", "ip 10.0.0.1");
    await answer(domain);
    const [card] = host.zero.cardsOf(domain.id);
    const heard: Uint8Array[] = [];
    card.port.tap = (frame, _at, direction) => direction === "in" && heard.push(frame.slice());
    host.sendFrame("br0", WHO_HAS);
    await host.run({ forCycles: MS as Cycles });
    recording.stop();
    const reply = heard.find((frame) => frame[12] === 8 && frame[13] === 6 && frame[21] === 2);
    assertEquals(reply?.subarray(28, 42), Uint8Array.of(10, 0, 0, 1, ...SENDER, 10, 0, 0, 9));
    assertThrows(() => host.sendFrame("br0", new Uint8Array(3)), RangeError, "a frame has 14 to");
    const { host: again } = await replayHost(log);
    assertEquals(outcome(again), outcome(host));
    const counters = (each: Host) =>
      each.zero.cardsOf(domain.id).map(({ driver }) => driver.counters);
    assertEquals(counters(again), counters(host));
  });
});

Deno.test("a domain that its toolstack starts again is started again in a replay, which has no toolstack", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    const tools = await toolstack(host);
    await Host.record(host, log);
    const settings = domainSettings(
      'name = "x"\nkernel = "tiny"\nmemory = 4\non_reboot = "restart"',
      "x",
    );
    const domain = await tools.createFrom(settings);
    await domain.console.waitFor("tiny> ");
    domain.console.send("reboot\n");
    await host.run({ forCycles: 40 * MS as Cycles });
    assertEquals(host.domains.map(({ id, name }) => `${id} ${name}`), ["2 x"]);
    const { host: again, recordedTo } = await replayHost(log);
    await host.run({ untilCycle: recordedTo });
    assertEquals(again.domains.map(({ id, name }) => `${id} ${name}`), ["2 x"]);
    assertEquals(again.domains[0].console.text, host.domains[0].console.text);
  });
});

Deno.test("a recording of a host may begin anywhere, with a file beside it", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    const domain = await startTiny(host, "a", "ip 10.0.0.1");
    await answer(domain);
    domain.console.send("he");
    await host.run({ forCycles: MS as Cycles });
    const recording = await Host.record(host, log);
    await answer(domain, "lp");
    recording.stop();
    const { host: again } = await replayHost(log);
    assertEquals(outcome(again), outcome(host));
    const whole = await Deno.readFile(`${log}.snapshot`);
    await Host.save(host, `${log}.snapshot`);
    await assertRejects(() => replayHost(log), SnapshotError, "does not belong to it");
    await Deno.writeFile(`${log}.snapshot`, whole.subarray(0, whole.length - 1));
    await assertRejects(() => replayHost(log), SnapshotError, "it is cut short");
    await Deno.remove(`${log}.snapshot`);
    await assertRejects(() => replayHost(log), RangeError, `${log}.snapshot`);
  });
});

Deno.test("a host's log that nobody ended replays to its last record; a torn one to the last whole record", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    const domain = await startTiny(host, "a", "");
    for (let i = 0; i < 3; i++) {
      domain.console.send("x");
      await host.run({ forCycles: MS as Cycles });
    }
    const alive = await replayHost(log);
    assertEquals([alive.recordedTo as number, alive.tornBytes], [2 * MS, 0]);
    const whole = await Deno.readFile(log);
    for (const missing of [1, 5, 20]) {
      await Deno.writeFile(log, whole.subarray(0, whole.length - missing));
      const torn = await replayHost(log);
      assert(torn.tornBytes > 0);
      assertEquals(torn.recordedTo as number, 2 * MS);
    }
    await Deno.writeFile(log, whole.subarray(0, 30));
    await assertRejects(() => replayHost(log), SnapshotError, "does not say from what it begins");
    recording.stop();
  });
});

Deno.test("a host's log that is altered, of something else, or of another run has its error", async () => {
  await inFolder(async (log) => {
    const machine = await createMachine({ kernel: echoGuest(), memory: "8MiB" });
    (await machine.record(log)).stop();
    await assertRejects(
      () => replayHost(log),
      SnapshotError,
      `log ${log}: it is of a machine, not of a host: replay reads it`,
    );
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    await answer(await startTiny(host, "a", "ip 10.0.0.1"));
    recording.stop();
    await assertRejects(
      () => replay(log),
      SnapshotError,
      `log ${log}: it is of a host, not of a machine: replayHost reads it`,
    );
    const whole = await Deno.readFile(log);
    const at = new TextDecoder("latin1").decode(whole).indexOf("ip 10.0.0.1");
    const altered = whole.slice();
    altered[at] ^= 1;
    await Deno.writeFile(log, altered);
    await assertRejects(() => replayHost(log), SnapshotError, "it was altered: the CRC");
    await Deno.writeTextFile(log, "no log");
    await assertRejects(() => replayHost(log), SnapshotError, "it is no log of Xenarium");
  });
});

Deno.test("a recorded host takes nothing that a log cannot hold, and stays as it was", async () => {
  await inFolder(async (log) => {
    const host = await Host.boot({ memory: "64MiB" });
    await Host.record(host, log);
    await startTiny(host, "b", "");
    assertThrows(
      () => host.modelled.create({ name: "m", memory: "4MiB" }),
      TypeError,
      "takes no domain m, whose programs are no data",
    );
    assertEquals(host.domains.map(({ name }) => name), ["b"]);
    await host.run({ forCycles: MS as Cycles });
    const { host: again } = await replayHost(log);
    assertEquals(again.domains.map(({ name }) => name), ["b"]);
  });
});

Deno.test("disks come again in a replay with what they held when a domain was given them first", async () => {
  await inFolder(async (log) => {
    const path = `${log}.img`;
    await Deno.writeFile(path, bytes("of the file".padEnd(1024, "\0")));
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    const blank = new DiskImage(zeroBase(64 * 1024));
    blank.write(512, bytes("written before\0"));
    const first = await startTiny(host, "first", "", { disk: [{ vdev: "xvda", image: blank }] });
    await answer(first);
    assertEquals(await answer(first, "read 1"), ["written before"]);
    await answer(first, "write 2 by the first");
    host.destroy(first);
    const second = await startTiny(host, "second", "", { disk: [{ vdev: "xvda", image: blank }] });
    await answer(second);
    assertEquals(await answer(second, "read 2"), ["by the first"]);
    const file = openFileDisk(path, { readonly: true });
    const { image } = file;
    const third = await startTiny(host, "third", "", {
      disk: [{ vdev: "xvda", image, readonly: true }],
    });
    await answer(third);
    assertEquals(await answer(third, "read 0"), ["of the file"]);
    host.plugDisk(third, { vdev: "xvdb", image: new DiskImage(memoryBase(bytes("seven"))) });
    await host.run({ forCycles: MS as Cycles });
    recording.stop();
    const { host: again } = await replayHost(log);
    assertEquals(outcome(again), outcome(host));
    const state = again.zero.tools.read("/local/domain/3/device/vbd/51728/state");
    assertEquals(state, bytes("1"));
    file.close();
    await Deno.writeFile(path, bytes("of another".padEnd(1024, "\0")));
    await assertRejects(
      () => replayHost(log),
      SnapshotError,
      `${path} is not the disk that it was taken with`,
    );
  });
});

Deno.test("a log that names an image has the digest of what it was, and does without no other", async () => {
  await inFolder(async (log) => {
    const kernel = `${log}.kernel`;
    await Deno.writeFile(kernel, tinyDomain());
    const host = await Host.boot({ memory: "64MiB" });
    const recording = await Host.record(host, log);
    await answer(await startTiny(host, "a", "", { kernel }));
    recording.stop();
    assertEquals(outcome((await replayHost(log)).host), outcome(host));
    const other = tinyDomain();
    other[other.length - 1] ^= 1;
    await Deno.writeFile(kernel, other);
    await assertRejects(() => replayHost(log), SnapshotError, "are not those it was recorded with");
  });
});
