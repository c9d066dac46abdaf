import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, type Cycles, MachineClock } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { CableDirection, GigabitNic } from "../../devices/gigabit_nic/mod.ts";
import {
  FLAG,
  type HostAddress,
  hostAddress,
  NO_MARKS,
  type Packet,
  PROTOCOL,
} from "../../guests/model/net/packet.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";

const PROFILE = profileNamed("xeon-2003");
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

/** A box with cards for two domains, on a cable to one machine outside. */
function rig() {
  const clock = new MachineClock(PROFILE.frequencyHz);
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
    costs: new CostTable(PROFILE, PROFILE.frequencyHz),
    occupy: (cycles: Cycles) => busy += cycles,
  });
  const outside = card("far", () => outside.reap());
  const cable = { clock, bitsPerSecond: 1e9, latencyNs: 10_000, frameGapNs: 0 };
  nic.connect(new CableDirection(cable, outside));
  outside.connect(new CableDirection(cable, nic));
  const domain = (name: string, address: HostAddress) => {
    const device = hypervisor.plug(address, () => log.push(`${name} told at ${clock.now}`));
    const look = () => {
      for (let got = device.take(); got; got = device.take()) log.push(`${name} ${got.sequence}`);
      log.push(`${name} sent ${device.reap()}`);
      device.unmask();
    };
    return { device, look };
  };
  const [a, b] = [domain("a", A), domain("b", B)];
  const runFor = (ns: number) => {
    const until = clock.now + Math.round(ns * PROFILE.frequencyHz / 1e9);
    while (clock.nextDeadline <= until) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(until as Cycle);
  };
  const save = () => structuredClone([clock, nic, outside, hypervisor].map((each) => each.save()));
  return { clock, nic, outside, hypervisor, a, b, log, runFor, save, busy: () => busy };
}

Deno.test("a frame finds its domain by address: a neighbour without the cable, the others over it", () => {
  const { a, b, outside, log, runFor } = rig();
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

Deno.test("a frame for nobody is dropped, and one for a full ring, too", () => {
  const { a, b, outside, log, runFor } = rig();
  outside.transmit(packet(OUTSIDE, OUTSIDE, 1));
  runFor(1e6);
  for (let n = 0; n < 600; n++) a.device.transmit(packet(A, B, n));
  b.look();
  assertEquals(log.filter((line) => /^b \d/.test(line)).length, 512);
});

Deno.test("cards saved with frames in them and on their way, and restored, go on as those that were never saved", () => {
  const [one, other] = [rig(), rig()];
  for (let n = 0; n < 5; n++) {
    one.a.device.transmit(packet(A, OUTSIDE, n));
    one.b.device.transmit(packet(B, n % 2 ? A : OUTSIDE, 10 + n));
    one.outside.transmit(packet(OUTSIDE, n % 2 ? A : B, 20 + n));
  }
  one.runFor(40_000);
  const saved = one.save();
  const [before, busy] = [one.log.length, one.busy()];
  const goOn = ({ a, b, outside, runFor }: ReturnType<typeof rig>) => {
    runFor(100_000);
    a.look();
    a.device.transmit(packet(A, B, 30));
    outside.transmit(packet(OUTSIDE, B, 31));
    runFor(1e6);
    a.look();
    b.look();
  };
  const { clock, nic, outside, hypervisor } = other;
  [clock, nic, outside, hypervisor].forEach((each, n) => each.restore(saved[n]));
  assertEquals(other.save(), saved);
  goOn(one);
  goOn(other);
  assertEquals(other.log, one.log.slice(before));
  assertEquals(other.busy(), one.busy() - busy);
  assertEquals(one.log.filter((line) => /^[ab] \d/.test(line)).length, 9);
  assertEquals(other.save(), one.save());
});

Deno.test("a record of a box with other domains is refused", () => {
  const [one, other] = [rig(), rig()];
  one.hypervisor.plug(OUTSIDE, () => {});
  assertThrows(() => other.hypervisor.restore(one.hypervisor.save()), SnapshotError, "1,2,3");
});
