import { assertEquals, assertNotEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { MachineMemory } from "../../memory/machine_memory.ts";
import { Decoder } from "../decode/decoder.ts";
import { ENCODINGS } from "../instructions/table.ts";
import { CodeCache } from "./code_cache.ts";
import { SystemFunctions } from "../system/mod.ts";
import { LOOKUP_BYTES } from "./record.ts";

const RAM_BYTES = 64 * 1024;
const ARENA_BYTES = 64 * 1024;
const CODE = 0x1000;
/** The mode key of 32-bit code with a 32-bit stack. */
const MODE = 6;

test("code that patches an operand back and forth is decoded once for each version", () => {
  const plan = {
    lookupBase: RAM_BYTES,
    arenaBase: RAM_BYTES + LOOKUP_BYTES,
    arenaBytes: ARENA_BYTES,
  };
  const memory = new MachineMemory(new ArrayBuffer(plan.arenaBase + ARENA_BYTES), {
    ramBytes: RAM_BYTES,
    lowRamBytes: RAM_BYTES,
    ramBase: 0,
    romBase: 0,
    romBytes: 0,
  });
  const functions = new SystemFunctions();
  const decoder = new Decoder(ENCODINGS, () => true, (name) => functions.find(name));
  const cache = new CodeCache(memory, plan, decoder, () => 2);
  // mov eax, imm32; ret
  for (const [i, byte] of [0xb8, 1, 0, 0, 0, 0xc3].entries()) memory.write(CODE + i, 1, byte);
  const find = (operand: number) => {
    memory.write(CODE + 1, 1, operand);
    return cache.find(CODE, MODE);
  };
  const first = find(1);
  const second = find(2);
  const usedBytes = cache.usedBytes;
  assertNotEquals(first, second);
  assertEquals([find(1), find(2), find(1)], [first, second, first]);
  assertEquals(cache.usedBytes, usedBytes);
});
