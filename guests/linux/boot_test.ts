import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { detectProtocol, planBoot } from "./boot.ts";
import { BootError } from "./boot_error.ts";
import { concatBytes, utf8 } from "./layout.ts";
import {
  bzImage,
  elfImage,
  multibootHeaderBytes,
  pattern,
  pcMap,
  pvhImage,
} from "./test_images.ts";

const memoryMap = pcMap();

test("a kernel is entered through the best protocol that it offers", () => {
  const multiboot = elfImage({ segments: [{ address: 0x10_0000, data: multibootHeaderBytes(0) }] });
  const cases: [Uint8Array, string][] = [
    [bzImage(), "linux64"],
    [bzImage({ xloadflags: 0 }), "linux32"],
    [pvhImage(), "pvh"],
    [multiboot, "multiboot"],
    [multibootHeaderBytes(0x1_0000), "multiboot"],
    [elfImage(), "vmlinux"],
  ];
  assertEquals(
    cases.map(([kernel]) => detectProtocol({ kernel, memoryMap })),
    cases.map(([, protocol]) => protocol),
  );
});

function at(offset: number, bytes: readonly number[]): Uint8Array {
  return concatBytes([new Uint8Array(offset), Uint8Array.from(bytes), new Uint8Array(600)]);
}

const mistakes: readonly [what: string, kernel: Uint8Array, message: string][] = [
  ["an empty file", new Uint8Array(0), "kernel image is empty"],
  ["an arm64 Image", at(0x38, [...utf8("ARMd")]), "is a Linux Image for arm64, not x86"],
  ["a RISC-V Image", at(0x30, [...utf8("RISCV")]), "is a Linux Image for RISC-V"],
  ["an arm64 ELF", elfImage({ machine: 183 }), "is for arm64 (AArch64)"],
  ["gzip data", at(0, [0x1f, 0x8b]), "is gzip data; unpack it first"],
  ["an initramfs", utf8("070701" + "0".repeat(104)), "is a cpio archive"],
  ["a Debian package", utf8("!<arch>\ndebian-binary"), "is an ar archive (a .deb package?)"],
  ["a Windows program", at(0, [0x4d, 0x5a]), "is an EFI or DOS program"],
  ["text", utf8("hello"), "of an unknown format (5 bytes, beginning with 68 65 6c 6c)"],
];

for (const [what, kernel, message] of mistakes) {
  test(`${what} is not taken for a kernel, and the error says what it is`, () => {
    assertThrows(() => planBoot({ kernel, memoryMap }), BootError, message);
  });
}

test("a 64-bit kernel is refused on a CPU without long mode", () => {
  for (const kernel of [bzImage(), pvhImage()]) {
    assertThrows(
      () => planBoot({ kernel, memoryMap, longMode: false }),
      BootError,
      "this CPU model has no long mode; use an i386 kernel",
    );
  }
});

test("modules are refused by a protocol that takes none", () => {
  assertThrows(
    () => planBoot({ kernel: bzImage(), memoryMap, modules: [{ bytes: pattern(4) }] }),
    BootError,
    "protocol linux64 takes an initramfs but no modules",
  );
});
