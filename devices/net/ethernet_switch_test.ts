import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock, nanoseconds } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { BROADCAST_MAC, formatMac, type MacAddress, parseMac } from "./addresses.ts";
import { EthernetSwitch, type SwitchPort } from "./ethernet_switch.ts";
import { ethernetFrame } from "./packets.ts";

const MACS = ["02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"].map(parseMac);
const [A, B, C] = MACS;
const GROUP = parseMac("01:00:5e:00:00:01");

interface Fixture {
  readonly clock: MachineClock;
  readonly lan: EthernetSwitch;
  readonly ports: SwitchPort[];
  /** `port<-last byte of the source` in order of arrival. */
  readonly heard: string[];
}

function fixture(options: { queueFrames?: number } = {}): Fixture {
  const clock = new MachineClock();
  const lan = new EthernetSwitch({ name: "lan", clock, latencyNs: nanoseconds(5000), ...options });
  const heard: string[] = [];
  const ports = ["a", "b", "c"].map((name) => {
    const port = lan.attach(name);
    port.connect({ send: (frame) => heard.push(`${name}<-${formatMac(source(frame)).at(-1)}`) });
    return port;
  });
  return { clock, lan, ports, heard };
}

function source(frame: Uint8Array): MacAddress {
  return frame.subarray(6, 12).reduce((value, byte) => value * 256 + byte, 0) as MacAddress;
}

function settle(clock: MachineClock): void {
  while (clock.nextDeadline !== Infinity) {
    clock.advanceTo(clock.nextDeadline as Cycle);
    clock.runDue();
  }
}

const frame = (to: MacAddress, from: MacAddress, bytes = 46) =>
  ethernetFrame(to, from, 0x0800, new Uint8Array(bytes));

/** Frames in order (port index, destination, source), and who hears them. */
const TRANSCRIPTS: readonly [string, [number, MacAddress, MacAddress][], string[]][] = [
  ["an unknown destination is flooded", [[0, B, A]], ["b<-a", "c<-a"]],
  ["a broadcast reaches all but its sender", [[1, BROADCAST_MAC, B]], ["a<-b", "c<-b"]],
  ["a learned destination hears alone", [[1, C, B], [0, B, A]], ["a<-b", "c<-b", "b<-a"]],
  ["multicast is flooded, and its group is never learned", [[2, GROUP, C], [2, A, GROUP]], [
    ...["a<-c", "b<-c"],
    ...["a<-1", "b<-1"],
  ]],
  ["an address that moves is followed", [[0, C, A], [2, C, A], [1, A, B]], [
    ...["b<-a", "c<-a"],
    ...["a<-a", "b<-a"],
    "c<-b",
  ]],
  ["a frame for its own side is not sent back", [[0, B, A], [0, A, B]], ["b<-a", "c<-a"]],
];

for (const [claim, frames, expected] of TRANSCRIPTS) {
  test(claim, () => {
    const { clock, ports, heard } = fixture();
    for (const [port, to, from] of frames) {
      ports[port].send(frame(to, from));
      settle(clock);
    }
    assertEquals(heard, expected);
  });
}

test("a frame arrives after latency and transmission, the next one after it", () => {
  const { clock, ports } = fixture();
  const arrivals: number[] = [];
  ports[1].connect({ send: () => arrivals.push(clock.nowNs) });
  ports[0].send(frame(B, A, 986)); // 1000 bytes + 24 of overhead at 1 Gb/s
  ports[0].send(frame(B, A));
  settle(clock);
  assertEquals(arrivals, [5000 + 8192, 5000 + 8192 + 672]);
});

test("an address is forgotten after 300 s without a frame", () => {
  const { clock, lan, ports } = fixture();
  ports[1].send(frame(C, B));
  settle(clock);
  clock.advanceTo(300e9 as Cycle);
  assertEquals(lan.lookUp(B)?.name, "b");
  clock.advanceTo(301e9 as Cycle);
  assertEquals(lan.lookUp(B), null);
});

test("a full queue drops, and the counters tell", () => {
  const { clock, ports, heard } = fixture({ queueFrames: 2 });
  for (let index = 0; index < 5; index++) ports[0].send(frame(B, A));
  settle(clock);
  assertEquals(heard, ["b<-a", "c<-a", "b<-a", "c<-a"]);
  assertEquals(ports[1].counters, {
    receivedFrames: 0,
    receivedBytes: 0,
    sentFrames: 2,
    sentBytes: 120,
    droppedFrames: 3,
  });
  assertEquals(ports[0].counters.receivedFrames, 5);
});

test("a pulled cable drops in both directions", () => {
  const { clock, ports, heard } = fixture();
  ports[1].linkUp = false;
  ports[1].send(frame(A, B));
  ports[0].send(frame(B, A));
  settle(clock);
  assertEquals(heard, ["c<-a"]);
  assertEquals(ports[1].counters.droppedFrames, 2);
});

test("a tap sees both directions with their times", () => {
  const { clock, ports } = fixture();
  const seen: [number, string][] = [];
  ports[0].tap = (_frame, at, direction) => seen.push([at, direction]);
  ports[0].send(frame(B, A));
  ports[1].send(frame(A, B));
  settle(clock);
  assertEquals(seen, [[0, "in"], [5672, "out"]]);
});

test("impossible frames are dropped", () => {
  const { clock, ports, heard } = fixture();
  ports[0].send(new Uint8Array(13));
  ports[0].send(new Uint8Array(20_000));
  settle(clock);
  assertEquals([heard.length, ports[0].counters.droppedFrames], [0, 2]);
});

test("a snapshot keeps the table and the frames on their way", () => {
  const one = fixture();
  one.ports[1].send(frame(C, B));
  settle(one.clock);
  one.ports[0].send(frame(B, A));
  const records = [one.clock.save(), one.lan.save()];
  const two = fixture();
  two.clock.restore(records[0]);
  two.lan.restore(records[1]);
  settle(two.clock);
  settle(one.clock);
  assertEquals(two.heard, ["b<-a"]);
  assertEquals(two.lan.save(), one.lan.save());
});

test("two ports of one name are a RangeError", () => {
  const { lan } = fixture();
  assertThrows(() => lan.attach("a"), RangeError, "switch lan has a port a already");
});

test("a detached port hears nothing, is forgotten, and may be attached again", () => {
  const { lan, ports, heard, clock } = fixture();
  ports[0].send(frame(B, A));
  settle(clock);
  assertEquals(heard.splice(0), ["b<-a", "c<-a"]);
  ports[1].send(frame(A, B));
  lan.detach(ports[0]);
  ports[1].send(frame(A, B));
  settle(clock);
  assertEquals([heard.splice(0), lan.lookUp(A), ports[0].counters.sentFrames], [["c<-b"], null, 0]);
  assertEquals(lan.attach("a"), ports[0]);
  assertThrows(() => lan.attach("a"), RangeError);
  ports[1].send(frame(BROADCAST_MAC, B));
  settle(clock);
  assertEquals([heard, ports[0].counters.sentFrames], [["c<-b"], 1]);
});
