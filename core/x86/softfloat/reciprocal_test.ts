import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { reciprocal, reciprocalSqrt } from "./reciprocal.ts";

// Read from an Intel Xeon.
const VALUES: readonly (readonly [bigint, bigint, bigint])[] = [
  // x, RCPSS, RSQRTSS
  [0x3f800000n, 0x3f7ff000n, 0x3f7ff000n],
  [0x00000001n, 0x7f800000n, 0x7f800000n],
  [0x80000001n, 0xff800000n, 0xff800000n],
  [0x7f800000n, 0x00000000n, 0x00000000n],
  [0xff800000n, 0x80000000n, 0xffc00000n],
  [0x7f800001n, 0x7fc00001n, 0x7fc00001n],
  [0xbf800000n, 0xbf7ff000n, 0xffc00000n],
  [0x7e800000n, 0x00000000n, 0x1ffff000n],
  [0x7e7fffffn, 0x00800800n, 0x20000800n],
  [0x7e400000n, 0x00aaa000n, 0x2013c800n],
];

test("RCPSS and RSQRTSS give the bits of Intel's tables", () => {
  for (const [x, inverse, root] of VALUES) {
    assertEquals([reciprocal(x), reciprocalSqrt(x)], [inverse, root], x.toString(16));
  }
});

test("the relative error stays within 1.5 * 2**-12", () => {
  const view = new DataView(new ArrayBuffer(4));
  const floatOf = (bits: bigint) => {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  };
  for (let bits = 0x3f800000; bits < 0x40800000; bits += 0x3ff) {
    const x = floatOf(BigInt(bits));
    const inverse = Math.abs(floatOf(reciprocal(BigInt(bits))) * x - 1);
    const root = Math.abs(floatOf(reciprocalSqrt(BigInt(bits))) * Math.sqrt(x) - 1);
    assertEquals(Math.max(inverse, root) <= 1.5 * 2 ** -12, true, bits.toString(16));
  }
});
