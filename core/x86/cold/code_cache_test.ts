import { assertEquals, assertNotEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { FRAME_BYTES, MachineMemory } from "../../memory/machine_memory.ts";
import { Decoder } from "../decode/decoder.ts";
import { ENCODINGS } from "../instructions/table.ts";
import { SystemFunctions } from "../system/mod.ts";
import { CodeCache, codeTablesBytes } from "./code_cache.ts";
import { FixedHandler, LOOKUP_BYTES } from "./record.ts";

const RAM_BYTES = 64 * 1024;
const ARENA_BYTES = 64 * 1024;
const CODE = 0x1000;
/** mov eax, 0; ret */
const CODE_BYTES = [0xb8, 0, 0, 0, 0, 0xc3];
/** The mode key of 32-bit code with a 32-bit stack. */
const MODE = 6;
/** The handler that every form has here. */
const HANDLER = 2;

/** A cache for a memory that holds CODE_BYTES. */
class Bench {
  readonly memory: MachineMemory;
  readonly cache: CodeCache;

  constructor() {
    const lookupBase = RAM_BYTES;
    const arenaBase = lookupBase + LOOKUP_BYTES;
    const tablesBase = arenaBase + ARENA_BYTES;
    const codeLinesBase = tablesBase + codeTablesBytes(ARENA_BYTES);
    this.memory = new MachineMemory(new ArrayBuffer(codeLinesBase + 2 * FRAME_BYTES), {
      ramBytes: RAM_BYTES,
      lowRamBytes: RAM_BYTES,
      ramBase: 0,
      romBase: 0,
      romBytes: 0,
      codeLinesBase,
    });
    const functions = new SystemFunctions();
    const decoder = new Decoder(ENCODINGS, () => true, (name) => functions.find(name));
    const plan = { lookupBase, arenaBase, arenaBytes: ARENA_BYTES, tablesBase };
    this.cache = new CodeCache(this.memory, plan, decoder, () => HANDLER);
    for (const [i, byte] of CODE_BYTES.entries()) this.memory.write(CODE + i, 1, byte);
  }

  /** The record of the code after its operand was patched. */
  find(operand: number): number {
    this.memory.write(CODE + 1, 1, operand);
    return this.cache.find(CODE, MODE);
  }

  handlerIn(record: number): number {
    return new DataView(this.memory.buffer).getUint16(record, true);
  }
}

test("code that patches an operand back and forth is decoded once for each version", () => {
  const bench = new Bench();
  const first = bench.find(1);
  const second = bench.find(2);
  assertNotEquals(first, second);
  assertEquals(bench.find(1), first);
  const { usedBytes } = bench.cache;
  assertEquals([bench.find(2), bench.find(1), bench.find(2)], [second, first, second]);
  assertEquals(bench.cache.usedBytes, usedBytes);
});

test("of code that patches itself again and again eight versions are kept, in the same space", () => {
  const bench = new Bench();
  const records = new Set<number>();
  const used: number[] = [];
  for (let operand = 1; operand < 100; operand++) {
    records.add(bench.find(operand));
    used.push(bench.cache.usedBytes);
  }
  assertEquals(records.size, 8);
  assertEquals(used.at(-1), used[20]);
});

test("a store beside the code of a block leaves it as it is, one into it makes it stale", () => {
  const bench = new Bench();
  const record = bench.cache.find(CODE, MODE);
  const stores: readonly [offset: number, handler: number][] = [
    [-1, HANDLER],
    [CODE_BYTES.length, HANDLER],
    [CODE_BYTES.length - 1, FixedHandler.stale],
  ];
  for (const [offset, expected] of stores) {
    bench.memory.write(CODE + offset, 1, 0x90);
    assertEquals(bench.handlerIn(record), expected, `after a store at ${offset}`);
  }
});

test("when the arena is full everything is made anew", () => {
  const { memory, cache } = new Bench();
  const nops = Math.floor(RAM_BYTES / 2);
  for (let at = CODE; at < CODE + nops; at++) memory.write(at, 1, 0x90);
  const first = cache.find(CODE, MODE);
  let last = CODE;
  while (cache.evictions === 0) cache.find(++last, MODE);
  assertEquals(cache.find(last, MODE), first);
  assertNotEquals(cache.find(CODE, MODE), first);
});
