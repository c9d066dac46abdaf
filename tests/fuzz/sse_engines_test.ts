/**
 * MMX and SSE on both engines: every encoding on random operands, where generated code takes its fast paths and the
 * reference never does. Floating-point operands are mostly ordinary and MXCSR mostly lets fast paths be taken.
 */

import { assert, assertEquals } from "@std/assert";
import { type Encoding, parseEncoding } from "../../core/x86/decode/encoding.ts";
import type { InstructionGroup } from "../../core/x86/instructions/definition.ts";
import { MMX_SSE_MOVES } from "../../core/x86/instructions/mmx_sse_moves.ts";
import { SIMD_ELEMENTS } from "../../core/x86/instructions/simd_elements.ts";
import { SIMD_INTEGER } from "../../core/x86/instructions/simd_integer.ts";
import { SIMD_SHUFFLE } from "../../core/x86/instructions/simd_shuffle.ts";
import { SSE_COMPARE } from "../../core/x86/instructions/sse_compare.ts";
import { SSE_CONVERT } from "../../core/x86/instructions/sse_convert.ts";
import { SSE_FLOAT } from "../../core/x86/instructions/sse_float.ts";
import { SSE_STRINGS } from "../../core/x86/instructions/sse_strings.ts";
import { fprOffset, GENERAL_REGISTERS, xmmOffset } from "../../core/x86/state/layout.ts";
import { readFlags, writeFlags } from "../../core/x86/system/flags_image.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { EngineBench } from "./engine_bench.ts";
import { boundaryBits, Random } from "./softfloat_operands.ts";

const SEED = 20260301;
const DATA = 0x20_0000;
const DATA_BYTES = 64;
/** MXCSR with which fast paths are taken. */
const FAST = 0x1fa0;

/** Registers, flags and memory around one instruction. */
interface Situation {
  readonly general: readonly bigint[];
  readonly flags: number;
  readonly mxcsr: number;
  readonly xmm: readonly bigint[];
  readonly mmx: readonly bigint[];
  readonly memory: Uint8Array;
}

/** Ordinary doubles or singles, with a few of the numbers where fast paths end. */
function floats(random: Random, width: 32 | 64): bigint {
  const view = new DataView(new ArrayBuffer(16));
  for (let at = 0; at < 16; at += width >> 3) {
    if (random.below(24) === 0) putEdge(view, at, width, random);
    else {
      const value = (random.next() - 0x8000_0000) / 2 ** random.below(40);
      if (width === 32) view.setFloat32(at, value, true);
      else view.setFloat64(at, value, true);
    }
  }
  return view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n);
}

const EDGES = [0, -0, 1, -1, 0.5, 2.5, 2 ** 31, -(2 ** 31), 2 ** 31 - 0.5, 2 ** 52, 2 ** 63]
  .concat([2 ** -126, 2 ** -1022, 2 ** -149, 2 ** 127, 2 ** 1023, Infinity, NaN, 2 ** -500]);

function putEdge(view: DataView, at: number, width: 32 | 64, random: Random): void {
  const value = random.pick(EDGES);
  const below = BigInt(random.below(2));
  if (width === 32) {
    view.setFloat32(at, value, true);
    view.setUint32(at, Number(BigInt.asUintN(32, BigInt(view.getUint32(at, true)) - below)), true);
  } else {
    view.setFloat64(at, value, true);
    view.setBigUint64(at, view.getBigUint64(at, true) - below, true);
  }
}

function vector(random: Random): bigint {
  switch (random.below(4)) {
    case 0:
      return floats(random, 32);
    case 1:
      return floats(random, 64);
    case 2:
      return random.bits(128);
    default:
      return boundaryBits(random, 128);
  }
}

function situation(random: Random): Situation {
  const memory = new Uint8Array(DATA_BYTES);
  for (let at = 0; at < DATA_BYTES; at += 16) putVector(memory, at, vector(random));
  const alike = random.below(2) === 0 ? random.below(3) : 3;
  const operands = () => alike < 2 ? floats(random, alike === 0 ? 32 : 64) : vector(random);
  if (alike < 2) putVector(memory, 0, operands());
  return {
    general: GENERAL_REGISTERS.map(() => boundaryBits(random, 64)),
    flags: random.below(2) * 0x8d5,
    mxcsr: random.below(3) > 0 ? FAST : random.pick([0x1f80, random.below(0x10000)]),
    xmm: Array.from({ length: 4 }, operands),
    mmx: Array.from({ length: 8 }, () => BigInt.asUintN(64, operands())),
    memory,
  };
}

function putVector(bytes: Uint8Array, at: number, value: bigint): void {
  for (let i = 0; i < 16; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function load(bench: EngineBench, from: Situation): void {
  const { state } = bench.cpu;
  GENERAL_REGISTERS.forEach((register, i) => state[register] = from.general[i]);
  state.rsi = BigInt(DATA);
  state.rdi = BigInt(DATA + 16);
  writeFlags(state, from.flags, 0x8d5);
  state.mxcsr = from.mxcsr;
  from.xmm.forEach((value, i) => state.set128(xmmOffset(i), value));
  from.mmx.forEach((value, i) => state.set128(fprOffset(i), value));
  state.fpuTop = 3;
  state.fpuTags = 0x55;
  bench.memory.writeBytes(DATA as PhysicalAddress, from.memory);
}

function outcome(bench: EngineBench, completed: boolean): Record<string, string> {
  const { state } = bench.cpu;
  const memory = new Uint8Array(DATA_BYTES);
  bench.memory.readBytes(DATA as PhysicalAddress, memory);
  const values: Record<string, string> = {
    fault: completed ? "none" : `${state.vector}`,
    flags: readFlags(state).toString(16),
    mxcsr: state.mxcsr.toString(16),
    x87: `top ${state.fpuTop} tags ${state.fpuTags}`,
    memory: [...memory].join(),
  };
  for (const register of GENERAL_REGISTERS) values[register] = state[register].toString(16);
  for (let i = 0; i < 4; i++) values[`xmm${i}`] = state.get128(xmmOffset(i)).toString(16);
  for (let i = 0; i < 8; i++) values[`fpr${i}`] = state.get128(fprOffset(i)).toString(16);
  return values;
}

/** Bytes of an encoding with registers 1 and 2, or with the memory that RSI points to. */
function assemble(encoding: Encoding, memory: boolean, wide: boolean, immediate: number): number[] {
  const bytes: number[] = [];
  if (/^[6F]/.test(encoding.prefix)) bytes.push(Number.parseInt(encoding.prefix, 16));
  if (wide) bytes.push(0x48);
  bytes.push(0x0f, ...[[], [], [0x38], [0x3a]][encoding.map], encoding.opcode);
  const reg = Math.max(encoding.digit, 1) << 3;
  if (encoding.hasModrm) bytes.push(memory ? reg | 6 : 0xc0 | reg | 2);
  if (encoding.operands.some(({ source }) => source === "I")) bytes.push(immediate);
  return bytes;
}

/** Runs every encoding of a group `times` times on both engines. */
function compareEngines(group: InstructionGroup, times: number): void {
  const bench = new EngineBench();
  const random = new Random(SEED);
  const encodings = group.definitions.flatMap((definition) =>
    definition.encodings.flatMap((text) => parseEncoding(definition, text))
  );
  for (const encoding of encodings) {
    for (let i = 0; i < times; i++) {
      const memory = encoding.mod === "any" ? i % 2 === 0 : encoding.mod === "memory";
      const wide = i % 4 >= 2 && encoding.operands.some(({ size }) => size === "y");
      const code = assemble(encoding, memory, wide, random.below(i % 3 === 0 ? 256 : 16));
      const before = situation(random);
      load(bench, before);
      const expected = outcome(bench, bench.run(bench.reference, code));
      load(bench, before);
      const found = outcome(bench, bench.run(bench.cold, code));
      const name = `${encoding.definition.mnemonic} (${encoding.text}) seed ${SEED} case ${i}`;
      assertEquals(found, expected, `${name}: ${JSON.stringify(before.xmm.map(String))}`);
    }
  }
}

for (
  const group of [
    MMX_SSE_MOVES,
    SIMD_INTEGER,
    SIMD_SHUFFLE,
    SIMD_ELEMENTS,
    SSE_STRINGS,
    SSE_FLOAT,
    SSE_COMPARE,
    SSE_CONVERT,
  ]
) {
  Deno.test(`${group.name}: generated code does what the reference does`, () => {
    compareEngines(group, Number(Deno.env.get("XENARIUM_FUZZ_CASES") ?? 16));
  });
}

Deno.test("ordinary floating-point operands never leave generated code", () => {
  const bench = new EngineBench();
  const random = new Random(SEED);
  const groups = [SSE_FLOAT, SSE_COMPARE, SSE_CONVERT];
  const always = /^(RCP|RSQRT|DPP)/;
  for (const definition of groups.flatMap(({ definitions }) => definitions)) {
    if (always.test(definition.mnemonic)) continue;
    for (
      const encoding of definition.encodings.flatMap((text) => parseEncoding(definition, text))
    ) {
      if (encoding.mod === "memory") continue;
      const code = assemble(encoding, false, false, random.below(8));
      const one = encoding.definition.mnemonic.includes("I2") ? 0x3_0000_0003n : ones(encoding);
      const vectorOfOnes = one | (one << 64n);
      load(bench, {
        general: GENERAL_REGISTERS.map(() => 5n),
        flags: 0,
        mxcsr: FAST,
        xmm: Array.from({ length: 4 }, () => vectorOfOnes),
        mmx: Array.from({ length: 8 }, () => one),
        memory: new Uint8Array(DATA_BYTES),
      });
      bench.functions.calls = 0;
      assert(bench.run(bench.cold, code), definition.mnemonic);
      assertEquals(bench.functions.calls, 0, `${definition.mnemonic} (${encoding.text})`);
    }
  }
});

/** One and a half, in the format that an encoding reads. */
function ones({ definition }: Encoding): bigint {
  const single = /(PS|SS)(2|$)|COMISS/.test(definition.mnemonic);
  return single ? 0x3fc00000_3fc00000n : 0x3ff80000_00000000n;
}
