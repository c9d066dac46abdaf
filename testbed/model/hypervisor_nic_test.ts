import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import type { DomainId } from "../../core/lib/brand.ts";
import { SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { CableDirection, GigabitNic } from "../../devices/gigabit_nic/mod.ts";
import {
  FLAG,
  type HostAddress,
  hostAddress,
  NO_MARKS,
  type Packet,
  PROTOCOL,
} from "../../guests/model/net/packet.ts";
import { createLinux } from "../../guests/model/mod.ts";
import type { NetFront } from "../../guests/model/net/net_front.ts";
import { Host } from "../host/host.ts";
import type { HostSnapshot } from "../host/host_snapshot.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";
import { virtualCard } from "./ring_nic.ts";

const PROFILE = profileNamed("xeon-2003");
const DOM0 = 0 as DomainId;
const [A, B, OUTSIDE] = [1, 2, 3].map(hostAddress);

const packet = (from: HostAddress, to: HostAddress, sequence: number): Packet => ({
  from,
  to,
  protocol: PROTOCOL.TCP,
  fromPort: 1,
  toPort: 2,
  flags: FLAG.ACK,
  sequence,
  acknowledgment: 0,
  window: 65536,
  payloadBytes: 1448,
  marks: NO_MARKS,
  frameBytes: 1514,
});

/** Memory of the box's domains: more than their rings need. */
const DOMAIN_MEMORY = "4MiB";

/** A box at an instant: its host, and what the host does not know. */
interface SavedBox {
  readonly whole: HostSnapshot;
  /** The hash of its RAM. */
  readonly ram: string;
  readonly parts: readonly SnapshotRecord[];
}

function expectSame(one: SavedBox, other: SavedBox): void {
  assertEquals(one.parts, other.parts);
  assertEquals(one.whole.record, other.whole.record);
  assertEquals(one.ram, other.ram);
}

function hashOfRam({ hardware: { memory } }: Host): string {
  const ram = new Uint8Array(memory.plan.ramBytes);
  memory.readRam(ram);
  return createHash("sha256").update(ram).digest("hex");
}

/** A box with two domains on a cable to one machine outside; the domains' front ends are driven by hand. */
async function rig() {
  const { frequencyHz } = PROFILE;
  const about = { memory: "32MiB", profile: "xeon-2003", frequencyHz } as const;
  const host = await Host.boot(about);
  const { clock } = host.hardware;
  const coalescing = {
    receiveNs: 50_000,
    receiveFrames: 3,
    transmitNs: 200_000,
    transmitFrames: 8,
  };
  const card = (name: string, raise: () => void) =>
    new GigabitNic<Packet>({ name, clock, coalescing, raise });
  const log: string[] = [];
  let busy = 0;
  const nic = card("near", () => hypervisor.onInterrupt());
  const hypervisor: HypervisorNic = new HypervisorNic({
    nic,
    costs: host.costs,
    occupy: (cycles: Cycles) => busy += cycles,
  });
  const outside = card("far", () => outside.reap());
  const cable = { clock, bitsPerSecond: 1e9, latencyNs: 10_000, frameGapNs: 0 };
  nic.connect(new CableDirection(cable, outside));
  outside.connect(new CableDirection(cable, nic));
  const domain = (name: string, address: HostAddress) => {
    let front: NetFront;
    let events = 0;
    const modelled = host.modelled.create({
      name,
      memory: DOMAIN_MEMORY,
      kernel(place) {
        const { kernel } = createLinux(place);
        const interrupt = () => void events++;
        kernel.install({ name: "counter", interrupts: { eth0: interrupt } });
        front = virtualCard(host, place, kernel, hypervisor, address);
        kernel.install(front);
        return kernel;
      },
    });
    const device = front!;
    const look = () => {
      for (let got = device.take(); got; got = device.take()) log.push(`${name} ${got.sequence}`);
      log.push(`${name} sent ${device.reap()}`);
      device.unmask();
    };
    return { modelled, device, look, events: () => events };
  };
  const [a, b] = [domain("a", A), domain("b", B)];
  const runFor = (ns: number) =>
    host.dispatcher.advance(clock.now + Math.round(ns * frequencyHz / 1e9) as Cycle);
  const save = (): SavedBox => ({
    whole: host.snapshot(),
    ram: hashOfRam(host),
    parts: structuredClone([nic, outside, hypervisor].map((each) => each.save())),
  });
  const restore = ({ whole, parts }: SavedBox) => {
    host.restore(whole);
    [nic, outside, hypervisor].forEach((each, place) => each.restore(parts[place]));
  };
  return { host, nic, outside, hypervisor, a, b, log, runFor, save, restore, busy: () => busy };
}

Deno.test("a frame finds its domain by address: a neighbour without the cable, the others over it", async () => {
  const { a, b, outside, log, runFor } = await rig();
  a.device.transmit(packet(A, B, 1));
  b.device.transmit(packet(B, OUTSIDE, 2));
  outside.transmit(packet(OUTSIDE, A, 3));
  runFor(1e6);
  assertEquals(outside.take()?.sequence, 2);
  a.look();
  b.look();
  assertEquals(log.filter((line) => !line.includes("told")), [
    "a 3",
    "a sent 1",
    "b 1",
    "b sent 1",
  ]);
});

Deno.test("a frame for nobody is dropped, and so is what neither ring nor back end has room for", async () => {
  const { a, b, outside, log, runFor } = await rig();
  outside.transmit(packet(OUTSIDE, OUTSIDE, 1));
  runFor(1e6);
  for (let n = 0; n < 600; n++) {
    a.device.transmit(packet(A, B, n));
    a.device.reap();
  }
  for (let times = 0; times < 3; times++) b.look();
  assertEquals(log.filter((line) => /^b \d/.test(line)).length, 512);
});

Deno.test("a front end is told once until it looks, and what it sends waits in its ring for the card", async () => {
  const { a, b, log, runFor } = await rig();
  for (let n = 0; n < 5; n++) a.device.transmit(packet(A, B, n));
  runFor(50e6);
  assertEquals(b.events(), 1);
  let taken = 0;
  while (a.device.transmit(packet(A, OUTSIDE, taken))) taken++;
  for (const n of [1, 2]) while (b.device.transmit(packet(B, OUTSIDE, n))) taken++;
  // Each ring has 256 entries: 5 of a's are answered but not reaped, and the card has 512 descriptors.
  assertEquals(taken, 251 + 256);
  runFor(20e6);
  a.look();
  b.look();
  assertEquals(log.filter((line) => line.includes("sent")), ["a sent 256", "b sent 256"]);
});

Deno.test("a box saved with frames in rings and on their way, and restored, goes on as one that was never saved", async () => {
  const [one, other] = [await rig(), await rig()];
  for (let n = 0; n < 5; n++) {
    one.a.device.transmit(packet(A, OUTSIDE, n));
    one.b.device.transmit(packet(B, n % 2 ? A : OUTSIDE, 10 + n));
    one.outside.transmit(packet(OUTSIDE, n % 2 ? A : B, 20 + n));
  }
  one.runFor(40_000);
  const saved = one.save();
  const [before, busy] = [one.log.length, one.busy()];
  const goOn = ({ a, b, outside, runFor }: Awaited<ReturnType<typeof rig>>) => {
    runFor(100_000);
    a.look();
    a.device.transmit(packet(A, B, 30));
    outside.transmit(packet(OUTSIDE, B, 31));
    runFor(1e6);
    a.look();
    b.look();
  };
  other.restore(saved);
  expectSame(other.save(), saved);
  goOn(one);
  goOn(other);
  assertEquals(other.log, one.log.slice(before));
  assertEquals(other.busy(), one.busy() - busy);
  assertEquals(one.log.filter((line) => /^[ab] \d/.test(line)).length, 9);
  expectSame(other.save(), one.save());
});

Deno.test("rings, packets and channel of a card are the domain's, and nothing of them is left when it goes", async () => {
  const { host, a, b, outside, log, runFor } = await rig();
  const { events, grants, frames } = host.hypervisor;
  const { id } = a.modelled.domain;
  const held = () => [...grants.mappingsOf(DOM0)].filter(({ mapping }) => mapping.dom === id);
  a.device.transmit(packet(A, OUTSIDE, 1));
  outside.transmit(packet(OUTSIDE, A, 2));
  runFor(1e6);
  // Two rings, the page of what was sent and that of what came.
  assertEquals(held().length, 4);
  const channels = [...events.list(id)].map(({ channel }) => channel.binding.kind);
  assertEquals(channels, ["interdomain"]);
  for (let n = 0; n < 20; n++) a.device.transmit(packet(A, OUTSIDE, n));
  const free = frames.freeFrames;
  host.modelled.destroy(a.modelled);
  assertEquals([held().length, [...events.list(id)].length], [0, 0]);
  // Its memory, its grant table's two frames and its shared information.
  assertEquals(frames.freeFrames - free >= 1024, true);
  grants.audit();
  b.device.transmit(packet(B, A, 3));
  outside.transmit(packet(OUTSIDE, A, 4));
  outside.transmit(packet(OUTSIDE, B, 5));
  runFor(1e6);
  b.look();
  assertEquals(log.slice(-2), ["b 5", "b sent 1"]);
});

Deno.test("an address is plugged in once, and a record of a box with other domains is refused", async () => {
  const [one, other] = [await rig(), await rig()];
  const { events, grants, memory } = one.host.hypervisor;
  const means = { domain: DOM0, events, grants, memory };
  assertThrows(() => one.hypervisor.plug(A, means, 7 as DomainId), RangeError, "at 1 already");
  one.hypervisor.plug(OUTSIDE, means, 7 as DomainId);
  assertThrows(() => other.hypervisor.restore(one.hypervisor.save()), SnapshotError, "1,2,3");
});
