import { assertEquals, assertThrows } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { FreeMemory, pcMemoryMap } from "./memory_map.ts";
import { pcMap, usable } from "./test_images.ts";

const GIB = 0x4000_0000;

function rows(map: ReturnType<typeof pcMemoryMap>): [number, number, string][] {
  return map.map(({ address, sizeBytes, type }) => [address, address + sizeBytes, type]);
}

test("the map of a PC leaves out the video area and keeps EBDA and BIOS reserved", () => {
  assertEquals(rows(pcMemoryMap({ ramBytes: GIB })), [
    [0, 0x9fc00, "usable"],
    [0x9fc00, 0xa0000, "reserved"],
    [0xf0000, 0x100000, "reserved"],
    [0x100000, GIB, "usable"],
  ]);
});

test("RAM that the PCI hole hides continues at 4 GiB", () => {
  assertEquals(rows(pcMemoryMap({ ramBytes: 4 * GIB })).slice(3), [
    [0x100000, 3 * GIB, "usable"],
    [4 * GIB, 5 * GIB, "usable"],
  ]);
});

test("a range that the firmware keeps splits usable memory", () => {
  const acpi = { address: physical(GIB - 0x10000), sizeBytes: 0x8000, type: "acpi" } as const;
  assertEquals(rows(pcMemoryMap({ ramBytes: GIB, reserved: [acpi] })).slice(3), [
    [0x100000, GIB - 0x10000, "usable"],
    [GIB - 0x10000, GIB - 0x8000, "acpi"],
    [GIB - 0x8000, GIB, "usable"],
  ]);
});

test("a place is found at the lowest or highest free address that is aligned", () => {
  const memory = new FreeMemory([usable(0, 0x10000), usable(0x10000, 0x10000)]);
  memory.claim("kernel", 0x4000, 0x1800);
  assertEquals(memory.place({ name: "a", sizeBytes: 0x4000 }), physical(0x6000));
  assertEquals(memory.place({ name: "b", sizeBytes: 0x3000 }), physical(0x1000));
  assertEquals(
    memory.place({ name: "c", sizeBytes: 0x1001, prefer: "highest" }),
    physical(0x1e000),
  );
  assertEquals(
    memory.place({ name: "d", sizeBytes: 0x100, prefer: "highest", below: 0x6000, alignBytes: 16 }),
    physical(0x5f00),
  );
});

test("a claim outside RAM, an overlap and a lack of room are named", () => {
  const memory = new FreeMemory(pcMap(2));
  assertThrows(
    () => memory.claim("kernel", 0x200000, 16),
    BootError,
    "kernel goes to 0x200000-0x200010, which is not RAM in this machine " +
      "(usable: 0x0-0x9fc00, 0x100000-0x200000)",
  );
  memory.claim("kernel", 0x100000, 0x1000);
  assertThrows(
    () => memory.claim("module", 0x100800, 16),
    BootError,
    "module at 0x100800-0x100810 overlaps kernel at 0x100000-0x101000",
  );
  assertThrows(
    () => memory.place({ name: "initramfs", sizeBytes: 0x200000, from: 0x100000 }),
    BootError,
    "initramfs of 2 MiB does not fit in memory: the largest free part of 0x100000-0x100000000 is 1020 KiB",
  );
});

test("a PC with less than 2 MiB is refused", () => {
  assertThrows(
    () => pcMemoryMap({ ramBytes: 0x10000 }),
    BootError,
    "memory of 64 KiB is too small",
  );
});
