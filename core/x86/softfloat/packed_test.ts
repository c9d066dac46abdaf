import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { div } from "./arithmetic.ts";
import { sseEnvironment } from "./environment.ts";
import { binary32 } from "./formats.ts";
import { packedOperation } from "./packed.ts";

const ONE = 0x3f800000n;
const THREE = 0x40400000n;

function divide(mxcsr: number, divisors: readonly bigint[]) {
  const env = sseEnvironment(mxcsr);
  const results = packedOperation(
    env,
    divisors.length,
    (element) => div(env, binary32, ONE, divisors[element]),
  );
  return [results, env.flags];
}

test("masked exceptions of all elements are merged", () => {
  assertEquals(divide(0x1f80, [THREE, 0n, ONE]), [[0x3eaaaaabn, 0x7f800000n, ONE], 0x24]);
});

test("an unmasked pre-computation exception hides other elements' inexact results", () => {
  assertEquals(divide(0x1f80 & ~0x200, [THREE, 0n]), [undefined, 0x04]);
});

test("an unmasked post-computation exception leaves the destination unchanged", () => {
  assertEquals(divide(0x1f80 & ~0x1000, [ONE, THREE]), [undefined, 0x20]);
});
