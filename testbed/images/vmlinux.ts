/** Takes the ELF kernel out of a bzImage, so that the guest need not unpack it while it boots. */

import { isElf, parseBzImage } from "../../guests/linux/mod.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { ImageError } from "./image_error.ts";

/** Larger than any distribution kernel. */
const VMLINUX_LIMIT = 512 * 1024 * 1024;
/** All formats but gzip are followed by the unpacked size, a 32-bit number. */
const SIZE_BYTES = 4;

/**
 * The ELF kernel inside `bzImage`; throws {@link ImageError} if its compression is not supported or
 * what comes out is not the kernel, `BootError` if it is not a bzImage.
 */
export async function extractVmlinux(
  bzImage: Uint8Array,
  what = "kernel image",
): Promise<Uint8Array<ArrayBuffer>> {
  const { payload, protocolVersion } = parseBzImage(bzImage, what);
  if (payload === null) {
    throw new ImageError(
      `${what} does not say where its payload is (boot protocol 0x${
        protocolVersion.toString(16)
      }, ` +
        "expected 0x208 or later); boot the bzImage as it is",
    );
  }
  if (isElf(payload)) return payload.slice();
  const { packed, sizeBytes } = splitSize(payload);
  const vmlinux = await decompress(packed, `payload of ${what}`, VMLINUX_LIMIT);
  if (!isElf(vmlinux)) throw new ImageError(`payload of ${what} is not an ELF kernel`);
  if (sizeBytes !== null && vmlinux.length !== sizeBytes) {
    throw new ImageError(
      `payload of ${what} is corrupt: it unpacks to ${vmlinux.length} bytes, expected ${sizeBytes}`,
    );
  }
  return vmlinux;
}

function splitSize(payload: Uint8Array): { packed: Uint8Array; sizeBytes: number | null } {
  if (compressionOf(payload) === "gzip" || payload.length <= SIZE_BYTES) {
    return { packed: payload, sizeBytes: null };
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return {
    packed: payload.subarray(0, -SIZE_BYTES),
    sizeBytes: view.getUint32(payload.length - SIZE_BYTES, true),
  };
}
