import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionOf, decompress } from "./decompress.ts";
import { ImageError } from "./image_error.ts";
import { undoX86BranchFilter } from "./x86_branch_filter.ts";

const text = new TextEncoder().encode("Xenarium unpacks kernels. ".repeat(40));

function base64(encoded: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
}

function bytesOf(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** `text` by `xz --check=crc32`. */
const xzPlain = base64(
  "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AQPACZdACwZScYkQ31gbkvAG+u3c1HbnJrk5phRpcbsrtSzRggRnzuP7NYAAAAA2FE/" +
    "bwABPpAIAAAA/72X6T4wDYsCAAAAAAFZWg==",
);
/** `text` by `xz --check=crc32 --block-size=400 --x86 --lzma2`. */
const xzBlocks = base64(
  "/Td6WFoAAAFpIt42AgEEACEBFgANhjUf4AGPACNdACwZScYkQ31gbkvAG+u3c1HbnJrk5phRpcbsrtSzReWdnwAAAADAIvPuAgEE" +
    "ACEBFgANhjUf4AGPACNdADccCEW4XT5NnoALdr10KwqlgAoEcE1ZE8IST7U4rBkB+4AAAABPqik4AgEEACEBFgANhjUf4ADvACFd" +
    "ADcZSdwYPzuCy1ZxsqJFPcVY4exADHtuOJhLZC740CiAAAAAAABtrsmKAAM7kAM7kAM58AEA/fRg55vjUUADAAAAAAFZWg==",
);
/** `text` by `xz --check=sha256 --arm --lzma2`. */
const xzArm = base64(
  "/Td6WFoAAArh+wyhAgEHACEBFgCj9KGZ4AQPACZdACwZScYkQ31gbkvAG+u3c1HbnJrk5phRpcbsrtSzRggRnzuP7NYAAAAAkbOq" +
    "pCb3IkV+3Y9iKdd1vPX2eubU00SN4r7dCFXufSIAAVqQCAAAALPw8nq26d8cAgAAAAAKWVo=",
);
/** Branches by `xz --check=crc32 --x86 --lzma2`, and by `xz --format=raw` without undoing the filter. */
const code = bytesOf(
  "909090e8100000009090909090e9f0ffffffe8e80000000000e8ffffffffe912345678909090",
);
const filtered = bytesOf(
  "909090e8180000009090909090e902000000e8ff0000000000e81d000000e912345678909090",
);
const xzCode = base64(
  "/Td6WFoAAAFpIt42AgEEACEBFgANhjUf4AAlAB9dAEhoNgMADI2QvQGb4Mfd5OQOHHvH2v8pB/n+2ZuFkgAAALU0xsEAATcm4pCM" +
    "YpBCmQ0BAAAAAAFZWg==",
);
/** `Xenarium` and 24 more bytes that repeat it: one block of the legacy frame. */
const lz4 = bytesOf(
  "02214c18" + "11000000" + "84" + "58656e617269756d" + "0800" + "50" + "7269756d21",
);
const lz4Text = new TextEncoder().encode("XenariumXenariumrium!");

const readable: readonly [name: string, packed: Uint8Array, expected: Uint8Array][] = [
  ["gzip", new Uint8Array(gzipSync(text)), text],
  ["zstd", new Uint8Array(zstdCompressSync(text)), text],
  ["xz", xzPlain, text],
  ["xz", xzBlocks, text],
  ["xz", xzCode, code],
  ["lz4", lz4, lz4Text],
];

for (const [name, packed, expected] of readable) {
  Deno.test(`${expected.length} bytes are unpacked from ${packed.length} of ${name}`, async () => {
    assertEquals(compressionOf(packed), name);
    assertEquals(await decompress(packed, "data"), expected);
  });
}

Deno.test("the x86 filter is undone as the reference implementation does", () => {
  const bytes = filtered.slice();
  undoX86BranchFilter(bytes);
  assertEquals(bytes, code);
});

function corrupted(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at < 0 ? copy.length + at : at] ^= 0x55;
  return copy;
}

const refused: readonly [what: string, packed: Uint8Array, limit: number, message: string][] = [
  ["no format at all", text, 1e6, "is in no known compression format (gzip, zstd, xz, lz4)"],
  ["bzip2", bytesOf("425a6839314159"), 1e6, "is packed with bzip2, which cannot be unpacked here"],
  ["lzo", bytesOf("894c5a4f000d0a1a0a10"), 1e6, "is packed with lzo"],
  ["lzma", bytesOf("5d00008000ffff"), 1e6, "is packed with lzma"],
  ["truncated gzip", new Uint8Array(gzipSync(text)).subarray(0, 30), 1e6, "gzip data is corrupt"],
  [
    "truncated zstd",
    new Uint8Array(zstdCompressSync(text)).subarray(0, 30),
    1e6,
    "zstd data is truncated",
  ],
  ["truncated xz", xzPlain.subarray(0, -4), 1e6, "must end with a stream footer"],
  ["xz with damaged data", corrupted(xzCode, 40), 1e6, "corrupt"],
  ["xz with a damaged checksum", corrupted(xzCode, -22), 1e6, "its CRC-32 does not match"],
  ["xz with the filter of another CPU", xzArm, 1e6, "uses xz filters 0x7, 0x21; only LZMA2"],
  ["truncated lz4", lz4.subarray(0, 20), 1e6, "lz4 data is truncated or corrupt"],
  ["more than the limit in gzip", new Uint8Array(gzipSync(text)), 1000, "corrupt or too large"],
  ["more than the limit in xz", xzPlain, 1000, "unpacks to 1040 bytes, expected at most 1000"],
  ["more than the limit in lz4", lz4, 20, "unpacks to more than 20 bytes"],
];

for (const [what, packed, limit, message] of refused) {
  Deno.test(`${what} is refused`, async () => {
    await assertRejects(() => decompress(packed, "payload", limit), ImageError, message);
  });
}

Deno.test("every truncation of zstd data is refused", async () => {
  const noise = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i * 2654435761) >>> 13);
  for (const original of [text, noise]) {
    const packed = new Uint8Array(zstdCompressSync(original));
    assertEquals(await decompress(packed, "x"), original);
    for (let length = 4; length < packed.length; length += Math.ceil(packed.length / 50)) {
      await assertRejects(() => decompress(packed.subarray(0, length), "x"), ImageError);
    }
  }
});

Deno.test("every truncation and every damaged byte of xz data is an ImageError or harmless", async () => {
  for (let at = 6; at < xzCode.length; at++) {
    await assertRejects(() => decompress(xzCode.subarray(0, at), "x"), ImageError);
    try {
      assertEquals(await decompress(corrupted(xzCode, at), "x"), code);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
});
