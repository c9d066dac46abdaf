import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { frameCheckSequence, internetChecksum, onesComplementSum } from "./checksum.ts";

test("the Internet checksum of RFC 1071's example is DDF2h before inversion", () => {
  const bytes = new Uint8Array([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
  assertEquals(onesComplementSum(bytes, 0, 8), 0xddf2);
  assertEquals(internetChecksum(bytes, 0, 8), 0x220d);
  assertEquals(onesComplementSum(bytes, 0, 3), 0xf201);
});

test("the frame check sequence of the ASCII digits 1 to 9 is CBF43926h", () => {
  assertEquals(
    frameCheckSequence(new Uint8Array([49, 50, 51, 52, 53, 54, 55, 56, 57])),
    0xcbf43926,
  );
});
