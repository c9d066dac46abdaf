/**
 * x87 on both engines: every ModRM byte of D8 to DF on random units, where generated code takes its fast paths and
 * the reference never does.
 */

import { assert, assertEquals } from "@std/assert";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { number, Random } from "../../core/x86/instructions/testing/x87_operands.ts";
import { fprOffset } from "../../core/x86/state/layout.ts";
import { readFlags, writeFlags } from "../../core/x86/system/flags_image.ts";
import { EngineBench } from "./engine_bench.ts";

const SEED = 20260303;
const CASES_PER_CODE = 12;
const DATA = 0x20_0000;
const DATA_BYTES = 128;
const CONTROLS = [0x37f, 0x37f, 0x27f, 0x07f, 0x77f, 0xf7f, 0x340];

/** The unit, flags and memory around one instruction. */
interface Situation {
  readonly control: number;
  readonly status: number;
  readonly top: number;
  readonly tags: number;
  readonly registers: readonly bigint[];
  readonly flags: number;
  readonly memory: Uint8Array;
}

function situation(random: Random): Situation {
  const control = random.pick(CONTROLS);
  const memory = new Uint8Array(DATA_BYTES);
  const view = new DataView(memory.buffer);
  const value = (random.below(20001) - 10000) / 2 ** random.below(12);
  if (random.below(2) === 0) view.setFloat32(0, value, true);
  else view.setFloat64(0, value / 3, true);
  if (random.below(4) === 0) view.setBigUint64(0, random.bits64(), true);
  view.setUint16(8, random.below(0x10000), true);
  const flags = random.below(64) & control & 0x3f;
  return {
    control,
    status: flags | random.pick([0, 0x200, 0x4700]),
    top: random.below(8),
    tags: random.below(3) === 0 ? random.below(256) : 0x80,
    registers: Array.from({ length: 8 }, () => number(random)),
    flags: random.below(2) * 0x8d5,
    memory,
  };
}

function setUp(bench: EngineBench, given: Situation): void {
  const { state } = bench.cpu;
  state.fpuControl = given.control;
  state.fpuStatus = given.status;
  state.fpuTop = given.top;
  state.fpuTags = given.tags;
  state.fpuIp = state.fpuDp = 0n;
  state.fpuOpcode = 0;
  given.registers.forEach((bits, i) => state.set128(fprOffset(i), bits));
  writeFlags(state, given.flags, 0x8d5);
  state.rax = 0x1111n;
  state.rbx = BigInt(DATA);
  bench.memory.writeBytes(DATA as PhysicalAddress, given.memory);
}

/** Everything that an x87 instruction may change. */
function outcome(bench: EngineBench, completed: boolean): Record<string, unknown> {
  const { state } = bench.cpu;
  const memory = Array.from(
    { length: DATA_BYTES },
    (_, i) => bench.memory.read(DATA + i as PhysicalAddress, 1),
  );
  return {
    completed,
    vector: completed ? null : state.vector,
    control: state.fpuControl,
    status: state.fpuStatus,
    top: state.fpuTop,
    tags: state.fpuTags,
    opcode: state.fpuOpcode,
    ip: state.fpuIp,
    dp: state.fpuDp,
    rax: state.rax,
    flags: readFlags(state),
    registers: Array.from({ length: 8 }, (_, i) => state.get128(fprOffset(i))),
    memory: memory.join(),
  };
}

/** One ModRM byte of each memory form, and all register forms. */
function codes(): number[][] {
  const all: number[][] = [[0x9b]];
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let digit = 0; digit < 8; digit++) all.push([opcode, (digit << 3) | 3]);
    for (let modrm = 0xc0; modrm <= 0xff; modrm++) all.push([opcode, modrm]);
  }
  return all;
}

Deno.test(`generated code and the reference agree on x87 (seed ${SEED})`, () => {
  const bench = new EngineBench();
  const random = new Random(SEED);
  let [fast, total] = [0, 0];
  for (const code of codes()) {
    const name = code.map((byte) => byte.toString(16)).join(" ");
    for (let i = 0; i < CASES_PER_CODE; i++) {
      const given = situation(random);
      setUp(bench, given);
      const expected = outcome(bench, bench.run(bench.reference, code));
      setUp(bench, given);
      const before = bench.functions.calls;
      const found = outcome(bench, bench.run(bench.cold, code));
      assertEquals(found, expected, name);
      total++;
      if (bench.functions.calls === before) fast++;
    }
  }
  assert(fast > total / 2, `${fast} of ${total} stayed in generated code`);
});
