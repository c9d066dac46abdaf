/**
 * The quick functions that generated code calls do what their plain twins do: the way from a TLB miss to an entry, and
 * what drops entries. Random page tables in all formats; state, tables and the whole TLB are compared.
 */

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../core/x86/paging/mmu.ts";
import { BANK_BYTES } from "../../core/x86/paging/tlb.ts";
import {
  compileQuickFunctions,
  QUICK_ENTRIES,
  quickEntry,
  translationEntry,
} from "../../core/x86/quick/quick_functions.ts";
import { offsetOf } from "../../core/x86/state/layout.ts";
import { updateMode } from "../../core/x86/system/mode.ts";
import type { SystemFunctionName } from "../../core/x86/system/functions.ts";
import { Rig, RIG_BYTES } from "../../core/x86/system/testing/rig.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";

/** Where the rig keeps its TLB, and the tables of this test. */
const TLB_BASE = 0x1_0000;
const RAM_BASE = 0x40_0000;
const TABLES = 0x10_0000;
const TABLE_FRAMES = 4;
const RAM_PAGES = 512;

type Pick = (count: number) => number;

/** Numbers below a count (xorshift32). */
function random(seed: number): Pick {
  let state = seed;
  return (count) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}

/** A rig and the quick functions for its memory. */
function set(): { rig: Rig; call: (entry: number, ...args: bigint[]) => number } {
  const linear = wasmHost.createMemory(RIG_BYTES);
  const rig = new Rig(undefined, linear.buffer);
  const table = wasmHost.createTable(QUICK_ENTRIES) as WebAssembly.Table;
  compileQuickFunctions(wasmHost, linear, rig.memory, 0, {
    handle: table,
    entries: QUICK_ENTRIES,
    firstEntry: 0,
  });
  return { rig, call: (entry, ...args) => table.get(entry)!(BigInt(rig.state.base), ...args) };
}

const QUICK = set();
const PLAIN = set();
const RIGS = [QUICK.rig, PLAIN.rig];

/** Paging modes by the bits that select them. */
const FORMATS = {
  none: { cr0: 0x11, cr4: 0, efer: 0, entryBytes: 4, shifts: [] },
  "32-bit": { cr0: 0x80000011 | 0, cr4: 0, efer: 0, entryBytes: 4, shifts: [22, 12] },
  "32-bit with PSE": { cr0: 0x80000011 | 0, cr4: 0x10, efer: 0, entryBytes: 4, shifts: [22, 12] },
  PAE: { cr0: 0x80000011 | 0, cr4: 0x20, efer: 0, entryBytes: 8, shifts: [30, 21, 12] },
  "4-level": {
    cr0: 0x80000011 | 0,
    cr4: 0x20,
    efer: 0x500,
    entryBytes: 8,
    shifts: [39, 30, 21, 12],
  },
} as const;
type Format = keyof typeof FORMATS;

const LINEARS = [0x0040_0123n, 0x0040_1ff8n, 0x0060_0000n, 0x4000_0004n, 0xc123_4567n];
const LONG_LINEARS = [0xffff_8000_0000_0ff0n, 0x7fff_ffff_f000n, 0x8000_0000_0000n];

/** An entry that leads to `frame`, with what may be unusual about it. */
function entry(pick: Pick, frame: number, isPointer: boolean): [low: number, high: number] {
  let low = (frame << 12) | (pick(12) === 0 ? 0 : 1);
  if (!isPointer) {
    low |= (pick(4) === 0 ? 0 : 2) | (pick(4) === 0 ? 0 : 4) | (pick(2) << 5) | (pick(2) << 6);
    low |= (pick(6) === 0 ? 0x80 : 0) | (pick(3) === 0 ? 0x100 : 0);
  }
  const high = pick(8) === 0 ? 0x80000000 : pick(40) === 0 ? 0x100 : 0;
  return [low, high];
}

/** Chains of tables for `linear`, the same in both rigs: level i in frame i of TABLES. */
function map(pick: Pick, format: Format, linear: bigint): void {
  const { entryBytes, shifts } = FORMATS[format];
  const indexBits = entryBytes === 4 ? 10n : 9n;
  shifts.forEach((shift, i) => {
    const isLast = i === shifts.length - 1;
    const frame = isLast
      ? pick(40) === 0 ? RAM_PAGES + pick(4) : pick(RAM_PAGES)
      : (TABLES >> 12) + i + 1;
    const isPointer = format === "PAE" && i === 0;
    const [low, high] = entry(pick, frame, isPointer);
    // PAE paging's first level has four entries.
    const bits = isPointer ? 2n : indexBits;
    const index = Number((linear >> BigInt(shift)) & ((1n << bits) - 1n));
    const at = TABLES + i * 0x1000 + index * entryBytes;
    for (const rig of RIGS) {
      rig.write(at, low);
      if (entryBytes === 8) rig.write(at + 4, high);
    }
  });
}

/** Sets what decides about access. */
function setMode(pick: Pick, format: Format): void {
  const { cr0, cr4, efer } = FORMATS[format];
  const cpl = pick(2) * 3;
  const more = (pick(2) << 16) | (pick(8) === 0 ? 0x40000 : 0);
  const more4 = (pick(2) << 7) | (pick(4) === 0 ? 1 << 20 : 0) | (pick(4) === 0 ? 1 << 21 : 0);
  const nxe = pick(3) === 0 ? 0 : 0x800;
  const flags = pick(4) === 0 ? 0x40002 : 2;
  const care = pick(20) === 0 ? 2 : 0;
  for (const { state, cpu } of RIGS) {
    state.cr0 = cr0 | more;
    state.cr4 = cr4 | more4;
    state.efer = efer | nxe;
    state.cr3 = BigInt(TABLES);
    state.cpl = cpl;
    state.flags = flags;
    state.care = care;
    updateMode(cpu);
  }
}

/** Arguments stand where they were given. */
const IGNORED = ["argument0", "argument1", "argument2", "argument3"];

function assertSame(what: string): void {
  const [quick, plain] = RIGS.map((rig) => {
    const state = { ...(rig.state.save().state as Record<string, unknown>) };
    for (const name of IGNORED) delete state[name];
    return state;
  });
  assertEquals(quick, plain, what);
  for (const base of [RAM_BASE + TABLES, TLB_BASE]) {
    const words = (base === TLB_BASE ? BANK_BYTES : TABLE_FRAMES * 0x1000) / 4;
    const [a, b] = RIGS.map(({ memory }) => new Int32Array(memory.buffer, base, words));
    let at = 0;
    while (at < words && a[at] === b[at]) at++;
    assertEquals(at, words, `${what}: tables or TLB`);
  }
}

/** One access on both sides; returns what the quick way said. */
function access(kind: "read" | "write" | "fetch", linear: bigint, what: string): number {
  const low = Number(BigInt.asIntN(32, linear));
  const high = Number(BigInt.asIntN(32, linear >> 32n));
  const plainly = ({ cpu }: Rig) =>
    cpu.mmu.translate(
      low,
      high,
      Access[kind],
      kind === "fetch" ? cpu.state.cpl && 1 : cpu.mmu.view,
    );
  const said = QUICK.call(translationEntry(kind), linear);
  const done = said === 0 ? plainly(QUICK.rig) >= 0 : said === 1;
  assertEquals(done, plainly(PLAIN.rig) >= 0, what);
  assertSame(what);
  for (const { state } of RIGS) state.status = 0;
  return said;
}

/** A system function on both sides; returns what the quick one said. */
function callBoth(name: SystemFunctionName, ...args: bigint[]): number {
  args.forEach((value, n) =>
    QUICK.rig.state.set128(offsetOf(`argument${n as 0 | 1 | 2 | 3}`), value)
  );
  const said = QUICK.call(quickEntry(name));
  if (said === 0) QUICK.rig.call(name, ...args);
  PLAIN.rig.call(name, ...args);
  assertSame(`${name} ${args}`);
  return said;
}

function fresh(): void {
  for (const { memory, cpu } of RIGS) {
    for (let at = 0; at < TABLE_FRAMES * 0x1000; at += 4) memory.write(TABLES + at, 4, 0);
    cpu.mmu.flushEverything();
  }
}

function compare(seed: number, format: Format, said: Map<string, number>): void {
  const pick = random(seed * 0x9e37);
  const note = (what: string) => said.set(what, (said.get(what) ?? 0) + 1);
  fresh();
  setMode(pick, format);
  const known = format === "4-level" ? [...LINEARS, ...LONG_LINEARS] : LINEARS;
  const linears = format === "none" ? [0x1234n, 0x10_0000n, 0x1f_ffffn, 0x20_0000n] : known;
  for (let i = 0; i < 6; i++) {
    const linear = linears[pick(linears.length)];
    if (pick(3) !== 0) map(pick, format, linear);
    const kind = (["read", "write", "fetch"] as const)[pick(3)];
    note(`${kind} ${access(kind, linear, `seed ${seed}, ${format}: ${kind} of ${linear}`)}`);
    const { state } = QUICK.rig;
    if (pick(4) === 0) note(`invlpg ${callBoth("invlpg", linear)}`);
    if (pick(6) === 0) note(`writeCr ${callBoth("writeCr", 3n, state.cr3)}`);
    const number = BigInt([0, 2, 3, 4][pick(4)]);
    if (pick(6) === 0) note(`readCr ${callBoth("readCr", number)}`);
  }
}

for (const format of Object.keys(FORMATS) as Format[]) {
  Deno.test(`${format} paging: quick and plain ways to a translation, and to none, are the same`, () => {
    const said = new Map<string, number>();
    for (let seed = 1; seed <= 200; seed++) compare(seed, format, said);
    for (const kind of ["read", "write", "fetch"]) {
      assert((said.get(`${kind} 1`) ?? 0) > 25, `${kind} is hardly ever done quickly`);
      const faults = said.get(`${kind} 2`) ?? 0;
      assert(format === "none" ? faults === 0 : faults > 25, `${kind} hardly ever faults`);
    }
    assert((said.get("invlpg 1") ?? 0) > 25 && (said.get("readCr 1") ?? 0) > 25);
    // PAE paging has its pointers checked the plain way.
    assertEquals((said.get("writeCr 1") ?? 0) > 25, format !== "PAE");
  });
}

/** Where blocks are moved, in pages: two that lie side by side, and one that no access has reached. */
const BLOCKS = 0x14_0000;
const BLOCK_BYTES = 0x3000;

Deno.test("quick and plain ways to move and fill blocks leave the same memory, and do as many items", () => {
  const pick = random(0x51ed);
  fresh();
  setMode(random(1), "none");
  const words = RIGS.map(({ memory }) =>
    new Int32Array(memory.buffer, RAM_BASE + BLOCKS, BLOCK_BYTES / 4)
  );
  for (const { memory, cpu } of RIGS) {
    const fill = random(7);
    for (let at = 0; at < BLOCK_BYTES; at += 4) memory.write(BLOCKS + at, 4, fill(2 ** 32));
    for (const page of [0, 1]) {
      for (const access of [Access.read, Access.write]) {
        cpu.mmu.translate(BLOCKS + page * 0x1000, 0, access, cpu.mmu.view);
      }
    }
  }
  let done = 0;
  for (let i = 0; i < 3000; i++) {
    const place = () => BigInt(BLOCKS + pick(pick(8) === 0 ? BLOCK_BYTES : 0x2000));
    const name = pick(2) === 0 ? "moveBlock" : "fillBlock";
    const item = [0n, ~0n & 0xffff_ffff_ffff_ffffn, BigInt(pick(2 ** 32)) * 0x1_0001n][pick(3)];
    const first = name === "moveBlock" ? place() : item;
    const bytes = BigInt([1, 2, 4, 8][pick(4)]);
    assertEquals(callBoth(name, first, place(), bytes, BigInt(16 + pick(600))), 1);
    if (QUICK.rig.state.low(offsetOf("result")) > 0) done++;
    assertEquals(words[0], words[1], `step ${i}: ${name}`);
  }
  assert(done > 1000 && done < 3000, `${done} of 3000 did something`);
});
