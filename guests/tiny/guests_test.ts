import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { parseElf } from "../linux/elf.ts";
import { planBoot } from "../linux/boot.ts";
import { pcMemoryMap } from "../linux/memory_map.ts";
import { writeElf, type XenNote } from "./elf_writer.ts";
import { tinyGuests } from "./guests.ts";

test("Each tiny guest is planned through its protocol", () => {
  const memoryMap = pcMemoryMap({ ramBytes: 16 << 20 });
  const plans = tinyGuests.map(({ name, image }) => {
    const { protocol, entry } = planBoot({ kernel: image(), memoryMap });
    return [name, protocol, entry.kind];
  });
  assertEquals(plans, [
    ["hello32", "multiboot", "protected32"],
    ["hello64", "pvh", "protected32"],
    ["rings64", "pvh", "protected32"],
    ["smp64", "pvh", "protected32"],
  ]);
});

test("An image is the same each time it is built", () => {
  for (const { image } of tinyGuests) assertEquals(image(), image());
});

test("What the ELF writer writes, the ELF parser reads", () => {
  for (const bits of [32, 64] as const) {
    const bytes = Uint8Array.of(1, 2, 3);
    const notes: XenNote[] = [[18, 0x10_0001], [8, "abcd"]];
    const elf = parseElf(
      writeElf({ bits, address: 0x10_0000, entry: 0x10_0001, bytes, zeroBytes: 5, notes }),
    );
    assertEquals(elf.bits, bits);
    assertEquals(elf.entry, 0x10_0001);
    const address = 0x10_0000;
    const virtualAddress = BigInt(address);
    assertEquals(elf.segments, [{ address, virtualAddress, bytes, sizeBytes: 8 }]);
    assertEquals(elf.notes, [
      { name: "Xen", type: 18, descriptor: Uint8Array.of(1, 0, 0x10, 0) },
      { name: "Xen", type: 8, descriptor: Uint8Array.of(0x61, 0x62, 0x63, 0x64, 0) },
    ]);
  }
  assertThrows(
    () => writeElf({ bits: 32, address: -1, entry: 0, bytes: Uint8Array.of() }),
    RangeError,
    "below 4 GiB",
  );
});
