import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { DiskImage } from "./disk_image.ts";
import { memoryBase, zeroBase } from "./readonly_bytes.ts";

const pattern = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 251);

function read(disk: DiskImage, offset: number, length: number): Uint8Array {
  const into = new Uint8Array(length).fill(0xee);
  disk.read(offset, into);
  return into;
}

test("a disk reads as its base until written, and the base stays as it was", () => {
  const base = pattern(3 * 4096);
  const disk = new DiskImage(memoryBase(base));
  assertEquals(read(disk, 4000, 5000), base.slice(4000, 9000));
  disk.write(4094, new Uint8Array([0xa1, 0xa2, 0xa3, 0xa4]));
  assertEquals(read(disk, 4092, 8), new Uint8Array([76, 77, 0xa1, 0xa2, 0xa3, 0xa4, 82, 83]));
  assertEquals(base, pattern(3 * 4096));
  assertEquals(disk.overlayBytes, 8192);
});

test("a base that is no multiple of a sector is padded with zeros", () => {
  const disk = new DiskImage(memoryBase(pattern(700)));
  assertEquals(disk.sectorCount, 2);
  const tail = read(disk, 698, 4);
  assertEquals(tail, new Uint8Array([698 % 251, 699 % 251, 0, 0]));
});

test("a disk larger than its base reads zeros past it", () => {
  const disk = new DiskImage(memoryBase(pattern(512)), { sizeBytes: 1 << 20 });
  disk.write(1024, new Uint8Array([9]));
  assertEquals(read(disk, 0, 4), new Uint8Array([0, 1, 2, 3]));
  assertEquals(read(disk, 1023, 3), new Uint8Array([0, 9, 0]));
  assertEquals(read(disk, (1 << 20) - 2, 2), new Uint8Array(2));
});

test("the overlay belongs to the snapshot, and discarding it gives the base back", () => {
  const disk = new DiskImage(zeroBase(1 << 20));
  disk.write(8190, new Uint8Array([1, 2, 3, 4]));
  const record = disk.save();
  disk.write(8190, new Uint8Array([5, 6, 7, 8]));
  disk.write(500_000, new Uint8Array([9]));
  const other = new DiskImage(zeroBase(1 << 20));
  other.restore(record);
  assertEquals(read(other, 8190, 4), new Uint8Array([1, 2, 3, 4]));
  assertEquals(read(other, 500_000, 1), new Uint8Array([0]));
  assertEquals(other.save(), record);
  disk.discardChanges();
  assertEquals(read(disk, 8190, 4), new Uint8Array(4));
});

test("commit writes each changed block once, in order, cut at the end of the disk", () => {
  const disk = new DiskImage(zeroBase(4096 * 3 + 512));
  disk.write(4096 * 3 + 1, new Uint8Array([7]));
  disk.write(10, new Uint8Array([8]));
  const log: [number, number][] = [];
  disk.commit({ write: (offset, bytes) => log.push([offset, bytes.length]) });
  assertEquals(log, [[0, 4096], [4096 * 3, 512]]);
});

test("an access outside the disk and a bad size are RangeErrors", () => {
  const disk = new DiskImage(zeroBase(1024));
  assertThrows(() => disk.read(1020, new Uint8Array(8)), RangeError);
  assertThrows(() => disk.write(-1, new Uint8Array(1)), RangeError);
  assertThrows(() => new DiskImage(zeroBase(1024), { sizeBytes: 512 }), RangeError);
  assertThrows(() => new DiskImage(zeroBase(1024), { sizeBytes: 1500 }), RangeError);
});
