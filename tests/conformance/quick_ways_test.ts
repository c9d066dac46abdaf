import { assert, assertEquals } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import type { StateField } from "../../core/x86/ir/ir.ts";
import { Access } from "../../core/x86/paging/mmu.ts";
import { View } from "../../core/x86/paging/tlb.ts";
import {
  compileQuickWays,
  type QuickWay,
  type QuickWays,
} from "../../core/x86/quick/quick_ways.ts";
import { deliver } from "../../core/x86/system/delivery.ts";
import { updateMode } from "../../core/x86/system/mode.ts";
import { At, Rig, RIG_BYTES, Sel } from "../../core/x86/system/testing/rig.ts";
import { wasmHost } from "../../testbed/wasm_host.ts";

/** Numbers from 0 to 2^32 - 1 (xorshift32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

type Mode = "protected" | "long";
const VECTOR = 0x30;
const PRESENT_TRAP = 0x8f;
/** Pages that hold tables and stacks. */
const PAGES = [
  At.gdt,
  At.idt,
  At.tss,
  At.stack0 - 0x1000,
  At.stack0,
  At.stack3 - 0x1000,
  At.stack3,
];
/** The state differs in these fields on purpose. */
const IGNORED: readonly StateField[] = ["fastPaths", "result"];

/** Two memories for rigs, with the quick ways compiled for each. */
const PLACES = [0, 1].map(() => {
  const linear = wasmHost.createMemory(RIG_BYTES);
  return { linear, ways: compileQuickWays(wasmHost, linear) };
});

/** A rig in memory `place` whose quick ways note in `taken` that they were taken. */
function set(mode: Mode, cpl: 0 | 3, place: 0 | 1, taken: string[] | null): Rig {
  const { linear: { buffer }, ways } = PLACES[place];
  new Uint8Array(buffer).fill(0);
  const rig = new Rig(undefined, buffer);
  if (mode === "long") {
    rig.longMode(cpl).longGate(VECTOR, Sel.code64, 0x12_3456n, PRESENT_TRAP | 0x60);
  } else {rig.protectedMode(cpl).gate(
      At.idt + VECTOR * 8,
      Sel.code0,
      0x12_3456,
      PRESENT_TRAP | 0x60,
    );}
  rig.state.fastPaths = taken === null ? 0 : 1;
  const noted = Object.entries(ways).map(([name, way]: [string, QuickWay]) => {
    const wrapped: QuickWay = (...parameters) => {
      const done = way(...parameters);
      if (done !== 0) taken?.push(name);
      return done;
    };
    return [name, wrapped];
  });
  rig.cpu.quickWays = Object.fromEntries(noted) as QuickWays;
  return rig;
}

/** Enters the translations that the quick ways need. */
function warm({ cpu: { mmu } }: Rig): void {
  for (const page of PAGES) {
    for (const view of [View.supervisor, View.user]) mmu.translate(page, 0, Access.write, view);
  }
}

function architecture(rig: Rig): Record<string, unknown> {
  const { state } = rig.state.save();
  const record = { ...(state as Record<string, unknown>) };
  for (const field of IGNORED) delete record[field];
  return record;
}

function memoryOf(rig: Rig): Uint8Array {
  const bytes = new Uint8Array(At.stack3 + 0x1000);
  rig.memory.readBytes(physical(0), bytes);
  return bytes;
}

/** The first address whose bytes differ, or -1. */
function firstDifference(rigs: readonly Rig[]): number {
  const [a, b] = rigs.map(memoryOf);
  return a.findIndex((byte, i) => byte !== b[i]);
}

for (const mode of ["protected", "long"] as const) {
  for (const cpl of [0, 3] as const) {
    Deno.test(`${mode} mode, CPL ${cpl}: the quick way is taken through a common gate and back`, () => {
      const taken: string[] = [];
      const rig = set(mode, cpl, 0, taken);
      // The first time, the TLB knows no table yet.
      for (const expected of [[], [`${mode}Entry`, `${mode}Return`]]) {
        assertEquals(rig.call("int", VECTOR), "done");
        assertEquals([rig.state.cpl, rig.state.nextRip], [0, 0x12_3456n]);
        const popped = taken.length;
        assertEquals(rig.call("iret", mode === "long" ? 64 : 32), "done");
        if (expected.length === 0) taken.length = 0;
        assertEquals([popped, taken], [expected.length / 2, expected]);
        assertEquals([rig.state.cpl, rig.state.nextRip], [cpl, BigInt(At.code + 2)]);
        warm(rig);
      }
    });
  }
}

Deno.test("the quick ways can be forbidden", () => {
  const taken: string[] = [];
  const rig = set("protected", 3, 0, taken);
  warm(rig);
  rig.state.fastPaths = 0;
  assertEquals([rig.call("int", VECTOR), rig.call("iret", 32), taken], ["done", "done", []]);
});

/** Something that is not as it commonly is. */
const CHANGES: readonly ((rig: Rig, n: number) => void)[] = [
  (rig, n) => rig.memory.write(At.idt + VECTOR * 8 + (n & 15), 1, n >>> 8),
  (rig, n) => rig.memory.write(At.idt + VECTOR * 16 + (n & 15), 1, n >>> 8),
  (rig, n) => rig.memory.write(At.gdt + (n & 0x7f), 1, n >>> 8),
  // A bit of the type, or of the flags, of some descriptor.
  (rig, n) => {
    const at = At.gdt + 8 * (1 + (n % 11)) + ((n & 0x100) !== 0 ? 5 : 6);
    rig.memory.write(at, 1, rig.read(at, 1) ^ (1 << ((n >>> 9) & 7)));
  },
  (rig, n) => rig.memory.write(At.tss + 4 + (n & 7), 1, n >>> 8),
  (rig, n) => rig.write(At.tss + 4, At.stack0 - (n % 64)),
  (rig, n) => rig.write(At.tss + 36, n % 3 === 0 ? 8 : At.stack3 + (n & 0xfff)),
  (rig, n) => rig.state.gdtrLimit = n & 0x7f,
  (rig, n) => rig.state.idtrLimit = VECTOR * 8 + (n & 0x1ff),
  (rig, n) => rig.state.trLimit = n & 0x3f,
  (rig) => rig.state.trAttributes = 0x83,
  (rig, n) => rig.state.gdtrBase = BigInt(At.gdt + (n & 15)),
  (rig, n) => rig.state.rsp = BigInt(At.stack3 - 0x20 + (n & 0x3f)),
  (rig, n) =>
    rig.state.rsp = [0n, 4n, 0xffff_fffcn, 0x8000_0000_0000n, 0xffff_8000_0000_0000n][n % 5],
  (rig, n) => rig.state.ssLast = rig.state.rsp + BigInt(n & 63) - 32n,
  (rig) => rig.state.ssFirst = 0x4000n,
  (rig) => rig.state.ssAttributes &= ~0x4000,
  (rig, n) => rig.state.ssBase = BigInt(n & 0x1003),
  (rig) => rig.state.dr7 = 0x401,
  (rig) => rig.state.flags |= 0x4000,
  (rig) => rig.state.flags |= 0x40000,
  (rig) => rig.state.cr4 |= 1 << 21,
  (rig, n) => rig.segment(3, Sel.data0, n & 0xff, 0xffff_ffff, 0xc093),
];

/** Changes to what IRET finds on its stack. */
const FRAME_CHANGES: readonly ((rig: Rig, n: number) => void)[] = [
  () => {},
  (rig, n) => rig.memory.write(Number(rig.state.rsp) + (n % 40), 1, n >>> 8),
  (rig, n) => rig.memory.write(Number(rig.state.rsp) + 4, 1, [8, 0x1b, 0x38, 0x43, 0x4b][n % 5]),
  (rig, n) => rig.memory.write(Number(rig.state.rsp) + 8, 1, [8, 0x1b, 0x38, 0x43, 0x4b][n % 5]),
  (rig, n) =>
    rig.memory.write(Number(rig.state.rsp) + (n % 2 ? 16 : 32), 1, [0, 3, 0x10, 0x23][n % 4]),
];

/** Runs the same on two rigs, one of which may take the quick ways, and compares after each step. */
function compare(mode: Mode, seed: number, taken: string[]): void {
  const next = random(seed);
  const cpl = next() % 2 === 0 ? 0 : 3;
  const rigs = [set(mode, cpl, 0, taken), set(mode, cpl, 1, null)];
  for (let i = next() % 3; i > 0; i--) {
    const [change, n] = [CHANGES[next() % CHANGES.length], next()];
    for (const rig of rigs) change(rig, n);
  }
  for (const rig of rigs) {
    updateMode(rig.cpu);
    warm(rig);
    rig.state.status = 0;
  }
  const kind = next() % 3;
  const vector = kind === 1 && next() % 2 === 0 ? 13 : VECTOR;
  const same = (what: string) => {
    const [quick, plain] = rigs.map(architecture);
    assertEquals(quick, plain, `seed ${seed}, ${mode} mode: ${what}`);
    assertEquals(firstDifference(rigs), -1, `seed ${seed}, ${mode} mode: memory after ${what}`);
  };
  const outcomes = rigs.map((rig) => {
    if (kind === 0) return rig.call("int", VECTOR);
    deliver(rig.cpu, {
      vector,
      kind: kind === 1 ? "fault" : "external",
      errorCode: kind === 1 ? 5 : -1,
    });
    return "done";
  });
  assertEquals(outcomes[0], outcomes[1], `seed ${seed}`);
  same("entry");
  if (kind === 1) { for (const rig of rigs) rig.state.rsp += mode === "long" ? 8n : 4n; }
  const [change, n] = [FRAME_CHANGES[next() % FRAME_CHANGES.length], next()];
  for (const rig of rigs) change(rig, n);
  const width = next() % 8 === 0 ? 32 : mode === "long" ? 64 : 32;
  const returns = rigs.map((rig) => rig.call("iret", width));
  assertEquals(returns[0], returns[1], `seed ${seed}`);
  same("return");
}

for (const mode of ["protected", "long"] as const) {
  Deno.test(`${mode} mode: quick and plain ways through gates and back lead to the same state`, () => {
    const taken: string[] = [];
    for (let seed = 1; seed <= 300; seed++) compare(mode, seed * 0x9e37, taken);
    for (const way of [`${mode}Entry`, `${mode}Return`]) {
      assert(taken.filter((name) => name === way).length > 50, `${way} is hardly ever taken`);
    }
  });
}
