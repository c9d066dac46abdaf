/**
 * Differential fuzzing of core/x86/softfloat against the host's x87 and SSE units.
 *
 * Set XENARIUM_FUZZ_SEED to repeat a run or to look elsewhere, XENARIUM_FUZZ_CASES for another number of cases per
 * instruction. Without gcc or on another architecture the test is skipped with its reason; under CI it fails.
 */

import { cpus } from "node:os";
import { assertEquals } from "@std/assert";
import {
  extended80,
  type FloatEnvironment,
  sseEnvironment,
  x87Environment,
} from "../../core/x86/softfloat/mod.ts";
import { distanceUlp, Random } from "./softfloat_operands.ts";
import { CONDITION, type Outcome, type Row, ROWS } from "./softfloat_rows.ts";

const CASES_PER_ROW = Number(Deno.env.get("XENARIUM_FUZZ_CASES") ?? 2300);
/** Transcendentals take tens of microseconds each. */
const APPROXIMATE_CASES_PER_ROW = Math.ceil(CASES_PER_ROW / 2);
const SEED = Number(Deno.env.get("XENARIUM_FUZZ_SEED") ?? 1);
const REQUEST_BYTES = 40;
const REPLY_BYTES = 40;
const REPORTED_MISMATCHES = 12;

interface Case {
  readonly row: Row;
  readonly control: number;
  readonly a: bigint;
  readonly b: bigint;
}

interface Reply {
  readonly status: number;
  readonly faulted: boolean;
  readonly out0: bigint;
  readonly out1: bigint;
}

/** Why the oracle cannot run here; undefined if it can. */
async function obstacle(): Promise<string | undefined> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    return `the oracle needs x86_64 Linux, found ${Deno.build.arch} ${Deno.build.os}`;
  }
  try {
    await new Deno.Command("gcc", { args: ["--version"], stdout: "null" }).output();
    return undefined;
  } catch {
    return "the oracle needs gcc, found none";
  }
}

async function build(directory: string): Promise<string> {
  const program = `${directory}/softfloat_oracle`;
  const source = new URL("./softfloat_oracle.c", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: ["-O1", "-Wall", "-Wextra", "-Werror", "-o", program, source],
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  return program;
}

/** MXCSR or x87 control word: mostly everything masked, all roundings and precisions, FTZ and DAZ at times. */
function randomControl(random: Random, unit: Row["unit"], intel: boolean): number {
  // What happens after an unmasked x87 exception (is FLD's denormal pushed?) is partly the processor's own.
  const unmasks = random.below(3) === 0 && (intel || unit === "sse");
  const masks = unmasks ? random.below(64) : 0x3f;
  const rounding = random.below(4);
  if (unit === "x87") return masks | (random.pick([0, 2, 3, 3]) << 8) | (rounding << 10);
  const flush = random.pick([0, 0, 0x8000, 0x40, 0x8040]);
  return (masks << 7) | (rounding << 13) | flush;
}

function makeCases(random: Random, intel: boolean): Case[] {
  return ROWS.flatMap((row) => {
    const length = row.approximate ? APPROXIMATE_CASES_PER_ROW : CASES_PER_ROW;
    return Array.from({ length }, () => {
      const [a, b] = row.operands(random);
      return { row, control: randomControl(random, row.unit, intel), a, b };
    });
  });
}

function encode(cases: readonly Case[]): Uint8Array<ArrayBuffer> {
  const numbers = new Map(ROWS.map((row, number) => [row, number]));
  const view = new DataView(new ArrayBuffer(cases.length * REQUEST_BYTES));
  cases.forEach(({ row, control, a, b }, index) => {
    const at = index * REQUEST_BYTES;
    view.setUint32(at, numbers.get(row)!, true);
    view.setUint32(at + 4, control, true);
    for (const [offset, value] of [[8, a], [24, b]] as const) {
      view.setBigUint64(at + offset, value, true);
      view.setBigUint64(at + offset + 8, value >> 64n, true);
    }
  });
  return new Uint8Array(view.buffer);
}

function decode(bytes: Uint8Array): Reply[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (at: number) =>
    view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.byteLength; at += REPLY_BYTES) {
    replies.push({
      status: view.getUint32(at, true),
      faulted: view.getUint32(at + 4, true) !== 0,
      out0: wide(at + 8),
      out1: wide(at + 24),
    });
  }
  return replies;
}

async function ask(program: string, cases: readonly Case[]): Promise<Reply[]> {
  const child = new Deno.Command(program, {
    args: ROWS.map((row) => row.name),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(encode(cases));
  await writer.close();
  const { success, stdout } = await output;
  assertEquals(success, true, "the oracle stopped early");
  return decode(stdout);
}

function vendorIsIntel(): boolean {
  return cpus().some(({ model }) => model.includes("Intel"));
}

/** Transcendentals: one unit in the last place decides whether a result is tiny or too large. */
const APPROXIMATE_FLAGS = 0x27;
/** Other vendors than the one that the twin follows: the exceptions that the manual's tables fix. */
const PORTABLE_APPROXIMATE_FLAGS = 0x05;
const RANGE_FLAGS = 0x18;

/** The differences between what the CPU did and what the twin says; empty if they agree. */
function differences(test: Case, reply: Reply, intel: boolean): string[] {
  const { row, control, a, b } = test;
  if (!intel && row.portable !== undefined && !row.portable(a, b)) return [];
  const env: FloatEnvironment = row.unit === "sse"
    ? sseEnvironment(control)
    : x87Environment(control);
  const expected: Outcome = row.run(env, a, b);
  const found: string[] = [];
  const approximateFlags = intel ? APPROXIMATE_FLAGS : PORTABLE_APPROXIMATE_FLAGS;
  const flagMask = row.approximate ? approximateFlags : 0x3f;
  if (((reply.status ^ env.flags) & flagMask) !== 0) {
    found.push(`flags cpu ${hex(reply.status & 0x3f)} twin ${hex(env.flags)}`);
  }
  if (reply.faulted !== (expected.faulted ?? false)) found.push(`faulted cpu ${reply.faulted}`);
  const mask = expected.conditionMask ?? 0;
  if (!row.approximate || (mask & CONDITION.c1) === 0) {
    const conditions = reply.status & mask;
    if (conditions !== (expected.conditions ?? 0)) {
      found.push(`conditions cpu ${hex(conditions)} twin ${hex(expected.conditions ?? 0)}`);
    }
  }
  // A biased result and one that is not are no neighbours.
  if (row.approximate && ((reply.status ^ env.flags) & ~env.masks & RANGE_FLAGS) !== 0) {
    return found;
  }
  for (const [index, name] of (["out0", "out1"] as const).entries()) {
    const value = expected[name];
    if (value === undefined) continue;
    const actual = BigInt.asUintN(row.widths[index], reply[name]);
    if (!agree(row, actual, value)) found.push(`${name} cpu ${hex(actual)} twin ${hex(value)}`);
  }
  return found;
}

function agree(row: Row, actual: bigint, expected: bigint): boolean {
  if (actual === expected) return true;
  if (!row.approximate) return false;
  const distance = distanceUlp(extended80, actual, expected);
  return distance !== undefined && distance <= 1n;
}

function hex(value: bigint | number): string {
  return "0x" + value.toString(16);
}

function describe({ row, control, a, b }: Case): string {
  return `${row.name} control ${hex(control)} a ${hex(a)} b ${hex(b)}`;
}

const reason = await obstacle();
const skipped = reason !== undefined && Deno.env.get("CI") !== "true";

Deno.test({
  name: skipped
    ? `soft float agrees with the CPU (skipped: ${reason})`
    : "soft float agrees with the CPU on results, flags and condition codes",
  ignore: skipped,
  async fn() {
    assertEquals(reason, undefined);
    const random = new Random(SEED);
    const intel = vendorIsIntel();
    const directory = await Deno.makeTempDir();
    try {
      const program = await build(directory);
      const cases = makeCases(random, intel);
      console.log(`seed ${SEED}, ${cases.length} cases`);
      const replies = await ask(program, cases);
      assertEquals(replies.length, cases.length);
      const mismatches: string[] = [];
      const failed = new Map<string, number>();
      cases.forEach((test, index) => {
        const found = differences(test, replies[index], intel);
        if (found.length === 0) return;
        const name = test.row.name;
        failed.set(name, (failed.get(name) ?? 0) + 1);
        if (failed.get(name)! <= REPORTED_MISMATCHES) {
          mismatches.push(`${describe(test)}: ${found.join("; ")}`);
        }
      });
      assertEquals(
        mismatches,
        [],
        [...failed].map(([name, count]) => `${name}: ${count}`).join(", "),
      );
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
