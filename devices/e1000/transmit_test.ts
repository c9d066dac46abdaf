import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { parseIpv4, parseMac } from "../net/addresses.ts";
import { internetChecksum, pseudoHeaderSum } from "../net/checksum.ts";
import { ethernetFrame, ipv4Bytes, parseIpv4 as parsePacket } from "../net/packets.ts";
import { type DescriptorWords, E1000Fixture, MAC, TX_RING } from "./e1000_fixture_test.ts";
import { REGISTER, STATISTIC } from "./registers.ts";
import { verifyFrame } from "./receive_checksum.ts";

const PEER = parseMac("02:00:00:00:00:01");
const DATA = 0x10000;
/** Command bytes: EOP, IFCS and RS; DEXT; TSE. */
const END = 0x0b;
const DEXT = 0x20;
const TSE = 0x04;
const TYPE_DATA = 0x00100000;

const legacy = (address: number, length: number, command: number, high = 0): DescriptorWords => [
  ...[address, 0] as const,
  (length | (command << 24)) >>> 0,
  high,
];
const data = (address: number, length: number, command: number, popts = 0): DescriptorWords => [
  ...[address, 0] as const,
  (length | TYPE_DATA | ((command | DEXT) << 24)) >>> 0,
  popts << 8,
];
/** IPv4 header at 14, TCP or UDP at 34. */
const context = (tucso: number, command: number, mss = 0, hdrlen = 0): DescriptorWords => [
  (14 | (24 << 8) | (33 << 16)) >>> 0,
  34 | (tucso << 8),
  ((command | DEXT) << 24) >>> 0,
  (mss << 16 | hdrlen << 8) >>> 0,
];

const frameOf = (bytes: number) =>
  ethernetFrame(PEER, MAC, 0x88b5, Uint8Array.from({ length: bytes - 14 }, (_, at) => at));

test("a legacy descriptor sends its frame, is written back and interrupts", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.write(REGISTER.IMS, 0x03);
  const frame = frameOf(200);
  fixture.memory.set(frame, DATA);
  fixture.write(REGISTER.TDT, 0);
  assertEquals(fixture.sent.length, 0);
  fixture.transmit([legacy(DATA, 200, END)]);
  assertEquals(fixture.sent, [frame]);
  assertEquals(fixture.view.getUint32(TX_RING + 12, true), 1);
  assertEquals([fixture.read(REGISTER.TDH), fixture.read(REGISTER.ICR)], [1, 0x03]);
  assertEquals(fixture.clock.nowNs, 2000);
});

test("a frame in several descriptors is put together, and a short one is padded", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  const frame = frameOf(100);
  fixture.memory.set(frame, DATA);
  fixture.transmit([
    legacy(DATA, 33, 0x02),
    legacy(DATA + 33, 0, 0x02),
    legacy(DATA + 33, 67, END),
  ]);
  fixture.transmit([legacy(DATA, 20, END)]);
  const padded = new Uint8Array(60);
  padded.set(frame.subarray(0, 20));
  assertEquals(fixture.sent, [frame, padded]);
});

test("the ring wraps, and only descriptors with RS are written back", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.memory.set(frameOf(60), DATA);
  for (let count = 0; count < 20; count++) {
    fixture.transmit([legacy(DATA, 60, count % 2 ? END : 0x03)]);
  }
  assertEquals([fixture.sent.length, fixture.read(REGISTER.TDH)], [20, 4]);
  const done = [4, 5, 6, 7].map((at) => fixture.view.getUint32(TX_RING + 16 * at + 12, true));
  assertEquals(done, [0, 1, 0, 1]);
});

test("a legacy descriptor with IC inserts a checksum at CSO from CSS on", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  const frame = frameOf(80);
  frame.set([0, 0], 40);
  fixture.memory.set(frame, DATA);
  const checksumAt = 40 << 16;
  const low = (80 | checksumAt | ((END | 0x04) << 24)) >>> 0;
  fixture.transmit([[DATA, 0, low, 20 << 8]]);
  assertEquals(internetChecksum(fixture.sent[0], 20, 80), 0);
});

/** A UDP or TCP packet whose transport checksum field holds the pseudo-header's sum. */
function packet(protocol: 6 | 17, payloadBytes: number, withLength: boolean): Uint8Array {
  const headerBytes = protocol === 6 ? 20 : 8;
  const segment = new Uint8Array(headerBytes + payloadBytes);
  const view = new DataView(segment.buffer);
  const [source, destination] = [parseIpv4("10.0.0.1"), parseIpv4("10.0.0.2")];
  for (let at = 0; at < payloadBytes; at++) segment[headerBytes + at] = at * 7;
  view.setUint16(0, 1000);
  view.setUint16(2, 2000);
  const sum = pseudoHeaderSum(source, destination, protocol, withLength ? segment.length : 0);
  if (protocol === 6) {
    view.setUint32(4, 0xfffffff0); // the sequence number wraps
    segment.set([0x50, 0x19], 12); // ACK, PSH, FIN
    view.setUint16(16, sum);
  } else {
    view.setUint16(4, segment.length);
    view.setUint16(6, sum);
  }
  const bytes = ipv4Bytes({ source, destination, protocol, payload: segment }, 0x1234);
  bytes.set([0, 0], 10);
  return ethernetFrame(PEER, MAC, 0x0800, bytes);
}

for (const [protocol, tucso, command] of [[6, 50, 0x03], [17, 40, 0x02]] as const) {
  test(`checksum offload of protocol ${protocol} fills IP's and its own checksum`, () => {
    const fixture = new E1000Fixture();
    fixture.start();
    const bytes = packet(protocol, 101, true);
    fixture.memory.set(bytes, DATA);
    fixture.transmit([context(tucso, command), data(DATA, bytes.length, END, 0x03)]);
    assertEquals(verifyFrame(fixture.sent[0]), { ip: "good", transport: "good" });
  });
}

test("without POPTS a data descriptor sends the packet as it is", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  const bytes = packet(6, 101, true);
  fixture.memory.set(bytes, DATA);
  fixture.transmit([context(50, 0x03), data(DATA, bytes.length, END, 0)]);
  assertEquals(fixture.sent, [bytes]);
});

/** Payload and MSS, and the payload of each segment. */
const SEGMENTATIONS: readonly [number, number, number[]][] = [
  [3000, 1460, [1460, 1460, 80]],
  [2920, 1460, [1460, 1460]],
  [100, 1460, [100]],
  [1461, 1460, [1460, 1]],
];

for (const [payloadBytes, mss, expected] of SEGMENTATIONS) {
  test(`TCP segmentation cuts ${payloadBytes} bytes by ${mss} into ${expected.join(", ")}`, () => {
    const fixture = new E1000Fixture();
    fixture.start();
    const bytes = packet(6, payloadBytes, false);
    fixture.memory.set(bytes, DATA);
    fixture.transmit([
      context(50, 0x03 | TSE, mss, 54),
      data(DATA, 54, 0x02 | TSE, 0x03),
      data(DATA + 54, payloadBytes, END | TSE),
    ]);
    assertEquals(
      fixture.sent.map(({ length }) => length - 54),
      expected.map((size) => Math.max(6, size)),
    );
    let offset = 0;
    fixture.sent.forEach((frame, index) => {
      assertEquals(verifyFrame(frame), { ip: "good", transport: "good" });
      const view = new DataView(frame.buffer);
      const last = index === expected.length - 1;
      assertEquals(view.getUint16(18), 0x1234 + index);
      assertEquals(view.getUint32(38), (0xfffffff0 + offset) % 2 ** 32);
      assertEquals(frame[47], last ? 0x19 : 0x10);
      const { payload } = parsePacket(frame)!;
      assertEquals(payload.slice(20), bytes.slice(54 + offset, 54 + offset + expected[index]));
      offset += expected[index];
    });
    assertEquals(fixture.read(STATISTIC.TSCTC), 1);
  });
}

/** What a broken driver may do: each sends nothing and ends. */
const NONSENSE: readonly [string, DescriptorWords[]][] = [
  ["segmentation without an MSS", [context(50, 7, 0, 54), data(DATA, 3000, END | TSE, 3)]],
  ["segmentation with a short header", [context(50, 7, 100, 20), data(DATA, 3000, END | TSE, 3)]],
  ["a packet that is too long", [data(DATA, 20_000, END)]],
  ["a runt", [data(DATA, 6, 0x09)]],
];

for (const [claim, descriptors] of NONSENSE) {
  test(`${claim} sends nothing`, () => {
    const fixture = new E1000Fixture();
    fixture.start();
    fixture.write(REGISTER.TCTL, 0x02);
    fixture.transmit(descriptors);
    assertEquals([fixture.sent.length, fixture.read(REGISTER.TDH)], [0, descriptors.length]);
  });
}

test("a tail outside the ring and an empty ring move nothing", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.write(REGISTER.TDT, 0xffff);
  fixture.settle();
  fixture.write(REGISTER.TDLEN, 0);
  fixture.write(REGISTER.TDT, 3);
  fixture.settle();
  assertEquals([fixture.sent.length, fixture.read(REGISTER.TDH)], [0, 0]);
});

test("statistics count what was sent and clear when read, octets with their high half", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.memory.set(frameOf(60), DATA);
  fixture.memory.set(frameOf(1000), DATA + 0x1000);
  fixture.transmit([legacy(DATA, 60, END), legacy(DATA + 0x1000, 1000, END)]);
  const counters = { GPTC: 2, TPT: 2, PTC64: 1, PTC1023: 1, GOTCL: 64 + 1004, GOTCH: 0, MPTC: 0 };
  for (const [name, value] of Object.entries(counters)) {
    assertEquals(fixture.read(STATISTIC[name]), value, name);
  }
  for (const name of Object.keys(counters)) assertEquals(fixture.read(STATISTIC[name]), 0, name);
});

test("a snapshot between the descriptors of a packet goes on in another card", () => {
  const one = new E1000Fixture();
  one.start();
  const frame = frameOf(100);
  one.memory.set(frame, DATA);
  one.transmit([legacy(DATA, 50, 0x02)]);
  const two = new E1000Fixture();
  two.memory.set(one.memory);
  two.clock.restore(one.clock.save());
  two.nic.restore(one.nic.save());
  two.transmit([legacy(DATA + 50, 50, END)]);
  assertEquals(two.sent, [frame]);
});
