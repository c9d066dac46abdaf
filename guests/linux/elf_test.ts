import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { parseElf } from "./elf.ts";
import { elfImage, elfNote, pattern, type TestElf } from "./test_images.ts";

for (const bits of [32, 64] as const) {
  test(`an ELF of ${bits} bits shows entry, segments and notes`, () => {
    const elf = parseElf(elfImage({
      bits,
      segments: [
        { address: 0x10_0000, data: pattern(8), memoryBytes: 32 },
        { type: 4, address: 0, data: elfNote("Xen", 18, pattern(5)) },
        { type: 0x6474_e551, address: 0, data: new Uint8Array(0) },
      ],
    }));
    assertEquals(elf, {
      bits,
      type: "executable",
      entry: 0x100_0010,
      segments: [
        { address: 0x10_0000, virtualAddress: 0x10_0000n, bytes: pattern(8), sizeBytes: 32 },
      ],
      notes: [{ name: "Xen", type: 18, descriptor: pattern(5) }],
    });
  });
}

test("an entry in the virtual range of a segment is moved to its physical range", () => {
  const high = 0xffff_ffff_8100_0000n;
  const cases: [TestElf, number][] = [
    [{ bits: 32, entry: 0xc100_0010 }, 0x100_0010],
    [{ bits: 32, entry: 0x100_0010 }, 0x100_0010],
    [{ bits: 64, entry: high + 0x10n }, 0x100_0010],
  ];
  for (const [elf, entry] of cases) {
    const virtualAddress = elf.bits === 32 ? 0xc100_0000n : high;
    const segments = [{ address: 0x100_0000, virtualAddress, data: pattern(64) }];
    assertEquals(parseElf(elfImage({ ...elf, segments })).entry, entry);
  }
});

const load = { address: 0x10_0000, data: pattern(8) };
const malformed: readonly [what: string, elf: TestElf, message: string][] = [
  ["code for arm64", { machine: 183 }, "is for arm64 (AArch64); this machine runs i386 and x86-64"],
  ["code for RISC-V", { machine: 243 }, "is for RISC-V"],
  ["big-endian code", { machine: 22, bigEndian: true }, "is for S390, big-endian"],
  ["an unknown machine", { machine: 9999 }, "is for machine number 9999"],
  [
    "an entry nowhere",
    { entry: 0xffff_ffff_8000_0000n },
    "entry at 0xffffffff80000000, which is in none",
  ],
  ["a core dump", { type: 4 }, "ELF type 4, expected an executable (ET_EXEC)"],
  [
    "a segment past the end of the file",
    { segments: [{ ...load, fileBytes: 4096 }] },
    "a PT_LOAD segment needs bytes 120 to 4216, but there are only 128",
  ],
  [
    "a segment larger in the file than in memory",
    { segments: [{ ...load, memoryBytes: 4 }] },
    "8 bytes in the file but only 4 in memory",
  ],
  [
    "a note past the end of its segment",
    { segments: [{ type: 4, address: 0, data: elfNote("Xen", 18, pattern(8)).subarray(0, 14) }] },
    "a note's name needs bytes 12 to 16",
  ],
];

for (const [what, elf, message] of malformed) {
  test(`an ELF with ${what} is refused`, () => {
    assertThrows(() => parseElf(elfImage(elf)), BootError, message);
  });
}

test("every truncation of an ELF is a BootError", () => {
  const image = elfImage();
  for (let length = 0; length < image.length; length++) {
    assertThrows(() => parseElf(image.subarray(0, length)), BootError);
  }
});
