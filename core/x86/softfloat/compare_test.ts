import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { compare, COMPARE_PREDICATES, comparePredicate, max, min } from "./compare.ts";
import { sseEnvironment, x87Environment } from "./environment.ts";
import { binary32, extended80 } from "./formats.ts";

const ONE = 0x3f800000n;
const TWO = 0x40000000n;
const MINUS_ONE = 0xbf800000n;
const ZERO = 0n;
const MINUS_ZERO = 0x80000000n;
const INFINITY = 0x7f800000n;
const QUIET = 0x7fc00000n;
const SIGNALING = 0x7f800001n;

test("compare orders numbers and calls NaNs unordered, invalid as its kind says", () => {
  const rows = [
    // a, b, relation, flags of a quiet comparison, of a signalling one
    [ONE, TWO, "less", 0, 0],
    [TWO, ONE, "greater", 0, 0],
    [MINUS_ONE, ONE, "less", 0, 0],
    [ZERO, MINUS_ZERO, "equal", 0, 0],
    [ONE, INFINITY, "less", 0, 0],
    [INFINITY, INFINITY, "equal", 0, 0],
    [MINUS_ONE, 0xff800000n, "greater", 0, 0],
    [ONE, QUIET, "unordered", 0, 1],
    [SIGNALING, ONE, "unordered", 1, 1],
    [1n, 2n, "less", 2, 2],
    [1n, QUIET, "unordered", 0, 1], // a NaN comes before a denormal
  ] as const;
  for (const [a, b, relation, quiet, signalling] of rows) {
    const env = sseEnvironment(0x1f80);
    assertEquals([compare(env, binary32, a, b, false), env.raised], [relation, quiet]);
    assertEquals([compare(env, binary32, a, b, true), env.raised], [relation, signalling]);
  }
});

test("an unmasked invalid comparison delivers nothing", () => {
  assertEquals(compare(sseEnvironment(0x1f00), binary32, ONE, QUIET, true), undefined);
  const unnormal = 0x3fff4000000000000000n;
  assertEquals(compare(x87Environment(0x37e), extended80, unnormal, 0n, false), undefined);
});

test("minimum and maximum return the second operand for zeros and NaNs", () => {
  const env = sseEnvironment(0x1f80);
  assertEquals(min(env, binary32, ZERO, MINUS_ZERO), MINUS_ZERO);
  assertEquals(max(env, binary32, ZERO, MINUS_ZERO), MINUS_ZERO);
  assertEquals(min(env, binary32, ONE, TWO), ONE);
  assertEquals(max(env, binary32, ONE, TWO), TWO);
  assertEquals(env.flags, 0);
  assertEquals(min(env, binary32, QUIET, ONE), ONE);
  assertEquals(max(env, binary32, ONE, SIGNALING), SIGNALING);
  assertEquals(env.flags, 1);
});

test("minimum delivers the zero that DAZ makes of a denormal", () => {
  const env = sseEnvironment(0x1fc0);
  assertEquals(min(env, binary32, ONE, 0x80000001n), MINUS_ZERO);
  assertEquals(env.flags, 0);
});

test("predicate n + 16 of VCMPPS holds like n and signals the other way round", () => {
  for (let immediate = 0; immediate < 16; immediate++) {
    const { name: _quiet, signalling, ...relations } = COMPARE_PREDICATES[immediate];
    const { name: _loud, signalling: other, ...same } = COMPARE_PREDICATES[immediate + 16];
    assertEquals(same, relations);
    assertEquals(other, !signalling);
  }
});

test("CMPPS's negated predicates hold for unordered operands", () => {
  const env = sseEnvironment(0x1f80);
  const holds = [0, 1, 2, 3, 4, 5, 6, 7].map((immediate) =>
    comparePredicate(env, binary32, QUIET, ONE, immediate)
  );
  assertEquals(holds, [false, false, false, true, true, true, true, false]);
});
