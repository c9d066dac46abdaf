import { assertEquals } from "@std/assert";
import { test } from "../lib/testing.ts";
import { FrameHistory, type FrameTable } from "./frame_history.ts";
import { FRAME_BYTES, type MachineMemory } from "./machine_memory.ts";
import { smallMemory } from "./testing/small_memory.ts";
import { physical } from "../lib/brand.ts";

const FRAMES = 4;
/** A table of four contents. */
const TABLE_BYTES = 4 * FRAMES;

/** The first word of each frame. */
const words = (memory: MachineMemory) =>
  Array.from({ length: FRAMES }, (_, frame) => memory.read(frame * FRAME_BYTES, 4));
const store = (memory: MachineMemory, frame: number, value: number) =>
  memory.write(frame * FRAME_BYTES, 4, value);

test("RAM goes back to each instant, and forth again", () => {
  const memory = smallMemory(FRAMES);
  const history = new FrameHistory(memory);
  const tables: FrameTable[] = [];
  const held: number[][] = [];
  for (let i = 1; i <= 6; i++) {
    store(memory, i % FRAMES, i);
    memory.writeDma(physical(3 * FRAME_BYTES + 8), Uint8Array.of(i));
    tables.push(history.take());
    held.push([...words(memory), memory.read(3 * FRAME_BYTES + 8, 1)]);
  }
  store(memory, 0, 99);
  for (const i of [5, 0, 3, 3, 1, 4, 2]) {
    history.restore(tables[i]);
    assertEquals([...words(memory), memory.read(3 * FRAME_BYTES + 8, 1)], held[i], `instant ${i}`);
    if (i % 2 === 1) store(memory, i % FRAMES, 77);
  }
});

test("an instant copies nothing; the first store to a frame after it copies that frame once", () => {
  const memory = smallMemory(FRAMES);
  const history = new FrameHistory(memory);
  for (let frame = 0; frame < FRAMES; frame++) store(memory, frame, 1 + frame);
  history.take();
  assertEquals(history.keptBytes, TABLE_BYTES);
  for (const value of [5, 6, 7]) store(memory, 2, value);
  assertEquals(history.keptBytes, TABLE_BYTES + FRAME_BYTES);
  history.take();
  assertEquals(history.keptBytes, 2 * TABLE_BYTES + FRAME_BYTES);
});

test("a frame of zeros takes no room", () => {
  const memory = smallMemory(FRAMES);
  const history = new FrameHistory(memory);
  const empty = history.take();
  store(memory, 1, 5);
  assertEquals(history.keptBytes, TABLE_BYTES);
  history.restore(empty);
  assertEquals(words(memory), [0, 0, 0, 0]);
});

test("contents that no instant names are given up", () => {
  const memory = smallMemory(FRAMES);
  const history = new FrameHistory(memory);
  const tables = [1, 2, 3, 4].map((value) => {
    store(memory, 0, value);
    return history.take();
  });
  store(memory, 0, 5);
  assertEquals(history.keptBytes, 4 * (TABLE_BYTES + FRAME_BYTES));
  history.release(tables[1]);
  history.release(tables[3]);
  assertEquals(history.keptBytes, 2 * (TABLE_BYTES + FRAME_BYTES));
  history.restore(tables[2]);
  assertEquals(words(memory)[0], 3);
  history.release(tables[2]);
  store(memory, 0, 6);
  assertEquals(history.keptBytes, TABLE_BYTES + FRAME_BYTES);
  history.restore(tables[0]);
  assertEquals(words(memory)[0], 1);
  history.release(tables[0]);
  store(memory, 0, 7);
  assertEquals(history.keptBytes, 0);
});

test("an instant can be read without going there", () => {
  const memory = smallMemory(FRAMES);
  const history = new FrameHistory(memory);
  store(memory, 1, 11);
  store(memory, 2, 12);
  const table = history.take();
  store(memory, 1, 21);
  const read = (frame: number) => {
    const into = new Uint32Array(FRAME_BYTES / 4);
    history.read(table, frame, into);
    return into[0];
  };
  assertEquals([read(1), read(2)], [11, 12]);
  assertEquals(words(memory), [0, 21, 12, 0]);
});
