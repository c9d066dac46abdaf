import { assertEquals } from "@std/assert";
import { test } from "../lib/testing.ts";
import { FRAME_BYTES, FrameWatch, MachineMemory } from "./machine_memory.ts";

const RAM_BYTES = 4 * FRAME_BYTES;

function watchedMemory(): { memory: MachineMemory; told: string[] } {
  const memory = new MachineMemory(new ArrayBuffer(RAM_BYTES), {
    ramBytes: RAM_BYTES,
    lowRamBytes: RAM_BYTES,
    ramBase: 0,
    romBase: 0,
    romBytes: 0,
  });
  const told: string[] = [];
  memory.observe({
    beforeStore: (page, watch, offset, length) => told.push(`${page} ${watch} ${offset}+${length}`),
  });
  return { memory, told };
}

test("a store to a watched frame is told if it changes a byte, and only then", () => {
  const { memory, told } = watchedMemory();
  memory.watch(1, FrameWatch.code);
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
