import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import {
  EXCEPTION,
  raise,
  sseEnvironment,
  stopped,
  unmasked,
  x87Environment,
} from "./environment.ts";

test("MXCSR decodes to masks, rounding, FTZ and DAZ", () => {
  const reset = sseEnvironment(0x1f80);
  assertEquals(
    [reset.masks, reset.rounding, reset.flushToZero, reset.denormalsAreZero],
    [0x3f, "nearest", false, false],
  );
  const other = sseEnvironment(0x8040 | (2 << 13) | (EXCEPTION.invalid << 7));
  assertEquals(
    [other.masks, other.rounding, other.flushToZero, other.denormalsAreZero],
    [EXCEPTION.invalid, "up", true, true],
  );
});

test("the x87 control word decodes to masks, rounding and precision", () => {
  const words = [0x037f, 0x0c7f, 0x027f, 0x017f, 0x077e].map((word) => {
    const env = x87Environment(word);
    return [env.masks, env.rounding, env.precisionBits];
  });
  assertEquals(words, [
    [0x3f, "nearest", 64],
    [0x3f, "zero", 24],
    [0x3f, "nearest", 53],
    [0x3f, "nearest", 64],
    [0x3e, "down", 64],
  ]);
});

test("only unmasked pre-computation exceptions stop an operation", () => {
  const env = x87Environment(0x037f & ~(EXCEPTION.zeroDivide | EXCEPTION.precision));
  raise(env, EXCEPTION.precision | EXCEPTION.invalid);
  assertEquals([unmasked(env), stopped(env)], [EXCEPTION.precision, false]);
  raise(env, EXCEPTION.zeroDivide);
  assertEquals([unmasked(env), stopped(env)], [EXCEPTION.precision | EXCEPTION.zeroDivide, true]);
});
