import { assertEquals } from "@std/assert";
import { FRAME_BYTES, type MachineMemory } from "../../core/memory/machine_memory.ts";
import { smallMemory } from "../../core/memory/testing/small_memory.ts";
import { RamHistory } from "./ram_history.ts";

const FRAMES = 8;
const RAM_BYTES = FRAMES * FRAME_BYTES;
const TABLE_BYTES = 4 * FRAMES;

function memoryWith(values: readonly number[]): MachineMemory {
  const memory = smallMemory(FRAMES);
  values.forEach((value, frame) => memory.write(frame * FRAME_BYTES, 4, value));
  return memory;
}

const words = (memory: MachineMemory) =>
  Array.from({ length: FRAMES }, (_, frame) => memory.read(frame * FRAME_BYTES, 4));

Deno.test("an instant keeps the frames that are stored to after it, and no others", () => {
  const memory = memoryWith([1, 2, 3, 4, 5, 6, 7, 8]);
  const history = new RamHistory(memory);
  const past = history.take();
  assertEquals(history.keptBytes, TABLE_BYTES);
  memory.write(3 * FRAME_BYTES, 4, 40);
  memory.write(3 * FRAME_BYTES + 8, 4, 41);
  assertEquals(history.keptBytes, TABLE_BYTES + FRAME_BYTES);
  assertEquals(past.sizeBytes, RAM_BYTES);
});

Deno.test("an instant can be brought back to its own memory and to another, while the first goes on", () => {
  const memory = memoryWith([1, 2, 3, 4, 5, 6, 7, 8]);
  const past = new RamHistory(memory).take();
  memory.write(2 * FRAME_BYTES, 4, 30);
  const other = memoryWith([9, 9]);
  past.writeTo(other);
  assertEquals(words(other), [1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(words(memory), [1, 2, 30, 4, 5, 6, 7, 8]);
  past.writeTo(memory);
  assertEquals(words(memory), [1, 2, 3, 4, 5, 6, 7, 8]);
});
