/** The compression formats of kernels, modules and initramfs: a registry that goes by magic numbers. */

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { unpackLz4Legacy } from "./lz4.ts";
import { ImageError } from "./image_error.ts";
import { unpackXz } from "./xz.ts";
import { isCompleteZstd } from "./zstd_frame.ts";

/** Compressed bytes, and how to talk about them. */
export interface Packed {
  readonly bytes: Uint8Array;
  /** Names the bytes in errors, for example `kernel payload`. */
  readonly what: string;
  /** Most bytes that may come out. */
  readonly limitBytes: number;
}

interface Format {
  readonly name: string;
  readonly magic: readonly number[];
  /** Unpacks, or `null` where it cannot be done. */
  readonly unpack: ((packed: Packed) => Promise<Uint8Array<ArrayBuffer>>) | null;
}

/** All formats that a Linux kernel can be packed in (scripts/extract-vmlinux knows the same). */
export const compressionFormats: readonly Format[] = [
  { name: "gzip", magic: [0x1f, 0x8b, 0x08], unpack: unpackGzip },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: unpackZstd },
  {
    name: "xz",
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    unpack: ({ bytes, what, limitBytes }) => unpackXz(bytes, what, limitBytes),
  },
  {
    name: "lz4",
    magic: [0x02, 0x21, 0x4c, 0x18],
    unpack: ({ bytes, what, limitBytes }) =>
      Promise.resolve(unpackLz4Legacy(bytes, what, limitBytes)),
  },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68], unpack: null },
  { name: "lzo", magic: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a], unpack: null },
  { name: "lzma", magic: [0x5d, 0x00, 0x00], unpack: null },
];

const DEFAULT_LIMIT = 2 ** 30;

/** The name of the format in which `bytes` are packed, or `null` if they look like none. */
export function compressionOf(bytes: Uint8Array): string | null {
  return formatOf(bytes)?.name ?? null;
}

/**
 * Unpacks `bytes` by their magic number. Throws {@link ImageError} if they are not packed, packed in a
 * format that cannot be unpacked here, corrupt, or larger than `limitBytes` (default 1 GiB).
 */
export async function decompress(
  bytes: Uint8Array,
  what: string,
  limitBytes: number = DEFAULT_LIMIT,
): Promise<Uint8Array<ArrayBuffer>> {
  const format = formatOf(bytes);
  const able = compressionFormats.filter(({ unpack }) => unpack).map(({ name }) => name).join(", ");
  if (!format) throw new ImageError(`${what} is in no known compression format (${able})`);
  if (!format.unpack) {
    throw new ImageError(
      `${what} is packed with ${format.name}, which cannot be unpacked here (${able} can); ` +
        "unpack it first, or boot the bzImage as it is",
    );
  }
  return await format.unpack({ bytes, what, limitBytes });
}

function formatOf(bytes: Uint8Array): Format | undefined {
  return compressionFormats.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte));
}

function unpackGzip(packed: Packed): Promise<Uint8Array<ArrayBuffer>> {
  return withZlib(packed, "gzip", gunzipSync);
}

function unpackZstd(packed: Packed): Promise<Uint8Array<ArrayBuffer>> {
  if (!isCompleteZstd(packed.bytes)) {
    throw new ImageError(`${packed.what}: zstd data is truncated or followed by something else`);
  }
  return withZlib(packed, "zstd", zstdDecompressSync);
}

// deno-lint-ignore require-await -- so that an error of zlib becomes a rejection
async function withZlib(
  { bytes, what, limitBytes }: Packed,
  name: string,
  unpack: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(unpack(bytes, { maxOutputLength: limitBytes }));
  } catch (error) {
    throw new ImageError(
      `${what}: ${name} data is corrupt or too large (${(error as Error).message})`,
    );
  }
}
