import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { DiskImage } from "../disk/disk_image.ts";
import { memoryBase, zeroBase } from "../disk/readonly_bytes.ts";
import { AtaDisk } from "./ata_disk.ts";
import { BUS_MASTER_BASE, IdeFixture } from "./ide_fixture_test.ts";

const PRIMARY = 0x1f0;
const SECTORS = 4096;

/** Each sector starts with its number. */
function numberedDisk(sectors = SECTORS): AtaDisk {
  const bytes = new Uint8Array(sectors * 512);
  const view = new DataView(bytes.buffer);
  for (let sector = 0; sector < sectors; sector++) view.setUint32(sector * 512, sector, true);
  return new AtaDisk(new DiskImage(memoryBase(bytes)));
}

const sectorNumber = (bytes: Uint8Array, index = 0) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(index * 512, true);

function words(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.buffer);
}

test("IDENTIFY DEVICE tells size, geometry and features, and interrupts once", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.command(PRIMARY, [0, 0, 0, 0, 0], 0xa0, 0xec);
  assertEquals(fixture.in(0x3f6), 0xd0);
  assertEquals(fixture.levels[0], false);
  assertEquals(fixture.ready(PRIMARY), 0x58);
  assertEquals(fixture.clock.nowNs, 50_000);
  assertEquals([fixture.levels[0], fixture.rises[0]], [true, 1]);
  fixture.in(0x1f7);
  assertEquals(fixture.levels[0], false);
  const identity = words(fixture.readData(PRIMARY, 512));
  const expected: readonly [word: number, value: number][] = [
    [0, 0x0040],
    [1, 4],
    [3, 16],
    [6, 63],
    [47, 0x8010],
    [49, 0x0f00],
    [54, 4],
    [60, SECTORS],
    [61, 0],
    [63, 0x0407],
    [83, 0x7400],
    [100, SECTORS],
    [27, 0x5845], // "XE"
  ];
  for (const [word, value] of expected) assertEquals(identity[word], value, `word ${word}`);
  assertEquals(fixture.ready(PRIMARY), 0x50);
});

/** ATA/ATAPI-6, section 6.2 "Addressing": how the same sector is named. */
const ADDRESSES: readonly [
  name: string,
  registers: number[],
  device: number,
  command: number,
  sector: number,
][] = [
  ["CHS 0/0/1", [0, 1, 1, 0, 0], 0xa0, 0x20, 0],
  ["CHS 1/2/3", [0, 1, 3, 1, 0], 0xa2, 0x20, 1 * 16 * 63 + 2 * 63 + 2],
  ["LBA28", [0, 1, 0x34, 0x0a, 0], 0xe0, 0x20, 0x0a34],
];

for (const [name, registers, device, command, sector] of ADDRESSES) {
  test(`READ SECTORS finds the sector named by ${name}`, () => {
    const fixture = new IdeFixture([numberedDisk(), null]);
    fixture.command(PRIMARY, registers, device, command);
    assertEquals(fixture.ready(PRIMARY) & 0x89, 0x08);
    assertEquals(sectorNumber(fixture.readData(PRIMARY, 512)), sector);
  });
}

test("READ SECTORS EXT takes the previous contents as the high half", () => {
  const fixture = new IdeFixture([new AtaDisk(new DiskImage(zeroBase(2 ** 42))), null]);
  const disk = fixture.ide.channels[0].drives[0] as AtaDisk;
  const sector = 0x1_2345_6789;
  disk.image.write(sector * 512, new Uint8Array([0xaa, 0x55]));
  const high = [0, 0, 0x23, 0x01, 0x00];
  // 48-bit address 0001 2345 6789h: low 89 67 45, high 23 01 00.
  high.forEach((value, index) => fixture.out(PRIMARY + 1 + index, value));
  fixture.command(PRIMARY, [0, 1, 0x89, 0x67, 0x45], 0xe0, 0x24);
  assertEquals(fixture.ready(PRIMARY) & 0x89, 0x08);
  assertEquals(fixture.in(PRIMARY, 2), 0x55aa);
  fixture.out(0x3f6, 0x80);
  assertEquals([fixture.in(0x1f3), fixture.in(0x1f4)], [0x23, 0x01]);
  fixture.out(0x3f6, 0x00);
  assertEquals([fixture.in(0x1f3), fixture.in(0x1f4)], [0x89, 0x67]);
});

test("READ SECTORS interrupts for each sector, READ MULTIPLE for each block", () => {
  for (const [command, interrupts] of [[0x20, 20], [0xc4, 2]] as const) {
    const fixture = new IdeFixture([numberedDisk(), null]);
    fixture.command(PRIMARY, [0, 20, 100, 0, 0], 0xe0, command);
    for (let sector = 0; sector < 20; sector++) {
      assertEquals(fixture.ready(PRIMARY), 0x58);
      fixture.in(0x1f7);
      assertEquals(sectorNumber(fixture.readData(PRIMARY, 512)), 100 + sector);
    }
    assertEquals(fixture.ready(PRIMARY), 0x50);
    assertEquals(fixture.rises[0], interrupts);
  }
});

test("WRITE SECTORS asks for the first sector without an interrupt and ends with one", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.command(PRIMARY, [0, 2, 7, 0, 0], 0xe0, 0x30);
  assertEquals(fixture.ready(PRIMARY), 0x58);
  assertEquals(fixture.rises[0], 0);
  fixture.writeData(PRIMARY, new Uint8Array(512).fill(0x11));
  assertEquals(fixture.ready(PRIMARY), 0x58);
  assertEquals(fixture.in(0x1f7), 0x58);
  fixture.writeData(PRIMARY, new Uint8Array(512).fill(0x22));
  assertEquals(fixture.ready(PRIMARY), 0x50);
  assertEquals(fixture.rises[0], 2);
  const disk = fixture.ide.channels[0].drives[0] as AtaDisk;
  const written = new Uint8Array(4);
  disk.image.read(8 * 512 - 2, written);
  assertEquals(written, new Uint8Array([0x11, 0x11, 0x22, 0x22]));
});

/** Command, its task file, and what it leaves: status, error. */
const ENDINGS: readonly [string, number[], number, number, status: number, error: number][] = [
  ["NOP", [0, 0, 0, 0, 0], 0xa0, 0x00, 0x51, 0x04],
  ["SMART", [0xd8, 0, 0, 0x4f, 0xc2], 0xa0, 0xb0, 0x51, 0x04],
  ["PACKET", [0, 0, 0, 0, 0], 0xa0, 0xa0, 0x51, 0x04],
  ["IDENTIFY PACKET DEVICE", [0, 0, 0, 0, 0], 0xa0, 0xa1, 0x51, 0x04],
  ["READ past the end", [0, 2, 0xff, 0x0f, 0], 0xe0, 0x20, 0x51, 0x10],
  ["READ of CHS sector 0", [0, 1, 0, 0, 0], 0xa0, 0x20, 0x51, 0x10],
  ["READ DMA past the end", [0, 1, 0, 0x10, 0], 0xe0, 0xc8, 0x51, 0x10],
  ["READ VERIFY", [0, 0, 0, 0, 0], 0xe0, 0x40, 0x50, 0x00],
  ["FLUSH CACHE", [0, 0, 0, 0, 0], 0xa0, 0xe7, 0x50, 0x00],
  ["FLUSH CACHE EXT", [0, 0, 0, 0, 0], 0xa0, 0xea, 0x50, 0x00],
  ["SET FEATURES, multiword DMA 2", [3, 0x22, 0, 0, 0], 0xa0, 0xef, 0x50, 0x00],
  ["SET FEATURES, multiword DMA 3", [3, 0x23, 0, 0, 0], 0xa0, 0xef, 0x51, 0x04],
  ["SET FEATURES, unknown", [0x99, 0, 0, 0, 0], 0xa0, 0xef, 0x51, 0x04],
  ["SET MULTIPLE MODE 8", [0, 8, 0, 0, 0], 0xa0, 0xc6, 0x50, 0x00],
  ["SET MULTIPLE MODE 5", [0, 5, 0, 0, 0], 0xa0, 0xc6, 0x51, 0x04],
  ["INITIALIZE DEVICE PARAMETERS", [0, 63, 0, 0, 0], 0xaf, 0x91, 0x50, 0x00],
  ["EXECUTE DEVICE DIAGNOSTIC", [0, 0, 0, 0, 0], 0xa0, 0x90, 0x50, 0x01],
];

for (const [name, registers, device, command, status, error] of ENDINGS) {
  test(`${name} ends with status ${status.toString(16)}h, error ${error.toString(16)}h`, () => {
    const fixture = new IdeFixture([numberedDisk(), null]);
    fixture.command(PRIMARY, registers, device, command);
    assertEquals([fixture.ready(PRIMARY), fixture.in(0x1f1)], [status, error]);
    assertEquals(fixture.rises[0], 1);
  });
}

test("nIEN holds the interrupt back until it is cleared", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.out(0x3f6, 0x02);
  fixture.command(PRIMARY, [0, 0, 0, 0, 0], 0xa0, 0xe7);
  fixture.ready(PRIMARY);
  assertEquals(fixture.levels[0], false);
  fixture.out(0x3f6, 0x00);
  assertEquals(fixture.levels[0], true);
});

test("software reset leaves signatures, and drops the command in flight", () => {
  const fixture = new IdeFixture([numberedDisk(), numberedDisk()]);
  fixture.command(PRIMARY, [0, 1, 9, 9, 9], 0xf0, 0x20);
  fixture.out(0x3f6, 0x04);
  assertEquals(fixture.in(0x3f6), 0x80);
  fixture.out(0x3f6, 0x00);
  assertEquals(fixture.ready(PRIMARY), 0x50);
  for (const device of [0xa0, 0xb0]) {
    fixture.out(0x1f6, device);
    const signature = [1, 2, 3, 4, 5].map((register) => fixture.in(PRIMARY + register));
    assertEquals(signature, [1, 1, 1, 0, 0]);
  }
  assertEquals(fixture.rises[0], 0);
});

test("a missing device 1 reads zero, an empty channel reads 7Fh", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.out(0x1f6, 0xb0);
  fixture.out(0x1f2, 0x55);
  assertEquals([fixture.in(0x1f7), fixture.in(0x1f2)], [0, 0]);
  assertEquals(fixture.in(0x177), 0x7f);
});

test("READ DMA walks the region table and leaves BMIS with interrupt and not active", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.descriptors(0x1000, [[0x20000, 512], [0x30002, 1536]]);
  fixture.out(BUS_MASTER_BASE + 4, 0x1000, 4);
  fixture.out(BUS_MASTER_BASE, 0x08);
  fixture.out(BUS_MASTER_BASE + 2, 0x66);
  fixture.command(PRIMARY, [0, 4, 50, 0, 0], 0xe0, 0xc8);
  fixture.out(BUS_MASTER_BASE, 0x09);
  assertEquals(fixture.in(BUS_MASTER_BASE + 2), 0x61);
  assertEquals(fixture.ready(PRIMARY), 0x50);
  assertEquals(fixture.in(BUS_MASTER_BASE + 2), 0x64);
  assertEquals(fixture.levels[0], true);
  fixture.out(BUS_MASTER_BASE, 0x00);
  fixture.out(BUS_MASTER_BASE + 2, 0x64);
  assertEquals(fixture.in(BUS_MASTER_BASE + 2), 0x60);
  assertEquals(sectorNumber(fixture.memory.subarray(0x20000)), 50);
  for (let sector = 0; sector < 3; sector++) {
    assertEquals(sectorNumber(fixture.memory.subarray(0x30002), sector), 51 + sector);
  }
});

test("WRITE DMA EXT stores what memory holds, over a table longer than the command", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.memory.fill(0x5a, 0x40000, 0x40000 + 0x30000);
  fixture.descriptors(0x1000, [[0x40000, 0x10000], [0x50000, 0], [0x60000, 0x8000]]);
  fixture.out(BUS_MASTER_BASE + 4, 0x1000, 4);
  [0, 1, 0, 0, 0].forEach((value, index) => fixture.out(PRIMARY + 1 + index, value));
  fixture.command(PRIMARY, [0, 0x08, 10, 0, 0], 0xe0, 0x35); // 0108h sectors
  fixture.out(BUS_MASTER_BASE, 0x01);
  assertEquals(fixture.ready(PRIMARY), 0x50);
  // Interrupt 1, active 1: the table was longer than the transfer.
  assertEquals(fixture.in(BUS_MASTER_BASE + 2), 0x05);
  const disk = fixture.ide.channels[0].drives[0] as AtaDisk;
  const edge = new Uint8Array(8);
  disk.image.read((10 + 0x108) * 512 - 4, edge);
  assertEquals(edge, new Uint8Array([0x5a, 0x5a, 0x5a, 0x5a, 0x12, 0x01, 0, 0]));
});

test("a table shorter than the command leaves the drive asking, without an interrupt", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.descriptors(0x1000, [[0x20000, 512]]);
  fixture.out(BUS_MASTER_BASE + 4, 0x1000, 4);
  fixture.command(PRIMARY, [0, 2, 50, 0, 0], 0xe0, 0xc8);
  fixture.out(BUS_MASTER_BASE, 0x09);
  assertEquals(fixture.ready(PRIMARY), 0x58);
  assertEquals([fixture.in(BUS_MASTER_BASE + 2), fixture.rises[0]], [0x00, 0]);
  // A second table takes the rest.
  fixture.descriptors(0x1000, [[0x20200, 512]]);
  fixture.out(BUS_MASTER_BASE, 0x08);
  fixture.out(BUS_MASTER_BASE, 0x09);
  assertEquals(fixture.ready(PRIMARY), 0x50);
  assertEquals(sectorNumber(fixture.memory.subarray(0x20000), 1), 51);
});

test("a channel whose decoding is off floats and takes nothing", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.ide.writeConfig(0x40, 2, 0);
  fixture.out(0x1f7, 0xec);
  assertEquals([fixture.in(0x1f7), fixture.in(0x3f6)], [0xff, 0xff]);
  fixture.ide.writeConfig(0x40, 2, 0x8000);
  assertEquals(fixture.in(0x1f7), 0x50);
});

test("a snapshot in the middle of a transfer goes on in another machine", () => {
  const fixture = new IdeFixture([numberedDisk(), null]);
  fixture.command(PRIMARY, [0, 3, 7, 0, 0], 0xe0, 0x20);
  fixture.ready(PRIMARY);
  fixture.readData(PRIMARY, 512);
  fixture.readData(PRIMARY, 0);
  const [time, ide] = [fixture.clock.save(), fixture.ide.save()];
  const other = new IdeFixture([numberedDisk(), null]);
  other.clock.restore(time);
  other.ide.restore(ide);
  for (const one of [fixture, other]) {
    assertEquals(one.ready(PRIMARY), 0x58);
    assertEquals(sectorNumber(one.readData(PRIMARY, 512)), 8);
    one.ready(PRIMARY);
    assertEquals(sectorNumber(one.readData(PRIMARY, 512)), 9);
    assertEquals(one.ready(PRIMARY), 0x50);
  }
  assertEquals(other.ide.save(), fixture.ide.save());
});
