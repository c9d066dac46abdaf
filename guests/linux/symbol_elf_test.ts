import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { parseElf } from "./elf.ts";
import { elfFunctions, elfNames } from "./elf_symbols.ts";
import { writeSymbolElf } from "./symbol_elf.ts";

const NAMES = [
  { name: "start", address: 0xc100_0000n, isCode: true },
  { name: "work", address: 0xc100_0040n, isCode: true },
  { name: "counter", address: 0xc200_0000n, isCode: false },
];

for (const bits of [32, 64] as const) {
  test(`a ${bits}-bit file of symbols is read as it was written, sizes up to the next one`, () => {
    const file = writeSymbolElf(NAMES, bits);
    assertEquals(parseElf(file).bits, bits);
    assertEquals(elfFunctions(file), [
      { name: "start", address: 0xc100_0000n, sizeBytes: 0x40 },
      { name: "work", address: 0xc100_0040n, sizeBytes: 0 },
    ]);
    assertEquals(elfNames(file).map(({ name }) => name), ["start", "work", "counter"]);
  });
}
