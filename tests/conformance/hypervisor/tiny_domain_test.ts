/** The tiny domain against the back ends: packets, blocks, plugging, and eight of them at once on every engine. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Cycles } from "../../../core/clock/clock.ts";
import type { EngineName } from "../../../core/x86/engine.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import { DiskImage, memoryBase, zeroBase } from "../../../devices/disk/mod.ts";
import { parseIpv4, parseMac, pcapHeader } from "../../../devices/net/mod.ts";
import { UserNetwork } from "../../../devices/usernet/mod.ts";
import { Host } from "../../../testbed/host/host.ts";
import { Toolstack } from "../../../testbed/toolstack/mod.ts";
import { tshark } from "../../guests/tshark.ts";
import { answer, startTiny } from "./tiny_session.ts";

/** Of each frame: what is malformed, whether its checksums are good, its protocol. */
const CHECKS = ["-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|"].concat(
  ["_ws.malformed", "ip.checksum.status", "icmp.checksum.status", "_ws.col.Protocol"]
    .flatMap((field) => ["-e", field]),
);
const SECOND = 1e9 as Cycles;

Deno.test("two tiny domains exchange echoes, and Wireshark finds nothing wrong with them", async () => {
  const host = await Host.boot({ memory: "32MiB", profile: "xeon-2003" });
  const a = await startTiny(host, "a", "ip 10.0.0.1");
  const b = await startTiny(host, "b", "ip 10.0.0.2");
  const capture = await Deno.makeTempFile({ suffix: ".pcap" });
  Toolstack.of(host).networkCapture(b, "0", capture);
  assertEquals(await answer(a), [
    "tiny: a domain of 1024 pages",
    "tiny: a network card",
    "ip: 10.0.0.1",
  ]);
  await answer(b);
  const found = [];
  for (const command of ["ping 10.0.0.1 5", "udp 10.0.0.1 20", "udp 10.0.0.1 3 1472"]) {
    const [line] = await answer(b, command);
    found.push(line.replace(/ in \d+ us$/, ""));
  }
  assertEquals(found, [
    "5 of 5 answers from 10.0.0.1",
    "20 of 20 answers from 10.0.0.1",
    "3 of 3 answers from 10.0.0.1",
  ]);
  const frames = await tshark(capture, CHECKS);
  if (frames) {
    const tally: Record<string, number> = {};
    for (const frame of frames) tally[frame] = (tally[frame] ?? 0) + 1;
    // Each IP and ICMP header's checksum is good (1); each question has its answer.
    assertEquals(tally, { "|||ARP": 2, "|1|1|ICMP": 10, "|1||ECHO": 46 });
  }
  const [{ driver: { counters } }] = host.zero.cardsOf(b.id);
  // One ARP request and its answer, then each question and its answer.
  assertEquals([counters.txPackets, counters.rxPackets, counters.txDropped], [29, 29, 0]);
  await Deno.remove(capture);
});

Deno.test("a tiny domain gets its address by DHCP, and reaches the outside", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  new UserNetwork({
    clock: host.hardware.clock,
    name: "outside",
    port: host.zero.bridge("br0").attach("outside"),
    mac: parseMac("00:16:3e:ff:00:01"),
    address: parseIpv4("10.0.0.1"),
    dhcp: { first: parseIpv4("10.0.0.10"), count: 10, netmask: parseIpv4("255.255.255.0") },
  });
  const domain = await startTiny(host, "a", "ip dhcp; ping 10.0.0.1 2");
  const [, , ...lines] = await answer(domain);
  assertEquals(lines[0], "ip: 10.0.0.10");
  assertStringIncludes(lines[1], "2 of 2 answers from 10.0.0.1");
  const alone = await startTiny(host, "b", "ip dhcp", { vif: [{ bridge: "nobody" }] });
  assertEquals((await answer(alone)).at(-1), "ip: nobody offers an address");
});

Deno.test("what a tiny domain writes is on its disk, and what is there it reads", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  const image = new DiskImage(memoryBase(new Uint8Array(64 * 512)));
  const disk = [{ vdev: "xvda", image }];
  const domain = await startTiny(host, "a", "check 64", { vif: [], disk });
  assertEquals(await answer(domain), [
    "tiny: a domain of 1024 pages",
    "tiny: a disk of 64 sectors",
    "64 sectors written and read",
  ]);
  image.write(3 * 512, new TextEncoder().encode("from outside\0"));
  assertEquals(await answer(domain, "read 3"), ["from outside"]);
  assertEquals(await answer(domain, "write 63 from within"), []);
  const sector = new Uint8Array(512);
  image.read(63 * 512, sector);
  assertEquals(new TextDecoder().decode(sector).replace(/\0+$/, ""), "from within");
  assertEquals(await answer(domain, "read 64"), ["the disk failed"]);
  assertEquals(await answer(domain, "check 65"), ["misused; there is help"]);
  const { reads, writes, flushes, failed } = host.zero.disksOf(domain.id)[0].driver.counters;
  assertEquals({ reads, writes, flushes, failed }, {
    reads: 65,
    writes: 65,
    flushes: 1,
    failed: 1,
  });
});

Deno.test("cards and disks come and go while a tiny domain runs", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  const domain = await startTiny(host, "a", "", { vif: [] });
  await answer(domain);
  assertEquals(await answer(domain, "ip 10.0.0.1"), ["there is no network card"]);
  const path = `/local/domain/0/backend/vif/${domain.id}/0`;
  for (let round = 0; round < 2; round++) {
    host.plugVif(domain, 0, {});
    await domain.console.waitFor("tiny: a network card\n");
    assertEquals(host.zero.tools.readText(`${path}/state`), "4");
    host.zero.askToUnplug(domain.id, path);
    await domain.console.waitFor("tiny: the network card is gone\n");
    await host.run({ forCycles: SECOND });
    assertEquals(host.zero.tools.readText(`${path}/state`), null);
  }
  assertEquals(host.zero.bridge("br0").ports.some(({ attached }) => attached), false);
});

Deno.test("a tiny domain ends when it is told to, from inside and from outside", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  const ends: (string | null)[] = [];
  const tools = Toolstack.of(host);
  for (const how of ["off", "reboot", "xl shutdown", "xl reboot"]) {
    const domain = await startTiny(host, how, "");
    await answer(domain);
    if (how === "xl shutdown") tools.shutdown(domain);
    else if (how === "xl reboot") tools.reboot(domain);
    else domain.console.send(`${how}\n`);
    await host.run({ untilShutdown: domain, forCycles: SECOND });
    ends.push(domain.domain.shutdown);
  }
  assertEquals(ends, ["poweroff", "reboot", "poweroff", "reboot"]);
});

Deno.test("a rate limit holds, and counters and captures agree on what passed", async () => {
  const host = await Host.boot({ memory: "32MiB", profile: "xeon-2003" });
  const tools = Toolstack.of(host);
  const a = await startTiny(host, "a", "ip 10.0.0.1");
  const b = await startTiny(host, "b", "", { vif: [] });
  for (const each of [a, b]) await answer(each);
  tools.networkAttach(b, "rate=1Mb/s");
  await b.console.waitFor("tiny: a network card\n");
  const capture = await Deno.makeTempFile();
  tools.networkCapture(b, "0", capture);
  assertEquals(await answer(b, "ping 10.0.0.1"), ["there is no address: ip gives one"]);
  await answer(b, "ip 10.0.0.2");
  const [line] = await answer(b, "udp 10.0.0.1 100 1000");
  const [, answers, microseconds] = /^(\d+) of 100 .* (\d+) us$/.exec(line)!.map(Number);
  // 6250 bytes in each 50 ms: the last of 104,242 goes out in the 17th interval; the first was under way.
  assertEquals([answers, Math.floor(microseconds / 50_000)], [100, 15]);
  const [{ driver: { counters }, port }] = host.zero.cardsOf(b.id);
  const bytes = 42 + 100 * 1042;
  assertEquals(counters, {
    txPackets: 101,
    txBytes: bytes,
    txDropped: 0,
    rxPackets: 101,
    rxBytes: bytes,
    rxDropped: 0,
  });
  const { receivedFrames, sentFrames, receivedBytes, sentBytes } = port.counters;
  assertEquals([receivedFrames, sentFrames, receivedBytes, sentBytes], [101, 101, bytes, bytes]);
  const { size } = await Deno.stat(capture);
  assertEquals(size, pcapHeader().length + 202 * 16 + 2 * bytes);
  await Deno.remove(capture);
});

/** Eight domains on two CPUs, each asking its neighbour: what they say, when they are done, and the trace. */
async function ringOfEight(engine: EngineName) {
  const host = await Host.boot({ memory: "64MiB", cpus: 2, profile: "xeon-2003", engine });
  const domains = await Promise.all(
    Array.from(
      { length: 8 },
      (_, n) =>
        startTiny(
          host,
          `n${n}`,
          `ip 10.0.0.${n}; udp 10.0.0.${(n + 1) % 8} 10 1000; ping 10.0.0.${n ^ 1}`,
        ),
    ),
  );
  const said: string[] = [];
  for (const domain of domains) said.push((await answer(domain)).slice(2).join("; "));
  const { clock, trace } = host.hardware;
  const cards = domains.map(({ id }) => host.zero.cardsOf(id)[0].driver.counters);
  return { said, cards: cards.map((each) => ({ ...each })), now: clock.now, hash: trace.hash };
}

Deno.test("eight domains that exchange packets leave the same trace hash twice, with the translator and without", async () => {
  const first = await ringOfEight("hot");
  first.said.forEach((text, n) => {
    assertStringIncludes(text, `10 of 10 answers from 10.0.0.${(n + 1) % 8}`);
    assertStringIncludes(text, `1 of 1 answers from 10.0.0.${n ^ 1}`);
  });
  assertEquals(await ringOfEight("hot"), first);
  assertEquals(await ringOfEight("cold"), first);
});

Deno.test("a tiny domain that is saved and restored goes on with what it was at", async () => {
  const host = await Host.boot({ memory: "32MiB", profile: "xeon-2003" });
  const a = await startTiny(host, "a", "ip 10.0.0.1");
  const image = new DiskImage(zeroBase(1 << 16));
  const devices = { vif: [{ mac: "00:16:3e:00:00:42" }], disk: [{ vdev: "xvda", image }] };
  const commands = "ip 10.0.0.2; check 128; udp 10.0.0.1 100; ping 10.0.0.1";
  await answer(a);
  let b = await startTiny(host, "b", commands, devices);
  let said = "";
  const phases: string[] = [];
  for (const cycles of [2e6, 2e6, 5e6, 2e6]) {
    await host.run({ forCycles: cycles as Cycles });
    await host.suspend(b);
    const { id, shutdown } = b.domain;
    said += b.console.text;
    phases.push(said.includes("written") ? "network" : "disk");
    const record = host.save(b);
    host.destroy(b);
    b = host.restoreDomain(record, devices);
    // Rings that a back end has mapped count as differences; b's are not yet.
    const wrong = auditFrames(host.hypervisor).filter(({ owner }) => owner === b.id);
    assertEquals([shutdown, b.id > id, wrong], ["suspend", true, []]);
  }
  await answer(b);
  said += b.console.text;
  assertEquals([...new Set(phases)], ["disk", "network"]);
  // One echo was on its way when it went to sleep.
  for (const line of ["99 of 100 answers", "128 sectors written and read\n", "1 of 1 answers"]) {
    assertStringIncludes(said, line);
  }
});
