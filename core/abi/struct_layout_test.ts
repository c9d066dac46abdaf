import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../lib/testing.ts";
import { array, defineStruct, only } from "./struct_layout.ts";

const INNER = defineStruct("inner", { lp64: 16, ilp32: 8 }, { ref: "frame", domid: "u16" });
const OUTER = defineStruct("outer", { lp64: 48, ilp32: 32 }, {
  tag: "u8",
  inner: INNER,
  big: "u64",
  list: array("u16", 3),
  status: "s16",
  pointer: "handle",
});

test("fields lie where a C compiler for the guest's data model puts them", () => {
  const offsets = (["lp64", "ilp32"] as const).map((model) =>
    (["tag", "inner", "big", "list", "status", "pointer"] as const).map((name) =>
      OUTER.offsetOf(name, model)
    )
  );
  assertEquals(offsets, [[0, 8, 24, 32, 38, 40], [0, 4, 12, 20, 26, 28]]);
  assertEquals([OUTER.alignBytes("lp64"), OUTER.alignBytes("ilp32")], [8, 4]);
});

test("what is written is read back, and fields left out stay as they are", () => {
  for (const model of ["lp64", "ilp32"] as const) {
    const bytes = new Uint8Array(64).fill(0xff);
    const value = {
      tag: 7,
      inner: { ref: 0x12345, domid: 3 },
      big: 0xfedc_ba98_7654_3210n,
      list: [1, 2, 3],
      status: -8,
      pointer: 0x8000_0000n,
    };
    OUTER.write(bytes, value, 3, model);
    assertEquals(OUTER.read(bytes, 3, model), value);
    OUTER.write(bytes, { status: -1 }, 3, model);
    assertEquals(OUTER.read(bytes, 3, model), { ...value, status: -1 });
    assertEquals(bytes[3 + OUTER.sizeBytes(model)], 0xff);
  }
});

test("a frame number beyond 2^53 reads as one that no machine has", () => {
  assertEquals(INNER.read(new Uint8Array(16).fill(0xff)).ref, 2 ** 64);
});

test("a definition whose size differs from the header's does not load", () => {
  assertThrows(() => defineStruct("wrong", 4, { a: "u8" }), Error, "has 1 bytes in lp64");
});

test("a structure that reaches past the bytes is a RangeError", () => {
  assertThrows(() => OUTER.read(new Uint8Array(10)), RangeError);
});

test("a field that one model has takes no room in the other, and reads as zero", () => {
  const layout = defineStruct("callback", { lp64: 16, ilp32: 12 }, {
    type: "u16",
    cs: only("ilp32", "ulong"),
    address: "ulong",
  });
  const offsets = (["lp64", "ilp32"] as const).map((model) => layout.offsetOf("address", model));
  assertEquals(offsets, [8, 8]);
  const value = { type: 1, cs: 9n, address: 5n };
  const back = (model: "lp64" | "ilp32") => layout.read(layout.toBytes(value, model), 0, model);
  assertEquals(back("ilp32"), value);
  assertEquals(back("lp64"), { ...value, cs: 0n });
});
