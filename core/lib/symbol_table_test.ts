import { assertEquals } from "@std/assert";
import { SymbolTable } from "./symbol_table.ts";
import { test } from "./testing.ts";

const TABLE = new SymbolTable([
  { name: "later", address: 0x3000n, sizeBytes: 0 },
  { name: "first", address: 0x1000n, sizeBytes: 0x10 },
  { name: "alias", address: 0x1000n, sizeBytes: 0x20 },
  { name: "second", address: 0x2000n, sizeBytes: 0 },
], 0x4000n);

const FOUND: readonly (readonly [address: bigint, name: string | undefined])[] = [
  [0xfffn, undefined],
  [0x1000n, "first"],
  [0x100fn, "first"],
  [0x1010n, undefined],
  [0x2000n, "second"],
  [0x2fffn, "second"],
  [0x3000n, "later"],
  [0x3fffn, "later"],
  [0x4000n, undefined],
];

for (const [address, name] of FOUND) {
  test(`0x${address.toString(16)} lies in ${name ?? "no symbol"}`, () => {
    assertEquals(TABLE.find(address)?.name, name);
  });
}
