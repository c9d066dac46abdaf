/**
 * The quick code cache does what its plain twin does: both find blocks of the same code, which is stored to again and
 * again; arena, tables and look-up entries are the same afterwards.
 */

import { assert, assertEquals } from "@std/assert";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { CodeCache, type CodeOverlay, codeTablesBytes } from "../../core/x86/cold/code_cache.ts";
import { compileQuickBlocks } from "../../core/x86/cold/quick_blocks.ts";
import { ALWAYS_PASSES } from "../../core/x86/cold/passing.ts";
import {
  LOOKUP_BYTES,
  QuickBlocksEntry,
  Record,
  RECORD_BYTES,
} from "../../core/x86/cold/record.ts";
import { Decoder } from "../../core/x86/decode/decoder.ts";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import { offsetOf } from "../../core/x86/state/layout.ts";
import { SystemFunctions } from "../../core/x86/system/mod.ts";
import { assemble } from "../../core/x86/assembler/mod.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";

const RAM_BYTES = 0x1_0000;
const NOTES_BYTES = 0x1_0000;
const ARENA_BYTES = 0x8_0000;
const LOOKUP_BASE = RAM_BYTES;
const ARENA_BASE = LOOKUP_BASE + LOOKUP_BYTES;
const TABLES_BASE = ARENA_BASE + ARENA_BYTES;
const NOTES_BASE = TABLES_BASE + codeTablesBytes(ARENA_BYTES);
const CPU_BASE = NOTES_BASE + NOTES_BYTES;
const CPU_BYTES = 0x1_0000;
/** Mode keys: 16 bits; 32 bits, flat and whole, and not; 64 bits. */
const MODES = [0x00, 0x8e, 0x06, 0x01];
/** What a translator above the cache would have counted: the whole 32-bit and the 64-bit modes. */
const OVERLAY: CodeOverlay = {
  counted: { modes: 0x81, executions: 1000 },
  blockMade: () => {},
  hot: () => {},
  codeChanged: () => {},
  cleared: () => {},
};

/** A cache over its own memory; `store` changes code as a store of the engine would. */
function cache(isQuick: boolean, overlay: CodeOverlay | null) {
  const linear = wasmHost.createMemory(CPU_BASE + CPU_BYTES);
  const memory = new MachineMemory(linear.buffer, {
    ramBytes: RAM_BYTES,
    lowRamBytes: RAM_BYTES,
    ramBase: 0,
    romBase: 0,
    romBytes: 0,
    codeLinesBase: NOTES_BASE,
  });
  const plan = {
    lookupBase: LOOKUP_BASE,
    arenaBase: ARENA_BASE,
    arenaBytes: ARENA_BYTES,
    tablesBase: TABLES_BASE,
  };
  const functions = new SystemFunctions();
  const decoder = new Decoder(ENCODINGS, () => true, (name) => functions.find(name));
  const made = new CodeCache(memory, plan, decoder, ({ index }) => 100 + index, overlay);
  made.templates.prepare(decoder);
  const table = wasmHost.createTable(16) as WebAssembly.Table;
  let quick = 0;
  if (isQuick) {
    const places = { handle: table, entries: 16 };
    const counted = overlay?.counted ?? null;
    const find = compileQuickBlocks(wasmHost, linear, memory, plan, places, counted, ALWAYS_PASSES);
    made.quickFind = (page, offset, modeKey) => {
      const record = find(page, offset, modeKey);
      if (record !== 0) quick++;
      return record;
    };
  }
  const u8 = new Uint8Array(linear.buffer);
  const lines = new BigUint64Array(linear.buffer, NOTES_BASE);
  const store = (at: number, value: number) => {
    const page = at >> 12;
    const holds = (lines[page] >> BigInt((at & 0xfff) >> 6)) & 1n;
    if (!isQuick || holds === 0n || u8[at] === value) return memory.write(at, 1, value);
    if (table.get(QuickBlocksEntry.drop)!(page, at & 0xfff, 1) === 0) {
      return memory.write(at, 1, value);
    }
    u8[at] = value;
  };
  const cpu = new DataView(linear.buffer, CPU_BASE);
  for (const field of ["codeLast", "ipMask"] as const) cpu.setBigInt64(offsetOf(field), -1n, true);
  const arrive = (place: number, modeKey: number): number => {
    cpu.setBigUint64(offsetOf("rip"), BigInt(place), true);
    cpu.setInt32(offsetOf("modeKey"), modeKey, true);
    return table.get(QuickBlocksEntry.arrive)!(BigInt(CPU_BASE), BigInt(place));
  };
  return { made, memory, store, arrive, quick: () => quick, buffer: linear.buffer };
}

/** Numbers below a count (xorshift32). */
function random(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}

/** Instructions of all shapes: displacements, SIB bytes, immediates, prefixes, jumps. */
const ANYWHERE = `
  begin:
    mov eax, 0x12345678
    add bx, 0x1234
    sub cl, 5
    imul edx, ecx, -3
    test ebx, ebx
    jnz middle
    xor ebx, 1
    rep movsb
    lock inc dword [1]
    shl eax, 3
    mov ax, ds
    mov es, ax
    push 5
    push 0x1234
    pushf
    int 0x80
    cpuid
    jmp begin
  middle:
    in al, 0x20
    out dx, eax
    enter 16, 0
    leave
    call begin
    hlt
    loop middle
    jmp middle
    ret 8`;
const WIDE = `
    mov eax, [ebx]
    mov [ebp+8], eax
    add ecx, [esp+4]
    lea edx, [ecx+edx*4-0x1234]
    mov byte [esi*8+0x1000], 7
    cmp dword [edi+0x12345678], 0x1234
    fs mov eax, [ebx+ecx]
    mov dword [0x1234], 0x5678
    movaps xmm1, [eax+16]
    shufps xmm1, xmm2, 3
    fld qword [ecx]
    fadd st3`;
const LONG = `
    mov rax, 0x123456789abcdef0
    add r8, [r9+r10*2+0x10]
    mov [rel middle], eax
    lea r13, [r13+r12]
    mov qword [r12+8], -2
    xor r15d, r15d
    movq xmm8, rax
    gs mov rax, [0x28]
    syscall`;

function codeOf(bits: 16 | 32 | 64): Uint8Array {
  const source = ANYWHERE + (bits === 16 ? "" : WIDE) + (bits === 64 ? LONG : "");
  return assemble(source, { bits, origin: 0 }).bytes;
}

function firstDifference(buffers: readonly ArrayBufferLike[], from: number, to: number): number {
  const [a, b] = buffers.map((buffer) => new Int32Array(buffer, from, (to - from) >> 2));
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return from + 4 * i;
  return -1;
}

for (
  const [modeKey, overlay] of MODES.flatMap((mode) => [[mode, null], [mode, OVERLAY]] as const)
) {
  const above = overlay ? ", with an overlay" : "";
  Deno.test(`mode key ${modeKey}${above}: quick and plain ways to blocks leave the same records and tables`, () => {
    const pick = random(0x9e37 + modeKey);
    const caches = [cache(true, overlay), cache(false, overlay)];
    const code = codeOf(modeKey === 1 ? 64 : modeKey === 0 ? 16 : 32);
    for (const { memory } of caches) {
      for (let i = 0; i < RAM_BYTES - 0x1000; i++) memory.write(i, 1, code[i % code.length]);
    }
    const places = Array.from({ length: 300 }, () => pick(RAM_BYTES - 16));
    const overlaid = new Set<number>();
    for (let i = 0; i < 6000; i++) {
      if (overlay && i % 500 === 499) {
        const page = pick(RAM_BYTES >> 12);
        for (const { made } of caches) made.setOverlaid(page, !overlaid.has(page));
        if (!overlaid.delete(page)) overlaid.add(page);
      }
      const place = places[pick(places.length)];
      const [a, b] = caches.map(({ made }) => made.find(place, modeKey));
      assertEquals(a, b, `the block at ${place}, step ${i}`);
      const at = place + pick(24);
      const value = pick(3) === 0 ? pick(256) : code[at % code.length];
      if (pick(4) === 0 && at < RAM_BYTES) { for (const { store } of caches) store(at, value); }
    }
    const buffers = caches.map(({ buffer }) => buffer);
    // What lies in the arena beyond the words in use is of no meaning.
    const end = ARENA_BASE + caches[0].made.usedBytes;
    assertEquals(firstDifference(buffers, 0, end), -1);
    assertEquals(firstDifference(buffers, TABLES_BASE, NOTES_BASE + NOTES_BYTES), -1);
    assertEquals(caches[0].made.evictions, caches[1].made.evictions);
    assert(caches[0].quick() > 500, `only ${caches[0].quick()} blocks were made quickly`);
  });
}

/** Parts of a record that depend on the block, or on where control passes. */
const OF_BLOCKS = [Record.linkable, Record.blockBytes, Record.link, Record.link + 2];

/** The parts of the record at a linear offset that belong to its instruction. */
function instructionRecord(buffer: ArrayBufferLike, record: number): number[] {
  const halves = new Uint16Array(buffer, record, RECORD_BYTES >> 1);
  return [...halves].map((half, i) => OF_BLOCKS.some((part) => part === 2 * i) ? 0 : half);
}

for (const modeKey of MODES) {
  Deno.test(`mode key ${modeKey}: what is executed in passing has the record that a block would have, and blocks stay right`, () => {
    const pick = random(0x51ed + modeKey);
    const [quick, plain] = [cache(true, null), cache(false, null)];
    const code = codeOf(modeKey === 1 ? 64 : modeKey === 0 ? 16 : 32);
    for (const { memory } of [quick, plain]) {
      for (let i = 0; i < RAM_BYTES - 0x1000; i++) memory.write(i, 1, code[i % code.length]);
    }
    let passed = 0;
    for (let i = 0; i < 2000; i++) {
      const place = pick(RAM_BYTES - 0x1000);
      const completed = quick.arrive(place, modeKey);
      const inPassing = completed === 0 ? null : instructionRecord(quick.buffer, completed);
      const [record, expected] = [quick, plain].map(({ made }) => made.find(place, modeKey));
      assertEquals(record, expected, `the block at ${place}`);
      if (inPassing === null) continue;
      passed++;
      assertEquals(inPassing, instructionRecord(plain.buffer, expected), `${place}`);
    }
    const end = ARENA_BASE + plain.made.usedBytes;
    assertEquals(firstDifference([quick.buffer, plain.buffer], ARENA_BASE, end), -1);
    assert(passed > 1000, `only ${passed} instructions were executed in passing`);
  });
}
