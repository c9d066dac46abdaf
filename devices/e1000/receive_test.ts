import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { BROADCAST_MAC, type MacAddress, parseMac } from "../net/addresses.ts";
import { frameCheckSequence } from "../net/checksum.ts";
import { ethernetFrame, ETHERTYPE, ipv4Bytes, udpBytes } from "../net/packets.ts";
import { parseIpv4 } from "../net/addresses.ts";
import { E1000Fixture, MAC, RING_ENTRIES } from "./e1000_fixture_test.ts";
import { REGISTER, STATISTIC } from "./registers.ts";

const PEER = parseMac("02:00:00:00:00:01");
const OTHER = parseMac("52:54:00:12:34:57");
const GROUP = parseMac("01:00:5e:7f:12:34");
const GROUP_HASH = (0x34 << 4) | (0x12 >> 4);

const frameOf = (bytes: number, to: MacAddress = MAC, etherType = 0x88b5) =>
  ethernetFrame(to, PEER, etherType, Uint8Array.from({ length: bytes - 14 }, (_, at) => at));

/** RCTL's bits, the destination, and the descriptor's status or `null` if the frame is not taken. */
const FILTERS: readonly [string, number, MacAddress, number | null][] = [
  ["own address", 0x02, MAC, 0x07],
  ["another address", 0x02, OTHER, null],
  ["another address, UPE", 0x0a, OTHER, 0x07],
  ["broadcast", 0x02, BROADCAST_MAC, null],
  ["broadcast, BAM", 0x8002, BROADCAST_MAC, 0x07],
  ["multicast in MTA", 0x02, GROUP, 0x87],
  ["multicast, UPE only", 0x0a, parseMac("01:00:5e:00:00:01"), null],
  ["multicast, MPE", 0x12, parseMac("01:00:5e:00:00:01"), 0x07],
  ["own address, receiver off", 0x00, MAC, null],
];

for (const [claim, rctl, to, status] of FILTERS) {
  test(`the filter ${status === null ? "rejects" : "takes"} ${claim}`, () => {
    const fixture = new E1000Fixture();
    fixture.start(rctl);
    fixture.write(REGISTER.MTA + 4 * (GROUP_HASH >> 5), 1 << (GROUP_HASH & 31));
    fixture.nic.send(frameOf(100, to));
    assertEquals(fixture.received(0).status, status ?? 0);
    assertEquals(fixture.read(STATISTIC.GPRC), status === null ? 0 : 1);
  });
}

test("a frame is stored with its check sequence, padded to 64 bytes, and interrupts", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.write(REGISTER.IMS, 0x80);
  const short = frameOf(60).slice(0, 42);
  fixture.nic.send(short);
  const padded = new Uint8Array(60);
  padded.set(short);
  const { length, bytes } = fixture.received(0);
  assertEquals([length, bytes.slice(0, 60)], [64, padded]);
  assertEquals(new DataView(bytes.buffer).getUint32(60, true), frameCheckSequence(padded));
  assertEquals([fixture.irq, fixture.read(REGISTER.ICR)], [true, 0x80]);
});

test("SECRC strips the check sequence", () => {
  const fixture = new E1000Fixture();
  fixture.start(0x04008002);
  fixture.nic.send(frameOf(100));
  assertEquals(fixture.received(0).bytes, frameOf(100));
});

test("a long frame spans buffers, and only the last descriptor has EOP", () => {
  const fixture = new E1000Fixture();
  fixture.start(0x04008022 | (3 << 16)); // LPE, 256-byte buffers
  const frame = frameOf(700);
  fixture.nic.send(frame);
  const parts = [0, 1, 2].map((index) => fixture.received(index));
  assertEquals(parts.map(({ length, status }) => [length, status]), [
    [256, 0x05],
    [256, 0x05],
    [188, 0x07],
  ]);
  assertEquals(new Uint8Array(parts.flatMap(({ bytes }) => [...bytes])), frame);
});

test("without LPE a frame above 1522 bytes is dropped and counted", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.nic.send(frameOf(1518));
  fixture.nic.send(frameOf(1519));
  assertEquals([fixture.read(STATISTIC.GPRC), fixture.read(STATISTIC.ROC)], [1, 1]);
});

test("without descriptors frames wait in the packet buffer, and are lost when it is full", () => {
  const fixture = new E1000Fixture();
  fixture.start(0x8002, 0);
  for (let count = 0; count < 40; count++) fixture.nic.send(frameOf(1500));
  // 48 KiB hold 32 frames of 1504 bytes.
  assertEquals([fixture.read(STATISTIC.GPRC), fixture.read(STATISTIC.MPC)], [32, 8]);
  assertEquals(fixture.read(REGISTER.ICR), 0x40);
  fixture.write(REGISTER.RDT, 3);
  assertEquals([0, 1, 2, 3].map((at) => fixture.received(at).status), [7, 7, 7, 0]);
  assertEquals(fixture.read(REGISTER.RDH), 3);
});

test("RXDMT0 comes when free descriptors fall to RDMTS's part of the ring", () => {
  const fixture = new E1000Fixture();
  fixture.start(0x8002); // one half
  const causes: number[] = [];
  for (let count = 0; count < RING_ENTRIES - 1; count++) {
    fixture.nic.send(frameOf(60));
    causes.push(fixture.read(REGISTER.ICR));
  }
  assertEquals(causes, [...new Array(6).fill(0x80), ...new Array(9).fill(0x90)]);
});

function udpFrame(corrupt?: number): Uint8Array {
  const [source, destination] = [parseIpv4("10.0.0.1"), parseIpv4("10.0.0.2")];
  const payload = udpBytes(
    { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(33).fill(5) },
    source,
    destination,
  );
  const bytes = ipv4Bytes({ source, destination, protocol: 17, payload });
  const frame = ethernetFrame(MAC, PEER, ETHERTYPE.IPV4, bytes);
  if (corrupt !== undefined) frame[corrupt] ^= 1;
  return frame;
}

/** RXCSUM, frame, and the descriptor's status and errors. */
const CHECKSUMS: readonly [string, number, Uint8Array, number, number][] = [
  ["offloading off", 0x000, udpFrame(), 0x07, 0x00],
  ["a good UDP packet", 0x300, udpFrame(), 0x63, 0x00],
  ["a bad UDP checksum", 0x300, udpFrame(60), 0x63, 0x20],
  ["a bad IP checksum", 0x300, udpFrame(22), 0x63, 0x40],
  ["IP checksum only", 0x100, udpFrame(60), 0x43, 0x00],
  ["something that is not IP", 0x300, frameOf(100), 0x03, 0x00],
];

for (const [claim, rxcsum, frame, status, errors] of CHECKSUMS) {
  test(`${claim} gives status ${status.toString(16)}h, errors ${errors.toString(16)}h`, () => {
    const fixture = new E1000Fixture();
    fixture.start();
    fixture.write(REGISTER.RXCSUM, rxcsum);
    fixture.nic.send(frame);
    const { status: found, errors: foundErrors } = fixture.received(0);
    assertEquals([found, foundErrors], [status, errors]);
  });
}

test("in VLAN mode a tag goes to the special field", () => {
  const fixture = new E1000Fixture();
  fixture.start(0x04008002);
  fixture.write(REGISTER.CTRL, fixture.read(REGISTER.CTRL) | (1 << 30));
  const tagged = frameOf(100, MAC, 0x8100);
  tagged.set([0x60, 0x2a], 14);
  fixture.nic.send(tagged);
  const { special, status, length } = fixture.received(0);
  assertEquals([special, status, length], [0x602a, 0x0f, 96]);
});

test("a ring of no length and indices outside the ring take nothing", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.write(REGISTER.RDT, 0xffff);
  fixture.nic.send(frameOf(60));
  fixture.write(REGISTER.RDLEN, 0);
  fixture.nic.send(frameOf(60));
  assertEquals(fixture.read(REGISTER.RDH), 0);
  assertEquals(fixture.received(0).status, 0);
});

test("frames in the packet buffer belong to the snapshot", () => {
  const one = new E1000Fixture();
  one.start(0x04008002, 0);
  one.nic.send(frameOf(100));
  const two = new E1000Fixture();
  two.memory.set(one.memory);
  two.nic.restore(one.nic.save());
  assertEquals(two.nic.save(), one.nic.save());
  two.write(REGISTER.RDT, 4);
  assertEquals(two.received(0).bytes, frameOf(100));
});
