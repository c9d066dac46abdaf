import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { FrameBuffer } from "./frame_buffer.ts";

const SIZE = 64;

test("what is saved ends with the last word that is not zero", () => {
  const cases:
    readonly (readonly [stores: readonly (readonly [number, number])[], saved: number])[] = [
      [[], 0],
      [[[0, 1]], 4],
      [[[5, 1]], 8],
      [[[7, 1]], 8],
      [[[63, 1]], 64],
      [[[3, 1], [40, 0]], 4],
      [[[9, 1], [9, 0]], 0],
    ];
  for (const [stores, saved] of cases) {
    const buffer = new FrameBuffer(SIZE);
    for (const [address, value] of stores) buffer.store(address, value);
    assertEquals(buffer.save().length, saved, JSON.stringify(stores));
    assertEquals(buffer.save(), buffer.bytes.slice(0, saved));
  }
});

test("restoring leaves nothing of what was there", () => {
  const buffer = new FrameBuffer(SIZE);
  buffer.store(2, 7);
  const saved = buffer.save();
  buffer.store(50, 9);
  buffer.restore(saved);
  assertEquals(buffer.bytes, Uint8Array.from({ length: SIZE }, (_, at) => at === 2 ? 7 : 0));
  buffer.clear();
  assertEquals(buffer.bytes, new Uint8Array(SIZE));
});

test("a larger card's memory is cut, and stores behind the end go nowhere", () => {
  const large = new FrameBuffer(2 * SIZE);
  large.store(SIZE - 1, 1);
  large.store(SIZE, 2);
  const small = new FrameBuffer(SIZE);
  small.restore(large.save());
  small.store(SIZE + 8, 3);
  assertEquals(small.save(), large.bytes.slice(0, SIZE));
});
