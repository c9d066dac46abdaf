/** Modelled domains and machine code on one bridge: the same back end, nodes, grants and channels; echoes, streams, and the end. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Cycle } from "../../../core/clock/clock.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import type { DomainId } from "../../../core/lib/brand.ts";
import { parseIpv4, parseMac } from "../../../devices/net/mod.ts";
import { UserNetwork } from "../../../devices/usernet/mod.ts";
import { call, createLinux, exit, type Program } from "../../../guests/model/mod.ts";
import { Network } from "../../../guests/model/net/network.ts";
import { hostAddress } from "../../../guests/model/net/packet.ts";
import { ttcpReceive, ttcpTransmit } from "../../../guests/model/workloads/ttcp/ttcp.ts";
import { udpEcho } from "../../../guests/model/workloads/udp_echo/udp_echo.ts";
import type { VifConfig } from "../../../testbed/host/domain_config.ts";
import { Host } from "../../../testbed/host/host.ts";
import { installBridgedCard } from "../../../testbed/model/bridged_card.ts";
import { Toolstack } from "../../../testbed/toolstack/mod.ts";
import { debugKey } from "../../../testbed/toolstack/debug_keys.ts";
import { tshark } from "../../guests/tshark.ts";
import { answer, startTiny } from "./tiny_session.ts";

const DOM0 = 0 as DomainId;
const ECHO = 7;

/** A modelled Linux with a card on the bridge. */
function startModelled(host: Host, name: string, address: string, vif: VifConfig = {}) {
  const number = hostAddress(parseIpv4(address));
  return host.modelled.create({
    name,
    memory: "8MiB",
    kernel(place) {
      const { kernel, descriptors } = createLinux(place);
      const network = new Network(kernel, descriptors, { address: number });
      kernel.install(network);
      installBridgedCard(host, place, kernel, network, number, vif);
      return kernel;
    },
  });
}

/** Asks for a UDP echo of `bytes`, so many times, and reports what came back each time. */
const asker: Program = {
  name: "asker",
  steps: {
    begin: () => call("bind", { port: 7000 }, "bound"),
    bound: ({ locals, value }) => {
      locals.fd = value;
      return ask(locals.fd, locals.to, locals.bytes as Uint8Array);
    },
    asked: ({ locals: { fd } }) => call("recv", { fd, bytes: 2048 }, "answered"),
    answered: ({ locals, result }) => {
      locals.times = Number(locals.times) - 1;
      const { says } = result as { readonly says: readonly Uint8Array[] };
      return call("report", { name: "echo", value: [...says[0]] }, "again");
    },
    again: ({ locals }) =>
      locals.times === 0 ? exit() : ask(locals.fd, locals.to, locals.bytes as Uint8Array),
  },
};

function ask(fd: unknown, to: unknown, says: Uint8Array) {
  const about = { fd: Number(fd), to: Number(to), port: ECHO, bytes: says.length, says };
  return call("sendto", about, "asked");
}

const advance = (host: Host, seconds: number) => {
  const { clock } = host.hardware;
  host.dispatcher.advance(clock.now + seconds * clock.frequencyHz as Cycle);
};

Deno.test("a tiny domain's echoes are answered by a modelled one, and Wireshark finds nothing wrong with them", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const modelled = startModelled(host, "model", "10.0.0.1");
  modelled.kernel.spawn(udpEcho, { locals: { port: ECHO } });
  const tiny = await startTiny(host, "tiny", "ip 10.0.0.2");
  const capture = await Deno.makeTempFile({ suffix: ".pcap" });
  Toolstack.of(host).networkCapture(tiny, "0", capture);
  await answer(tiny);
  const found = [];
  for (const command of ["ping 10.0.0.1 5", "udp 10.0.0.1 20", "udp 10.0.0.1 3 1472"]) {
    const [line] = await answer(tiny, command);
    found.push(line.replace(/ in \d+ us$/, ""));
  }
  assertEquals(found, [
    "5 of 5 answers from 10.0.0.1",
    "20 of 20 answers from 10.0.0.1",
    "3 of 3 answers from 10.0.0.1",
  ]);
  const fields = ["_ws.malformed", "ip.checksum.status", "udp.checksum.status"];
  const frames = await tshark(
    capture,
    ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"].concat(
      ["-E", "separator=|"],
      fields.flatMap((field) => ["-e", field]),
    ),
  );
  if (frames) assertEquals(frames.filter((frame) => /^[^|]|\|0/.test(frame)), []);
  // One ARP question and its answer, then each question and its answer; the vif's own view is the guest's.
  const [{ driver: { counters } }] = host.zero.cardsOf(modelled.domain.id);
  const { txPackets, rxPackets, txDropped, rxDropped } = counters;
  assertEquals([txPackets, rxPackets, txDropped, rxDropped], [29, 29, 0, 0]);
  const [{ port }] = host.zero.cardsOf(modelled.domain.id);
  assertEquals(port.name, `vif${modelled.domain.id}.0`);
  await Deno.remove(capture);
});

Deno.test("a modelled domain's echoes are answered by a tiny one, byte for byte", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const tiny = await startTiny(host, "tiny", "ip 10.0.0.2");
  await answer(tiny);
  const modelled = startModelled(host, "model", "10.0.0.1");
  const says = Uint8Array.from({ length: 100 }, (_, index) => index);
  const locals = { to: parseIpv4("10.0.0.2"), bytes: says, times: 3 };
  modelled.kernel.spawn(asker, { locals });
  advance(host, 2);
  assertEquals(modelled.kernel.reports.map(({ value }) => value), [[...says], [...says], [
    ...says,
  ]]);
});

Deno.test("streams go over the bridge from a modelled domain and to it; the other TCP knows nothing of it", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const outside = new UserNetwork({
    clock: host.hardware.clock,
    name: "outside",
    port: host.zero.bridge("br0").attach("outside"),
    mac: parseMac("00:16:3e:ff:00:01"),
    address: parseIpv4("10.0.0.254"),
    dhcp: { first: parseIpv4("10.0.0.10"), count: 1, netmask: parseIpv4("255.255.255.0") },
  });
  let received = 0;
  const ends: string[] = [];
  outside.listen({ address: parseIpv4("10.0.0.254"), port: 5001 }, {
    name: "sink",
    data: (_, bytes) => void (received += bytes.length),
    closed: (_, why) => void ends.push(why),
  });
  const modelled = startModelled(host, "model", "10.0.0.1");
  const bytes = 1_000_000;
  modelled.kernel.spawn(ttcpTransmit, {
    locals: {
      address: parseIpv4("10.0.0.254"),
      port: 5001,
      bytes,
      bufferBytes: 65536,
      lengthBytes: 8192,
    },
  });
  advance(host, 5);
  assertEquals([received, ends], [bytes, ["done"]]);
  const locals = { port: 5002, bytes: 300_000, bufferBytes: 65536, lengthBytes: 8192 };
  modelled.kernel.spawn(ttcpReceive, { locals });
  advance(host, 0.1);
  const from = parseIpv4("10.0.0.253");
  const stream = outside.connect(from, { address: parseIpv4("10.0.0.1"), port: 5002 }, {
    name: "source",
    connected: (stream) => stream.write(new Uint8Array(300_000)),
  });
  advance(host, 5);
  assertEquals(stream.state, "closed");
  const [, { value }] = modelled.kernel.reports;
  assertEquals((value as { readonly bytes: number }).bytes, 300_000);
});

Deno.test("what a modelled domain shares is in XenStore and under the debug keys, and its back end connects to it", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const mac = "00:16:3e:00:00:77";
  const { domain: { id } } = startModelled(host, "model", "10.0.0.1", { mac, bridge: "lab" });
  advance(host, 0.1);
  const back = `/local/domain/0/backend/vif/${id}/0`;
  const front = `/local/domain/${id}/device/vif/0`;
  const read = (path: string) => host.zero.tools.readText(path);
  assertEquals(
    [`${back}/state`, `${front}/state`, `${back}/mac`, `${back}/bridge`, `${back}/hotplug-status`]
      .map(read),
    ["4", "4", mac, "lab", "connected"],
  );
  assertEquals(read(`${front}/tx-ring-ref`), "8");
  const tools = Toolstack.of(host);
  assertEquals(debugKey(tools, "g"), [
    `Grant table for domain ${id} (model): 2 frames`,
    "  domain 0 maps 2 of its pages",
  ]);
  assertEquals(debugKey(tools, "e"), [
    `Event channel information for domain ${id} (model):`,
    `  ${read(`${front}/event-channel`)}: interdomain, d${id}v0`,
  ]);
  assertStringIncludes(debugKey(tools, "m").join("\n"), `domain ${id}: 2048 frames`);
  assertThrows(() => startModelled(host, "other", "10.0.0.3", { mac }), RangeError, mac);
  assertEquals(host.modelled.all.length, 1);
});

Deno.test("a modelled domain that is killed in the middle of its echoes leaves nothing, and the others go on", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const { hypervisor, zero } = host;
  const tiny = await startTiny(host, "tiny", "ip 10.0.0.2");
  await answer(tiny);
  const attached = () => zero.bridge("br0").ports.filter((port) => port.attached).length;
  // The tiny domain's rings are mapped by domain 0, which the audit does not know of.
  const state = () => [hypervisor.frames.freeFrames, attached(), auditFrames(hypervisor)];
  const before = state();
  const mac = "00:16:3e:00:00:77";
  const modelled = startModelled(host, "model", "10.0.0.1", { mac });
  modelled.kernel.spawn(udpEcho, { locals: { port: ECHO } });
  tiny.console.send("udp 10.0.0.1 300\n");
  await host.run({ forCycles: 3_000_000 as never });
  const { id } = modelled.domain;
  const [{ driver: { counters } }] = zero.cardsOf(id);
  assertEquals(counters.rxPackets > 0, true);
  host.modelled.destroy(modelled);
  assertEquals(state(), before);
  hypervisor.grants.audit();
  const mapped = [...hypervisor.grants.mappingsOf(DOM0)].map(({ mapping }) => mapping.dom);
  assertEquals(mapped.includes(id), false);
  assertEquals([...hypervisor.events.list(id)], []);
  for (const path of [`/local/domain/${id}`, `/local/domain/0/backend/vif/${id}/0`]) {
    assertEquals([...zero.store.list(path)], []);
  }
  // Another one in its place answers what is still asked; what was lost in between is all that is missing.
  const again = startModelled(host, "again", "10.0.0.1", { mac });
  again.kernel.spawn(udpEcho, { locals: { port: ECHO } });
  await tiny.console.waitFor("answers from", { timeoutSimulated: "60s" });
  const [, count] = /(\d+) of 300 answers/.exec(tiny.console.text)!;
  assertEquals(Number(count) >= 298 && Number(count) < 300, true, count);
});

Deno.test("tools unplug a modelled domain's card: it closes its half, and the card is gone", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const { domain: { id } } = startModelled(host, "model", "10.0.0.1");
  advance(host, 0.1);
  const [{ path }] = host.zero.cardsOf(id);
  host.zero.askToUnplug(id, path);
  advance(host, 0.1);
  assertEquals(host.zero.cardsOf(id), []);
});

Deno.test("a host with modelled and tiny domains on a bridge goes back to a snapshot, and does the same again", async () => {
  const host = await Host.boot({ memory: "48MiB", profile: "xeon-2003" });
  const tiny = await startTiny(host, "tiny", "ip 10.0.0.2");
  await answer(tiny);
  const modelled = startModelled(host, "model", "10.0.0.1");
  const bytes = new Uint8Array([1, 2, 3]);
  const locals = { to: parseIpv4("10.0.0.2"), bytes, times: 200 };
  modelled.kernel.spawn(asker, { locals });
  advance(host, 0.02);
  const snapshot = host.snapshot();
  const on = () => {
    advance(host, 0.1);
    const [{ driver }] = host.zero.cardsOf(modelled.domain.id);
    return structuredClone([driver.counters, modelled.kernel.reports, modelled.kernel.counts]);
  };
  const first = on();
  host.restore(snapshot);
  assertEquals(on(), first);
  assertEquals((first[0] as { rxPackets: number }).rxPackets > 50, true);
});
