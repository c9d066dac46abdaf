import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { convert, fromInteger, type IntegerWidth, roundToInteger, toInteger } from "./convert.ts";
import { type RoundingMode, sseEnvironment, x87Environment } from "./environment.ts";
import { binary32, binary64, extended80, type FloatFormat } from "./formats.ts";

const I = 0x01;
const D = 0x02;
const O = 0x08;
const U = 0x10;
const P = 0x20;

test("SSE conversions between formats round once and quiet NaNs", () => {
  const rows: readonly (readonly [FloatFormat, FloatFormat, bigint, bigint, number])[] = [
    [binary32, binary64, 0x3fc00000n, 0x3ff8000000000000n, 0],
    [binary32, binary64, 0x00000001n, 0x36a0000000000000n, D],
    [binary32, binary64, 0xff800001n, 0xfff8000020000000n, I],
    [binary64, binary32, 0x3ff0000010000000n, 0x3f800000n, P],
    [binary64, binary32, 0x3ff0000030000000n, 0x3f800002n, P],
    [binary64, binary32, 0x7fefffffffffffffn, 0x7f800000n, O | P],
    [binary64, binary32, 0x36a0000000000000n, 0x00000001n, 0],
    [binary64, binary32, 0x0000000000000001n, 0x00000000n, D | U | P],
    [binary64, binary32, 0xfff8000000000001n, 0xffc00000n, 0],
  ];
  for (const [from, to, bits, result, flags] of rows) {
    const env = sseEnvironment(0x1f80);
    assertEquals([convert(env, from, to, bits), env.flags], [result, flags], bits.toString(16));
  }
});

test("x87 stores report underflow but no denormal operand, and write nothing when it is unmasked", () => {
  const env = x87Environment(0x037f);
  assertEquals(convert(env, extended80, binary64, 1n), 0n);
  assertEquals(env.flags, U | P);
  const unmasked = x87Environment(0x037f & ~U);
  assertEquals(convert(unmasked, extended80, binary64, 1n), undefined);
  assertEquals(unmasked.flags, U);
});

test("an x87 load of a denormal delivers it even if that exception is unmasked", () => {
  const env = x87Environment(0x037f & ~D);
  assertEquals(convert(env, binary32, extended80, 1n), 0x3f6a8000000000000000n);
  assertEquals(env.flags, D);
});

test("integers convert to the nearest number", () => {
  const env = sseEnvironment(0x1f80);
  assertEquals(fromInteger(env, binary32, -3n), 0xc0400000n);
  assertEquals(fromInteger(env, binary64, 0n), 0n);
  assertEquals(env.flags, 0);
  assertEquals(fromInteger(env, binary32, 0x7fffffffn), 0x4f000000n);
  assertEquals(env.flags, P);
  const x87 = x87Environment(0x037f);
  assertEquals(fromInteger(x87, extended80, -(1n << 63n)), 0xc03e8000000000000000n);
  assertEquals(x87.flags, 0);
});

test("numbers convert to integers, or to the integer indefinite when out of range", () => {
  const rows: readonly (readonly [bigint, IntegerWidth, RoundingMode, bigint, number])[] = [
    [0x4004000000000000n, 32, "nearest", 2n, P], // 2.5
    [0x400c000000000000n, 32, "nearest", 4n, P], // 3.5
    [0xc004000000000000n, 32, "down", 0xfffffffdn, P],
    [0xc004000000000000n, 32, "zero", 0xfffffffen, P],
    [0x4004000000000000n, 64, "up", 3n, P],
    [0x41dfffffffc00000n, 32, "nearest", 0x7fffffffn, 0],
    [0x41dfffffffe00000n, 32, "nearest", 0x80000000n, I], // 2**31 - 0.5
    [0x41dfffffffe00000n, 32, "zero", 0x7fffffffn, P],
    [0xc1e0000000000000n, 32, "zero", 0x80000000n, 0],
    [0x40dfffc000000000n, 16, "zero", 0x7fffn, 0],
    [0x40e0000000000000n, 16, "zero", 0x8000n, I],
    [0x7ff8000000000000n, 64, "zero", 0x8000000000000000n, I],
    [0xfff0000000000000n, 32, "zero", 0x80000000n, I],
    [0x0000000000000001n, 32, "up", 1n, P],
    [0x8000000000000000n, 32, "nearest", 0n, 0],
  ];
  for (const [bits, width, rounding, result, flags] of rows) {
    const env = sseEnvironment(0x1f80);
    const found = toInteger(env, binary64, bits, width, rounding);
    assertEquals([found, env.flags], [result, flags], bits.toString(16));
  }
});

test("an unmasked inexact conversion stores on x87 and faults on SSE", () => {
  const x87 = x87Environment(0x037f & ~P);
  assertEquals(toInteger(x87, extended80, 0x3fffc000000000000000n, 16), 2n);
  assertEquals([x87.flags, x87.roundedUp], [P, true]);
  const sse = sseEnvironment(0x1f80 & ~(P << 7));
  assertEquals(toInteger(sse, binary64, 0x3ff8000000000000n, 32), undefined);
});

test("rounding to an integral value keeps the format and the sign of zero", () => {
  const rows: readonly (readonly [bigint, RoundingMode, boolean, bigint, number])[] = [
    [0x3fc00000n, "nearest", false, 0x40000000n, P], // 1.5
    [0xbe800000n, "nearest", false, 0x80000000n, P], // -0.25
    [0xbe800000n, "down", false, 0xbf800000n, P],
    [0x3f000000n, "nearest", true, 0x00000000n, 0], // suppressed
    [0x4b800001n, "up", false, 0x4b800001n, 0],
    [0x00000001n, "up", false, 0x3f800000n, P], // ROUNDSS raises no denormal operand
    [0x7f800001n, "zero", true, 0x7fc00001n, I],
  ];
  for (const [bits, rounding, suppress, result, flags] of rows) {
    const env = sseEnvironment(0x1f80);
    const found = roundToInteger(env, binary32, bits, rounding, suppress);
    assertEquals([found, env.flags], [result, flags], bits.toString(16));
  }
});
