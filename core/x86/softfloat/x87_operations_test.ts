import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { x87Environment } from "./environment.ts";
import {
  examine,
  extract,
  partialRemainder,
  partialRemainderNearest,
  scale,
} from "./x87_operations.ts";

const ONE = 0x3fff8000000000000000n;
const TWO = 0x40008000000000000000n;
const THREE = 0x4000c000000000000000n;
const FIVE = 0x4001a000000000000000n;
const INFINITY = 0x7fff8000000000000000n;
const MINUS = 1n << 79n;
const DEFAULT = 0xffffc000000000000000n;

test("FPREM truncates the quotient, FPREM1 rounds it", () => {
  const env = x87Environment(0x037f);
  const whole = (remainder: bigint, quotientBits: number) => ({
    remainder,
    partial: false,
    quotientBits,
  });
  assertEquals(partialRemainder(env, FIVE, THREE), whole(TWO, 1));
  assertEquals(partialRemainderNearest(env, FIVE, THREE), whole(ONE | MINUS, 2));
  assertEquals(partialRemainder(env, FIVE | MINUS, ONE), whole(MINUS, 5));
  assertEquals(partialRemainder(env, ONE, INFINITY), whole(ONE, 0));
  assertEquals(env.flags, 0);
  assertEquals(partialRemainder(env, INFINITY, ONE), whole(DEFAULT, 0));
  assertEquals(env.flags, 0x01);
});

test("a quotient beyond 2**63 is reduced partially", () => {
  const env = x87Environment(0x037f);
  const huge = 0x40778000000000000000n; // 2**120
  const first = partialRemainder(env, huge, THREE);
  assertEquals(first?.partial, true);
  const second = partialRemainder(env, first?.remainder ?? 0n, THREE);
  assertEquals([second?.partial, second?.remainder], [false, ONE]);
});

test("FSCALE adds a truncated exponent", () => {
  const env = x87Environment(0x037f);
  assertEquals(scale(env, THREE, 0xc000a000000000000000n), 0x3ffec000000000000000n); // * 2**-2
  assertEquals(scale(env, ONE, MINUS | INFINITY), 0n);
  assertEquals(env.flags, 0);
  assertEquals(scale(env, 0n, INFINITY), DEFAULT);
  assertEquals(env.raised, 0x01);
  assertEquals(scale(env, ONE, 0x400e8000000000000000n), INFINITY);
  assertEquals(env.raised, 0x28);
});

test("FSCALE by zero leaves a denormal and normalizes a pseudo-denormal", () => {
  const env = x87Environment(0x037f & ~0x10);
  assertEquals(scale(env, 5n, MINUS), 5n);
  assertEquals(scale(env, 1n << 63n, 0n), 1n << 63n | 1n << 64n);
  assertEquals(env.raised, 0x02);
});

test("a massive unmasked overflow of FSCALE delivers infinity, an ordinary one a biased result", () => {
  const env = x87Environment(0x037f & ~0x08);
  assertEquals(scale(env, ONE, 0x400d8000000000000000n), 0x1fff8000000000000000n); // 2**16384
  assertEquals(env.raised, 0x08);
  assertEquals(scale(env, ONE, 0x7ffe8000000000000000n), INFINITY);
});

test("FXTRACT splits numbers and divides by zero for zero", () => {
  const env = x87Environment(0x037f);
  assertEquals(extract(env, FIVE | MINUS), { exponent: TWO, significand: 0xbfffa000000000000000n });
  assertEquals(env.flags, 0);
  assertEquals(extract(env, 1n), { exponent: 0xc00d807a000000000000n, significand: ONE });
  assertEquals(env.raised, 0x02);
  assertEquals(extract(env, MINUS), { exponent: INFINITY | MINUS, significand: MINUS });
  assertEquals(env.raised, 0x04);
  assertEquals(extract(x87Environment(0x037b), 0n), undefined);
});

test("FXAM names every class", () => {
  const rows: readonly (readonly [bigint, string, string])[] = [
    // pattern, class, C3 C2 C0 C1
    [0x3fff4000000000000000n, "unsupported", "0000"],
    [DEFAULT, "NaN", "0011"],
    [ONE, "normal", "0100"],
    [INFINITY | MINUS, "infinity", "0111"],
    [0n, "zero", "1000"],
    [0x00008000000000000000n, "denormal", "1100"],
  ];
  for (const [bits, name, codes] of rows) {
    const found = examine(bits);
    assertEquals([found.name, `${found.c3}${found.c2}${found.c0}${found.c1}`], [name, codes]);
  }
});
