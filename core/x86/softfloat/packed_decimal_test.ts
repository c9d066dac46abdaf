import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { x87Environment } from "./environment.ts";
import { fromPackedDecimal, PACKED_DECIMAL_INDEFINITE, toPackedDecimal } from "./packed_decimal.ts";

const BOTH_WAYS: readonly (readonly [bigint, bigint])[] = [
  [0n, 0n],
  [0x80000000000000000000n, 0x80000000000000000000n],
  [0x12n, 0x4002c000000000000000n],
  [0x80000000000000000001n, 0xbfff8000000000000000n],
  [0x00999999999999999999n, 0x403ade0b6b3a763ffff0n],
];

test("18-digit decimals survive a load and a store", () => {
  for (const [packed, bits] of BOTH_WAYS) {
    const env = x87Environment(0x037f);
    assertEquals(fromPackedDecimal(env, packed), bits);
    assertEquals(toPackedDecimal(env, bits), packed);
    assertEquals(env.flags, 0);
  }
});

test("a store rounds, and is invalid from 10**18 on", () => {
  const env = x87Environment(0x037f);
  assertEquals(toPackedDecimal(env, 0xc000a000000000000000n), 0x80000000000000000002n); // -2.5
  assertEquals(env.flags, 0x20);
  assertEquals(toPackedDecimal(env, 0x403ade0b6b3a76400000n), PACKED_DECIMAL_INDEFINITE);
  assertEquals(env.raised, 0x01);
  assertEquals(toPackedDecimal(x87Environment(0x037e), 0x7fff8000000000000000n), undefined);
});
