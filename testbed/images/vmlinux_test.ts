import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { bzImage, elfImage } from "../../guests/linux/test_images.ts";
import { concatBytes } from "../../guests/linux/layout.ts";
import { ImageError } from "./image_error.ts";
import { extractVmlinux } from "./vmlinux.ts";

const vmlinux = elfImage();

/** A bzImage around `payload`, followed by `size` as a number if there is one. */
function packed(payload: Uint8Array, size?: number): Uint8Array {
  const tail = size === undefined
    ? new Uint8Array(0)
    : new Uint8Array(new Uint32Array([size]).buffer);
  const code = concatBytes([new Uint8Array(64), payload, tail]);
  return bzImage({ payload_offset: 64, payload_length: payload.length + tail.length }, code);
}

const kernels: readonly [how: string, kernel: Uint8Array][] = [
  ["gzip", packed(gzipSync(vmlinux))],
  ["zstd with its size behind", packed(zstdCompressSync(vmlinux), vmlinux.length)],
  ["nothing", packed(vmlinux)],
];

for (const [how, kernel] of kernels) {
  Deno.test(`vmlinux is taken out of a bzImage packed with ${how}`, async () => {
    assertEquals(await extractVmlinux(kernel), vmlinux);
  });
}

const refused: readonly [what: string, kernel: Uint8Array, message: string][] = [
  ["an old boot protocol", bzImage({ version: 0x0207 }), "does not say where its payload is"],
  ["a payload that is not a kernel", packed(gzipSync(new Uint8Array(99))), "is not an ELF kernel"],
  ["a wrong size", packed(zstdCompressSync(vmlinux), 5), "unpacks to 184 bytes, expected 5"],
  ["bzip2", packed(new TextEncoder().encode("BZh91AY&SY"), 5), "packed with bzip2"],
];

for (const [what, kernel, message] of refused) {
  Deno.test(`a bzImage with ${what} is refused`, async () => {
    await assertRejects(() => extractVmlinux(kernel), ImageError, message);
  });
}
