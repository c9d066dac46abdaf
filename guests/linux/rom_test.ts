import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { planRom } from "./rom.ts";
import { pattern } from "./test_images.ts";

test("a ROM ends at 4 GiB and its last 128 KiB are below 1 MiB", () => {
  const cases: [size: number, high: number, low: number, lowBytes: number][] = [
    [0x1_0000, 0xffff_0000, 0xf_0000, 0x1_0000],
    [0x2_0000, 0xfffe_0000, 0xe_0000, 0x2_0000],
    [0x4_0000, 0xfffc_0000, 0xe_0000, 0x2_0000],
  ];
  for (const [size, high, low, lowBytes] of cases) {
    const image = new Uint8Array(size);
    image.set([0xea, 0x5b], size - 16);
    const plan = planRom(image);
    assertEquals(
      plan.segments.map(({ address, sizeBytes, memory }) => [address, sizeBytes, memory]),
      [[high, size, "rom"], [low, lowBytes, "rom"]],
    );
    assertEquals(plan.segments[1].bytes.subarray(-16, -14), Uint8Array.of(0xea, 0x5b));
    assert(plan.entry.kind === "real16");
    assertEquals(plan.entry.code.base + plan.entry.instructionPointer, 0xffff_fff0);
  }
});

test("an option ROM goes to its address", () => {
  const rom = Uint8Array.of(0x55, 0xaa, 1, ...pattern(509));
  const plan = planRom(new Uint8Array(0x1_0000), [{ address: 0xc_0000, bytes: rom }]);
  assertEquals([plan.segments[2].address, plan.segments[2].bytes.length], [0xc_0000, 512]);
});

const good = Uint8Array.of(0x55, 0xaa, 1, ...pattern(509));
const malformed: readonly [string, Uint8Array, { address: number; bytes: Uint8Array }[], string][] =
  [
    ["an empty ROM", new Uint8Array(0), [], "ROM image has 0 bytes, expected a multiple of 64 KiB"],
    ["an odd size", new Uint8Array(1000), [], "ROM image has 1000 bytes"],
    ["a huge ROM", new Uint8Array(0x101_0000), [], "up to 16 MiB"],
    [
      "an option ROM without signature",
      new Uint8Array(0x1_0000),
      [{ address: 0xc_0000, bytes: pattern(512) }],
      "option ROM at 0xc0000 is not one or is truncated",
    ],
    [
      "an option ROM out of place",
      new Uint8Array(0x1_0000),
      [{ address: 0xf_0000, bytes: good }],
      "at 0xf0000 is out of place",
    ],
  ];

for (const [what, image, options, message] of malformed) {
  test(`${what} is refused`, () => {
    assertThrows(() => planRom(image, options), BootError, message);
  });
}
