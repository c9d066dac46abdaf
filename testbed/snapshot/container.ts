/**
 * The file around snapshots: sections, compressed each on its own, behind a header that tells what is whole.
 *
 * ```text
 *  0   8  "XENARIUM"
 *  8   4  what it holds: "SNAP"
 * 12   4  version of this layout
 * 16   8  bytes that follow the header
 * 24  32  SHA-256 of them
 * 56      sections: u32 bytes, then so many of zstd
 * ```
 *
 * All numbers are little-endian.
 */

import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { SnapshotError } from "../../core/lib/snapshot.ts";

const MAGIC = "XENARIUMSNAP";
const VERSION = 1;
const VERSION_AT = 12;
const LENGTH_AT = 16;
const DIGEST_AT = 24;
const HEADER_BYTES = 56;
const DIGEST_BYTES = 32;
/** No section of ours is larger when it is unpacked. */
const MAX_SECTION_BYTES = 2 ** 31 - 1;
/** In such pieces compressed bytes come and go. */
const CHUNK_BYTES = 1 << 20;
/** The fastest level: the next ones take twice as long for a tenth less. */
const PACKING = { chunkSize: CHUNK_BYTES, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const UNPACKING = { chunkSize: CHUNK_BYTES, maxOutputLength: MAX_SECTION_BYTES };

/** What a file holds. */
export interface Container {
  readonly sections: readonly Uint8Array<ArrayBuffer>[];
  /** The SHA-256 of what follows the header, in hexadecimal: what the file is known by. */
  readonly digest: string;
}

/** The pieces of a file with these sections, in order, and its digest. */
export async function packSections(
  sections: readonly Uint8Array[],
): Promise<{ readonly pieces: readonly Uint8Array[]; readonly digest: string }> {
  const compress = promisify(zstdCompress);
  const packed = await Promise.all(sections.map((section) => compress(section, PACKING)));
  const body = packed.flatMap((section) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, section.length, true);
    return [length, section];
  });
  const hash = createHash("sha256");
  for (const piece of body) hash.update(piece);
  const digest = hash.digest();
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(MAGIC));
  view.setUint32(VERSION_AT, VERSION, true);
  const bytes = body.reduce((sum, { length }) => sum + length, 0);
  view.setBigUint64(LENGTH_AT, BigInt(bytes), true);
  header.set(digest, DIGEST_AT);
  return { pieces: [header, ...body], digest: digest.toString("hex") };
}

/** Reads what {@link packSections} made. Throws {@link SnapshotError} that says what is wrong with the file. */
export async function unpackSections(file: Uint8Array): Promise<Container> {
  const stated = checkHeader(file);
  const decompress = promisify(zstdDecompress);
  const body = file.subarray(HEADER_BYTES);
  const packed = splitSections(body);
  // Other threads unpack it while this one digests it; what is wrong with a part is told after that.
  const unpacked = Promise.allSettled((packed ?? []).map((part) => decompress(part, UNPACKING)));
  const digest = createHash("sha256").update(body).digest();
  const results = await unpacked;
  if (!digest.equals(stated)) throw new SnapshotError("it was altered: its SHA-256 does not fit");
  if (packed === null) throw new SnapshotError("a part of it is cut short");
  const sections = results.map((result) => {
    if (result.status === "fulfilled") return plainBytes(result.value);
    throw new SnapshotError("a part of it cannot be unpacked", { cause: result.reason });
  });
  return { sections, digest: digest.toString("hex") };
}

/** A Buffer's bytes as a plain array, aligned as its readers need it. */
function plainBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array<ArrayBuffer> {
  return byteOffset % 4 === 0 && buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, length)
    : new Uint8Array(buffer, byteOffset, length).slice();
}

/** Returns the digest that a file of the right length states. */
function checkHeader(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = new TextDecoder().decode(file.subarray(0, Math.min(MAGIC.length, file.length)));
  if (magic !== MAGIC.slice(0, magic.length) || magic.length === 0) {
    throw new SnapshotError("it is no snapshot of Xenarium");
  }
  if (file.length < HEADER_BYTES) {
    throw new SnapshotError(`it is cut short: ${file.length} bytes of a header of ${HEADER_BYTES}`);
  }
  const version = view.getUint32(VERSION_AT, true);
  if (version !== VERSION) {
    throw new SnapshotError(`it has file version ${version}; this build reads version ${VERSION}`);
  }
  const [expected, found] = [
    Number(view.getBigUint64(LENGTH_AT, true)),
    file.length - HEADER_BYTES,
  ];
  if (found < expected) throw new SnapshotError(`it is cut short: ${found} of ${expected} bytes`);
  if (found > expected) throw new SnapshotError(`${found - expected} bytes follow its end`);
  return file.subarray(DIGEST_AT, DIGEST_AT + DIGEST_BYTES);
}

/** The sections as they are packed, or `null` if one is cut short. */
function splitSections(body: Uint8Array): Uint8Array[] | null {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const sections: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const length = at + 4 <= body.length ? view.getUint32(at, true) : Infinity;
    if (at + 4 + length > body.length) return null;
    sections.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return sections;
}
