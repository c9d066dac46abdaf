import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { memoryBase } from "../disk/readonly_bytes.ts";
import { AtapiCdrom } from "./atapi_cdrom.ts";
import { BUS_MASTER_BASE, IdeFixture } from "./ide_fixture_test.ts";

const SECONDARY = 0x170;
const BLOCKS = 100;

function disc(blocks = BLOCKS) {
  const bytes = new Uint8Array(blocks * 2048);
  for (let block = 0; block < blocks; block++) bytes.fill(block, block * 2048, (block + 1) * 2048);
  return memoryBase(bytes);
}

/** A drive on the secondary channel whose power-on attention has been taken. */
function fixtureWith(cdrom = new AtapiCdrom(disc())): IdeFixture {
  const fixture = new IdeFixture([null, null], [cdrom, null]);
  assertEquals(fixture.packet(SECONDARY, [0x00]), 0x51);
  assertEquals(fixture.in(0x171), 0x64);
  return fixture;
}

/** Reads DRQ blocks to the end; returns the data and the size of each block. */
function drain(fixture: IdeFixture): { bytes: number[]; counts: number[] } {
  const bytes: number[] = [];
  const counts: number[] = [];
  while (fixture.ready(SECONDARY) & 0x08) {
    assertEquals(fixture.in(0x172), 0x02);
    const count = fixture.in(0x174) | (fixture.in(0x175) << 8);
    counts.push(count);
    bytes.push(...fixture.readData(SECONDARY, count + (count & 1)).subarray(0, count));
  }
  assertEquals([fixture.in(0x172), fixture.in(0x177)], [0x03, 0x50]);
  return { bytes, counts };
}

test("after a reset a packet device shows its signature and no DRDY", () => {
  const fixture = fixtureWith();
  fixture.out(0x376, 0x04);
  fixture.out(0x376, 0x00);
  assertEquals(fixture.ready(SECONDARY), 0x00);
  assertEquals([1, 2, 3, 4, 5].map((at) => fixture.in(SECONDARY + at)), [1, 1, 1, 0x14, 0xeb]);
});

test("IDENTIFY DEVICE aborts with the packet signature, IDENTIFY PACKET DEVICE answers", () => {
  const fixture = fixtureWith();
  fixture.command(SECONDARY, [0, 0, 0, 0, 0], 0xa0, 0xec);
  assertEquals([fixture.ready(SECONDARY), fixture.in(0x171)], [0x51, 0x04]);
  assertEquals([fixture.in(0x174), fixture.in(0x175)], [0x14, 0xeb]);
  fixture.command(SECONDARY, [0, 0, 0, 0, 0], 0xa0, 0xa1);
  assertEquals(fixture.ready(SECONDARY) & 0x08, 0x08);
  const identity = new Uint16Array(fixture.readData(SECONDARY, 512).buffer);
  assertEquals([identity[0], identity[49], identity[63]], [0x85c0, 0x0f00, 0x0407]);
});

/** Packet and the data it returns (MMC-3, SPC-2). */
const ANSWERS: readonly [string, number[], number[]][] = [
  ["REQUEST SENSE", [0x03, 0, 0, 0, 18], [
    ...[0x70, 0, 6, 0, 0, 0, 0, 10],
    ...[0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0],
  ]],
  ["INQUIRY of 8 bytes", [0x12, 0, 0, 0, 8], [0x05, 0x80, 0x05, 0x32, 31, 0, 0, 0]],
  ["READ CAPACITY", [0x25], [0, 0, 0, BLOCKS - 1, 0, 0, 8, 0]],
  ["READ TOC, blocks", [0x43, 0, 0, 0, 0, 0, 0, 0, 20], [
    ...[0, 18, 1, 1],
    ...[0, 0x14, 1, 0, 0, 0, 0, 0],
    ...[0, 0x16, 0xaa, 0, 0, 0, 0, BLOCKS],
  ]],
  ["READ TOC, minutes", [0x43, 2, 0, 0, 0, 0, 0xaa, 0, 20], [
    ...[0, 10, 1, 1],
    ...[0, 0x16, 0xaa, 0, 0, 0, 3, 25], // 100 + 150 frames
  ]],
  ["READ TOC, sessions", [0x43, 0, 1, 0, 0, 0, 0, 0, 12], [
    ...[0, 10, 1, 1],
    ...[0, 0x14, 1, 0, 0, 0, 0, 0],
  ]],
  ["MODE SENSE(10), error recovery", [0x5a, 0, 0x01, 0, 0, 0, 0, 0, 16], [
    ...[0, 14, 0x01, 0, 0, 0, 0, 0],
    ...[0x01, 6, 0, 5, 0, 0, 0, 0],
  ]],
  ["GET CONFIGURATION, header", [0x46, 0, 0, 0, 0, 0, 0, 0, 8], [0, 0, 0, 36, 0, 0, 0, 8]],
  ["GET EVENT STATUS, media", [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8], [0, 6, 4, 0x10, 0, 2, 0, 0]],
];

for (const [name, packet, data] of ANSWERS) {
  test(`${name} returns its data`, () => {
    const fixture = fixtureWith();
    fixture.packet(SECONDARY, packet);
    assertEquals(drain(fixture).bytes, data);
  });
}

test("REQUEST SENSE clears the sense that it reports", () => {
  const fixture = fixtureWith();
  fixture.packet(SECONDARY, [0x03, 0, 0, 0, 18]);
  assertEquals(drain(fixture).bytes[2], 6);
  fixture.packet(SECONDARY, [0x03, 0, 0, 0, 18]);
  assertEquals(drain(fixture).bytes[2], 0);
  assertEquals(fixture.packet(SECONDARY, [0x00]), 0x50);
});

/** Packet, whether a disc is in, and the sense key, code and qualifier it ends with. */
const FAILURES: readonly [string, number[], boolean, number[]][] = [
  ["an unknown operation code", [0xff], true, [5, 0x20, 0]],
  ["READ(10) past the end", [0x28, 0, 0, 0, 0, 99, 0, 0, 2], true, [5, 0x21, 0]],
  ["INQUIRY of vital product data", [0x12, 1, 0x80, 0, 8], true, [5, 0x24, 0]],
  ["MODE SENSE of saved values", [0x5a, 0, 0xea, 0, 0, 0, 0, 0, 8], true, [5, 0x39, 0]],
  ["TEST UNIT READY without a disc", [0x00], false, [2, 0x3a, 0]],
  ["READ CAPACITY without a disc", [0x25], false, [2, 0x3a, 0]],
];

for (const [name, packet, hasDisc, expected] of FAILURES) {
  test(`${name} is a check condition`, () => {
    const fixture = fixtureWith(new AtapiCdrom(hasDisc ? disc() : null));
    assertEquals(fixture.packet(SECONDARY, packet), 0x51);
    assertEquals(fixture.in(0x171), (expected[0] << 4) | 4);
    fixture.packet(SECONDARY, [0x03, 0, 0, 0, 18]);
    const { bytes } = drain(fixture);
    assertEquals([bytes[2], bytes[12], bytes[13]], expected);
  });
}

test("READ(10) by PIO splits its data by the byte count limit", () => {
  const fixture = fixtureWith();
  fixture.packet(SECONDARY, [0x28, 0, 0, 0, 0, 60, 0, 0, 3], 4096);
  const { bytes, counts } = drain(fixture);
  assertEquals(counts, [4096, 2048]);
  assertEquals([bytes[0], bytes[2047], bytes[2048], bytes[6143]], [60, 60, 61, 62]);
});

test("each DRQ block and the end of READ(10) interrupt once", () => {
  const fixture = fixtureWith();
  fixture.in(0x177);
  const before = fixture.rises[1];
  fixture.packet(SECONDARY, [0x28, 0, 0, 0, 0, 60, 0, 0, 3]);
  for (let block = 0; block < 3; block++) {
    assertEquals([fixture.ready(SECONDARY), fixture.rises[1] - before], [0x58, block + 1]);
    assertEquals(fixture.in(0x177), 0x58);
    fixture.readData(SECONDARY, 2048);
  }
  assertEquals([fixture.ready(SECONDARY), fixture.rises[1] - before], [0x50, 4]);
});

test("READ(12) by DMA moves through the bus master", () => {
  const fixture = fixtureWith();
  fixture.descriptors(0x1000, [[0x20000, 0x10000], [0x30000, 0x10000]]);
  fixture.out(BUS_MASTER_BASE + 12, 0x1000, 4);
  fixture.command(SECONDARY, [1, 0, 0, 0, 0], 0xa0, 0xa0);
  fixture.writeData(SECONDARY, new Uint8Array([0xa8, 0, 0, 0, 0, 10, 0, 0, 0, 64, 0, 0]));
  fixture.out(BUS_MASTER_BASE + 8, 0x09);
  assertEquals(fixture.ready(SECONDARY), 0x50);
  assertEquals([fixture.in(0x172), fixture.in(BUS_MASTER_BASE + 10)], [0x03, 0x04]);
  assertEquals([fixture.memory[0x20000], fixture.memory[0x3ffff]], [10, 73]);
});

test("a locked tray does not open; an opened one reports no medium, a changed disc an attention", () => {
  const cdrom = new AtapiCdrom(disc());
  const fixture = fixtureWith(cdrom);
  assertEquals(fixture.packet(SECONDARY, [0x1e, 0, 0, 0, 1]), 0x50);
  assertEquals(fixture.packet(SECONDARY, [0x1b, 0, 0, 0, 2]), 0x51);
  assertEquals(fixture.in(0x171) >> 4, 5);
  fixture.packet(SECONDARY, [0x1e]);
  assertEquals(fixture.packet(SECONDARY, [0x1b, 0, 0, 0, 2]), 0x50);
  assertEquals(cdrom.trayOpen, true);
  fixture.packet(SECONDARY, [0x00]);
  assertEquals(fixture.in(0x171) >> 4, 2);
  cdrom.insert(disc(7));
  fixture.packet(SECONDARY, [0x00]);
  assertEquals(fixture.in(0x171) >> 4, 6);
  fixture.packet(SECONDARY, [0x25]);
  assertEquals(drain(fixture).bytes[3], 6);
});

test("DEVICE RESET ends a command at once and shows the signature", () => {
  const fixture = fixtureWith();
  fixture.packet(SECONDARY, [0x28, 0, 0, 0, 0, 0, 0, 0, 9]);
  fixture.out(0x177, 0x08);
  assertEquals([fixture.in(0x177), fixture.in(0x174), fixture.in(0x175)], [0, 0x14, 0xeb]);
});

test("a snapshot in the middle of a packet read goes on in another machine", () => {
  const fixture = fixtureWith();
  fixture.packet(SECONDARY, [0x28, 0, 0, 0, 0, 5, 0, 0, 40]);
  fixture.readData(SECONDARY, 2048);
  const [time, ide] = [fixture.clock.save(), fixture.ide.save()];
  const other = new IdeFixture([null, null], [new AtapiCdrom(disc()), null]);
  other.clock.restore(time);
  other.ide.restore(ide);
  const rest = [drain(fixture), drain(other)];
  assertEquals(rest[0].bytes.length, 39 * 2048);
  assertEquals(rest[1], rest[0]);
});
