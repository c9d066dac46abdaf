import { assertEquals } from "@std/assert";
import type { PhysicalAddress } from "../lib/brand.ts";
import { test } from "../lib/testing.ts";
import { FRAME_BYTES, FrameWatch, type MachineMemory } from "./machine_memory.ts";
import { smallMemory } from "./testing/small_memory.ts";

function watchedMemory(): { memory: MachineMemory; told: string[] } {
  const memory = smallMemory(4);
  const told: string[] = [];
  memory.observe({
    beforeStore: (page, watch, offset, length) => told.push(`${page} ${watch} ${offset}+${length}`),
  });
  return { memory, told };
}

test("a store to code is told if it changes a byte, and only then", () => {
  const { memory, told } = watchedMemory();
  memory.watchCode(1, 0, FRAME_BYTES);
  const stores: readonly [address: number, size: 1 | 2 | 4, value: number][] = [
    [0x0010, 4, 0x1234],
    [0x1010, 4, -2],
    [0x1010, 4, 0xfffffffe],
    [0x1012, 2, 0x5ffff],
    [0x1012, 2, 0x1ffff & ~1],
    [0x1ff8, 1, 0x100],
    [0x1ff8, 1, 0x101],
  ];
  for (const store of stores) memory.write(...store);
  assertEquals(told, ["1 1 16+4", "1 1 18+2", "1 1 4088+1"]);
  assertEquals(memory.read(0x1010, 4), 0xfffefffe);
});

test("code is told of stores to its lines of 64 bytes, and of no others", () => {
  const { memory, told } = watchedMemory();
  memory.watchCode(1, 0x7e, 4);
  memory.watchCode(1, 0x82, 1);
  const stores = [0x1000, 0x103d, 0x1041, 0x107c, 0x10bd, 0x10c1, 0x2080];
  for (const address of stores) memory.write(address, 4, -1);
  assertEquals(told, ["1 1 61+4", "1 1 65+4", "1 1 124+4", "1 1 189+4"]);
  memory.unwatchCode(1, 0x82, 1);
  memory.unwatchCode(1, 0x7e, 4);
  memory.write(0x1080, 4, 1);
  assertEquals(told.length, 4);
});

test("a page without code is watched for 64 more stores, since code may come back", () => {
  const { memory } = watchedMemory();
  memory.watchCode(1, 0x10, 4);
  memory.unwatchCode(1, 0x10, 4);
  const watches = [];
  for (let i = 1; i <= 64; i++) {
    memory.write(0x1010, 4, i);
    watches.push(memory.watches(1));
  }
  assertEquals(watches, [...new Array(63).fill(FrameWatch.code), 0]);
});

test("a new map says whether loads reached memory where something else is now", () => {
  const { memory } = watchedMemory();
  const told: boolean[] = [];
  memory.observe({ onRemap: (fromMemory) => told.push(fromMemory) });
  const device = { readMmio: () => 0, writeMmio: () => {} };
  const inRam = 0x1000 as PhysicalAddress;
  const inHole = 0x8000_0000 as PhysicalAddress;
  memory.attachMmio(inHole, FRAME_BYTES, "card", device);
  memory.detachMmio(inHole);
  memory.attachMmio(inRam, FRAME_BYTES, "APIC", device);
  memory.detachMmio(inRam);
  memory.shadow(0x2000, FRAME_BYTES, -1, true, false);
  memory.shadow(0x2000, FRAME_BYTES, -1, false, false);
  memory.shadow(0x2000, FRAME_BYTES, -1, true, true);
  assertEquals(told, [false, false, true, false, false, true, false]);
});
