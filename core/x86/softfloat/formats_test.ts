import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import {
  binary32,
  binary64,
  bitLength,
  extended80,
  type FloatClass,
  type FloatFormat,
  infinityOf,
  unpack,
  zeroOf,
} from "./formats.ts";

const CLASSES: readonly (readonly [FloatFormat, bigint, FloatClass, number, boolean])[] = [
  // format,  pattern,                 class,          exponent, denormal
  [binary32, 0x80000000n, "zero", 0, false],
  [binary32, 0x00000001n, "finite", -149, true],
  [binary32, 0x007fffffn, "finite", -127, true],
  [binary32, 0x00800000n, "finite", -126, false],
  [binary32, 0x7f7fffffn, "finite", 127, false],
  [binary32, 0x7f800000n, "infinity", 0, false],
  [binary32, 0x7f800001n, "signalingNaN", 0, false],
  [binary32, 0x7fc00000n, "quietNaN", 0, false],
  [binary64, 0x3ff0000000000000n, "finite", 0, false],
  [binary64, 0x0000000000000001n, "finite", -1074, true],
  [extended80, 0x3fff8000000000000000n, "finite", 0, false],
  [extended80, 0x00000000000000000001n, "finite", -16445, true],
  [extended80, 0x00008000000000000000n, "finite", -16382, true], // pseudo-denormal
  [extended80, 0x7fff8000000000000000n, "infinity", 0, false],
  [extended80, 0x7fff0000000000000000n, "unsupported", 0, false], // pseudo-infinity
  [extended80, 0x7fff4000000000000000n, "unsupported", 0, false], // pseudo-NaN
  [extended80, 0x3fff4000000000000000n, "unsupported", 0, false], // unnormal
  [extended80, 0x7fff8000000000000001n, "signalingNaN", 0, false],
  [extended80, 0xffffc000000000000000n, "quietNaN", 0, false],
];

test("unpack tells every class of pattern apart", () => {
  for (const [format, bits, kind, exponent, denormal] of CLASSES) {
    const value = unpack(format, bits);
    const found = [value.kind, value.kind === "finite" ? value.exponent : 0, value.denormal];
    assertEquals(found, [kind, exponent, denormal], `${format.name} ${bits.toString(16)}`);
  }
});

test("finite significands have their leading bit at 63", () => {
  assertEquals(unpack(binary32, 0x00000001n).significand, 1n << 63n);
  assertEquals(unpack(binary64, 0x3ff8000000000000n).significand, 3n << 62n);
});

test("the table's derived constants are the manual's", () => {
  assertEquals(
    [binary32, binary64, extended80].map((f) => [f.precisionBits, f.bias, f.minExponent]),
    [[24, 127, -126], [53, 1023, -1022], [64, 16383, -16382]],
  );
  assertEquals(binary32.defaultNaN, 0xffc00000n);
  assertEquals(binary64.defaultNaN, 0xfff8000000000000n);
  assertEquals(extended80.defaultNaN, 0xffffc000000000000000n);
  assertEquals(infinityOf(extended80, true), 0xffff8000000000000000n);
  assertEquals(infinityOf(binary64, false), 0x7ff0000000000000n);
  assertEquals(zeroOf(binary32, true), 0x80000000n);
});

test("bitLength counts bits", () => {
  const lengths = [0n, 1n, 2n, 3n, 7n, 8n, 255n, 256n, (1n << 191n) - 1n, 1n << 191n].map(
    bitLength,
  );
  assertEquals(lengths, [0, 1, 2, 2, 3, 4, 8, 9, 191, 192]);
});
