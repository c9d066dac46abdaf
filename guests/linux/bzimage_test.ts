import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { isBzImage, parseBzImage } from "./bzimage.ts";
import { bzImage, elfImage, pattern } from "./test_images.ts";

test("a bzImage of protocol 2.15 shows what its header says", () => {
  const image = parseBzImage(bzImage());
  assertEquals(
    { ...image, header: image.header.length, code: image.code.length, payload: image.payload?.[0] },
    {
      protocolVersion: 0x020f,
      kernelVersion: "6.1.0-test (builder)",
      header: 0x202 + 0x6a - 0x1f1,
      code: 4096,
      payload: 1,
      has64BitEntry: true,
      loadAddress: 0x100_0000,
      initSizeBytes: 0x20_0000,
      initrdAddressMax: 0x7fff_ffff,
      commandLineLimit: 2047,
    },
  );
});

test("fields that an old protocol lacks have boot.rst's defaults", () => {
  const { payload, has64BitEntry, loadAddress, initSizeBytes, initrdAddressMax, commandLineLimit } =
    parseBzImage(bzImage({ version: 0x0202 }));
  assertEquals(
    { payload, has64BitEntry, loadAddress, initSizeBytes, initrdAddressMax, commandLineLimit },
    {
      payload: null,
      has64BitEntry: false,
      loadAddress: 0x10_0000,
      initSizeBytes: 4096,
      initrdAddressMax: 0x37ff_ffff,
      commandLineLimit: 255,
    },
  );
});

test("a setup_sects of zero means four sectors", () => {
  assertEquals(
    parseBzImage(bzImage({ setup_sects: 0, syssize: 64 })).code.length,
    1536 + 4096 - 2560,
  );
});

const malformed: readonly [what: string, image: Uint8Array, message: string][] = [
  ["a file cut in its header", bzImage().subarray(0, 0x200), "truncated or corrupt"],
  ["a file cut in its code", bzImage().subarray(0, 4000), "announces 5632 bytes, found 4000"],
  [
    "another magic number",
    bzImage({ header: 1 }),
    'magic 0x1, expected 0xaa55 and 0x53726448 ("HdrS")',
  ],
  ["another boot flag", bzImage({ boot_flag: 0 }), "is not a bzImage"],
  [
    "an ancient protocol",
    bzImage({ version: 0x0201 }),
    "boot protocol 2.01, expected 2.02 or later",
  ],
  ["a zImage", bzImage({ loadflags: 0 }), "loads below 1 MiB, expected a bzImage"],
  ["a payload past the end", bzImage({ payload_length: 99999 }), "the compressed payload needs"],
];

for (const [what, image, message] of malformed) {
  test(`a bzImage with ${what} is refused`, () => {
    assertThrows(() => parseBzImage(image), BootError, message);
  });
}

test("only a file with HdrS is taken for a bzImage", () => {
  assertEquals([bzImage(), elfImage(), pattern(3)].map(isBzImage), [true, false, false]);
});
