import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SnapshotError, type SnapshotValue } from "../../core/lib/snapshot.ts";
import { decodeValue, encodeValue } from "./record_codec.ts";

/** Any plain data. */
const values = fc.letrec<{ value: SnapshotValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<SnapshotValue>(
      null,
      true,
      false,
      -0,
      NaN,
      Infinity,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
    ),
    fc.integer(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

Deno.test("what is decoded is what was encoded", () => {
  fc.assert(fc.property(values, (value) => assertEquals(decodeValue(encodeValue(value)), value)));
});

Deno.test("bytes that are altered anywhere are decoded to something or refused with a SnapshotError", () => {
  fc.assert(fc.property(values, fc.nat(), fc.nat({ max: 255 }), (value, at, byte) => {
    const bytes = encodeValue(value);
    bytes[at % bytes.length] = byte;
    try {
      decodeValue(bytes);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
    }
  }));
});

Deno.test("bytes cut short, or followed by others, are refused", () => {
  const bytes = encodeValue({ list: [1, "two", Uint8Array.of(3)], big: 4n });
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => decodeValue(bytes.subarray(0, length)), SnapshotError);
  }
  assertThrows(() => decodeValue(Uint8Array.of(...bytes, 0)), SnapshotError, "belong to none");
});

Deno.test("small numbers take two bytes, and the layout is fixed", () => {
  assertEquals([...encodeValue({ a: [1, -2, null], b: Uint8Array.of(9) })], [
    ...[9, 2, 1, 0x61, 8, 3, 3, 1, 4, 2, 0, 1, 0x62, 7, 1, 9],
  ]);
});
