import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { add, type BinaryOperation, div, integerSqrt, mul, sqrt, sub } from "./arithmetic.ts";
import { sseEnvironment, x87Environment } from "./environment.ts";
import { binary32, binary64, extended80, type FloatFormat } from "./formats.ts";

const I = 0x01;
const D = 0x02;
const Z = 0x04;
const O = 0x08;
const U = 0x10;
const P = 0x20;

/** MXCSR with everything masked and rounding control 0 to 3. */
const NEAREST = 0x1f80;
const DOWN = NEAREST | (1 << 13);
const UP = NEAREST | (2 << 13);
const ZERO = NEAREST | (3 << 13);
const FTZ = NEAREST | 0x8000;
const DAZ = NEAREST | 0x40;

type SseCase = readonly [BinaryOperation, number, bigint, bigint, bigint | undefined, number];

const SINGLE: readonly SseCase[] = [
  // operation, MXCSR, a, b, result, flags
  [add, NEAREST, 0x3f800000n, 0x40000000n, 0x40400000n, 0],
  [add, NEAREST, 0x3f800000n, 0x33800000n, 0x3f800000n, P], // tie to even
  [add, UP, 0x3f800000n, 0x33800000n, 0x3f800001n, P],
  [sub, NEAREST, 0x3f800000n, 0x3f800000n, 0x00000000n, 0],
  [sub, DOWN, 0x3f800000n, 0x3f800000n, 0x80000000n, 0],
  [add, NEAREST, 0x80000000n, 0x80000000n, 0x80000000n, 0],
  [sub, NEAREST, 0x7f800000n, 0x7f800000n, 0xffc00000n, I],
  [mul, NEAREST, 0x7f7fffffn, 0x40000000n, 0x7f800000n, O | P],
  [mul, ZERO, 0x7f7fffffn, 0x40000000n, 0x7f7fffffn, O | P],
  [mul, NEAREST, 0x00800000n, 0x3f000000n, 0x00400000n, 0], // tiny but exact
  [mul, NEAREST, 0x00800001n, 0x3f000000n, 0x00400000n, U | P],
  [mul, NEAREST, 0x00ffffffn, 0x3f000000n, 0x00800000n, U | P], // tiny, rounds to normal
  [mul, FTZ, 0x80800001n, 0x3f000000n, 0x80000000n, U | P],
  [mul, NEAREST, 0x00000001n, 0x3f800000n, 0x00000001n, D],
  [mul, DAZ, 0x00000001n, 0x3f800000n, 0x00000000n, 0],
  [mul, NEAREST, 0x00000000n, 0xff800000n, 0xffc00000n, I],
  [div, NEAREST, 0x3f800000n, 0x40400000n, 0x3eaaaaabn, P],
  [div, NEAREST, 0x3f800000n, 0x80000000n, 0xff800000n, Z],
  [div, NEAREST, 0x00000001n, 0x00000000n, 0x7f800000n, Z],
  [div, NEAREST, 0x00000000n, 0x00000000n, 0xffc00000n, I],
  [add, NEAREST, 0x7f800001n, 0x7fc00005n, 0x7fc00001n, I], // the first NaN, quieted
  [add, NEAREST, 0x3f800000n, 0xffc00005n, 0xffc00005n, 0],
  [div, NEAREST & ~(Z << 7), 0x3f800000n, 0n, undefined, Z],
  [add, NEAREST & ~(P << 7), 0x3f800000n, 0x33800000n, undefined, P],
  [mul, NEAREST & ~(U << 7), 0x00800000n, 0x3f000000n, undefined, U], // exact, yet reported
];

test("SSE arithmetic rounds, flushes and reports as the manual's tables say", () => {
  for (const [operation, mxcsr, a, b, result, flags] of SINGLE) {
    const env = sseEnvironment(mxcsr);
    const found = operation(env, binary32, a, b);
    assertEquals([found, env.flags], [result, flags], `${a.toString(16)} ${b.toString(16)}`);
  }
});

type X87Case = readonly [
  BinaryOperation,
  number,
  bigint,
  bigint,
  bigint | undefined,
  number,
  boolean,
];

const MASKED = 0x037f;
const MAX = 0x7ffeffffffffffffffffn;
const MIN = 0x00018000000000000000n;
const ONE = 0x3fff8000000000000000n;
const TWO = 0x40008000000000000000n;
const HALF = 0x3ffe8000000000000000n;
const THREE = 0x4000c000000000000000n;

const EXTENDED: readonly X87Case[] = [
  // operation, control word, a, b, result, flags, rounded up (C1)
  [div, MASKED, ONE, THREE, 0x3ffdaaaaaaaaaaaaaaabn, P, true],
  [div, 0x007f, ONE, THREE, 0x3ffdaaaaab0000000000n, P, true], // 24 bits
  [div, 0x027f, ONE, THREE, 0x3ffdaaaaaaaaaaaaa800n, P, false], // 53 bits
  [div, 0x0f7f, ONE, THREE, 0x3ffdaaaaaaaaaaaaaaaan, P, false],
  [mul, MASKED, MAX, TWO, 0x7fff8000000000000000n, O | P, true],
  [mul, MASKED & ~O, MAX, TWO, 0x1fffffffffffffffffffn, O, false], // biased by -24576
  [mul, MASKED, MIN, HALF, 0x00004000000000000000n, 0, false],
  [mul, MASKED & ~U, MIN, HALF, 0x60008000000000000000n, U, false], // biased by +24576
  [add, MASKED, 0x3fff4000000000000000n, ONE, 0xffffc000000000000000n, I, false], // unnormal
  [add, MASKED & ~I, 0x3fff4000000000000000n, ONE, undefined, I, false],
  [add, MASKED, 0x00008000000000000000n, 0n, 0x00018000000000000000n, D, false], // pseudo-denormal
  [add, MASKED & ~P, ONE, 0x3fbf8000000000000000n, ONE, P, false], // still delivered
  // NaNs: quiet before signalling, then the larger significand, then the positive one
  [
    add,
    MASKED,
    0x7fffa000000000000000n,
    0xffffc000000000000001n,
    0xffffc000000000000001n,
    I,
    false,
  ],
  [
    add,
    MASKED,
    0x7fffa000000000000000n,
    0xffffb000000000000000n,
    0xfffff000000000000000n,
    I,
    false,
  ],
  [
    add,
    MASKED,
    0xffffc000000000000007n,
    0x7fffc000000000000007n,
    0x7fffc000000000000007n,
    0,
    false,
  ],
];

test("x87 arithmetic obeys precision control, C1, biased results and its own NaN rule", () => {
  for (const [operation, word, a, b, result, flags, up] of EXTENDED) {
    const env = x87Environment(word);
    const found = operation(env, extended80, a, b);
    const where = `${word.toString(16)} ${a.toString(16)} ${b.toString(16)}`;
    assertEquals([found, env.flags, env.roundedUp], [result, flags, up], where);
  }
});

test("x87 memory operands keep the exceptions of their own format", () => {
  const env = x87Environment(MASKED);
  assertEquals(add(env, extended80, 0n, 1n, extended80, binary32), 0x3f6a8000000000000000n);
  assertEquals(env.raised, D);
  assertEquals(sub(env, extended80, 0x7f800001n, ONE, binary32), 0x7fffc000010000000000n);
  assertEquals(env.raised, I);
  assertEquals(env.flags, D | I);
});

const ROOTS: readonly (readonly [FloatFormat, bigint, bigint, number])[] = [
  [binary32, 0x40800000n, 0x40000000n, 0],
  [binary32, 0x40000000n, 0x3fb504f3n, P],
  [binary64, 0x4000000000000000n, 0x3ff6a09e667f3bcdn, P],
  [binary64, 0x8000000000000000n, 0x8000000000000000n, 0],
  [binary64, 0xbff0000000000000n, 0xfff8000000000000n, I],
  [binary32, 0x00000001n, 0x1a3504f3n, D | P],
  [binary64, 0x7ff0000000000000n, 0x7ff0000000000000n, 0],
];

test("square roots are exact or correctly rounded", () => {
  for (const [format, bits, result, flags] of ROOTS) {
    const env = sseEnvironment(NEAREST);
    assertEquals([sqrt(env, format, bits), env.flags], [result, flags], bits.toString(16));
  }
});

test("integerSqrt is the floor of the root around squares", () => {
  for (const root of [1n, 2n, 3n, 255n, (1n << 64n) - 1n, 1n << 100n]) {
    const square = root * root;
    assertEquals(
      [square - 1n, square, square + 1n].map(integerSqrt),
      [root - 1n, root, root === 0n ? 1n : root],
    );
  }
});
