/**
 * xz with the x86 branch filter, which kernels use and `xz-decompress` lacks: the container is taken
 * apart here, each block goes to the library as a plain LZMA2 stream, and the filter and the checksum
 * are undone on what comes back. Source: "The .xz File Format", version 1.2.0.
 */

import { crc32 } from "node:zlib";
import xz from "xz-decompress";
import { concatBytes } from "../../guests/linux/layout.ts";
import { ImageError } from "./image_error.ts";
import { undoX86BranchFilter } from "./x86_branch_filter.ts";

const STREAM_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
const FOOTER_MAGIC = [0x59, 0x5a] as const;
const HEADER_BYTES = 12;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;
const CHECK_NONE = 0;
const CHECK_CRC32 = 1;
/** Size of the checksum by its type (section 2.1.1.2). */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const BLOCK_LIMIT = 4096;

interface Filter {
  readonly id: number;
  readonly properties: Uint8Array;
}

interface Block {
  readonly filters: readonly Filter[];
  readonly compressed: Uint8Array;
  readonly check: Uint8Array;
  readonly uncompressedBytes: number;
}

/** Unpacks one xz stream; throws {@link ImageError} if it is corrupt or beyond `limitBytes`. */
export async function unpackXz(
  bytes: Uint8Array,
  what: string,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { checkType, blocks } = parseStream(bytes, what);
  const total = blocks.reduce((sum, block) => sum + block.uncompressedBytes, 0);
  if (total > limitBytes) {
    throw new ImageError(`${what} unpacks to ${total} bytes, expected at most ${limitBytes}`);
  }
  const parts: Uint8Array[] = [];
  for (const block of blocks) parts.push(await unpackBlock(block, checkType, what));
  return concatBytes(parts);
}

function parseStream(bytes: Uint8Array, what: string): { checkType: number; blocks: Block[] } {
  const end = bytes.length;
  if (end < 2 * HEADER_BYTES || FOOTER_MAGIC.some((byte, i) => bytes[end - 2 + i] !== byte)) {
    throw new ImageError(`${what} is truncated: xz data must end with a stream footer ("YZ")`);
  }
  const checkType = bytes[7] & 0x0f;
  const backward = (u32(bytes, end - 8) + 1) * 4;
  const index = new Cursor(bytes, end - HEADER_BYTES - backward, what);
  index.expect(0, "the index marker");
  const count = index.number();
  if (count > BLOCK_LIMIT) throw new ImageError(`${what}: xz index of ${count} blocks is corrupt`);
  const blocks: Block[] = [];
  let offset = HEADER_BYTES;
  for (let number = 0; number < count; number++) {
    const unpadded = index.number();
    const uncompressedBytes = index.number();
    const padded = Math.ceil(unpadded / 4) * 4;
    const block = bytes.subarray(offset, offset + padded);
    const padding = padded - unpadded;
    blocks.push(parseBlock(block, padding, CHECK_BYTES[checkType], uncompressedBytes, what));
    offset += padded;
  }
  return { checkType, blocks };
}

/** A block is its header, the compressed data, padding to four bytes, and the checksum. */
function parseBlock(
  block: Uint8Array,
  padding: number,
  checkBytes: number,
  uncompressedBytes: number,
  what: string,
): Block {
  const cursor = new Cursor(block, 0, what);
  const headerBytes = (cursor.byte() + 1) * 4;
  const flags = cursor.byte();
  if ((flags & 0x40) !== 0) cursor.number();
  if ((flags & 0x80) !== 0) cursor.number();
  const filters = Array.from({ length: (flags & 3) + 1 }, () => {
    const id = cursor.number();
    return { id, properties: cursor.take(cursor.number()) };
  });
  if (headerBytes + padding + checkBytes > block.length) {
    throw new ImageError(`${what}: xz block is truncated`);
  }
  return {
    filters,
    compressed: block.subarray(headerBytes, block.length - checkBytes - padding),
    check: block.subarray(block.length - checkBytes),
    uncompressedBytes,
  };
}

async function unpackBlock(block: Block, checkType: number, what: string): Promise<Uint8Array> {
  const lzma2 = block.filters.at(-1)!;
  const before = block.filters.slice(0, -1);
  if (lzma2.id !== FILTER_LZMA2 || before.some(({ id }) => id !== FILTER_X86)) {
    const ids = block.filters.map(({ id }) => `0x${id.toString(16)}`).join(", ");
    throw new ImageError(
      `${what} uses xz filters ${ids}; only LZMA2 (0x21), alone or after the x86 filter (0x4), can be unpacked`,
    );
  }
  const stream = plainStream(block, lzma2.properties);
  let data: Uint8Array<ArrayBuffer>;
  try {
    const source = new Blob([stream]).stream();
    data = new Uint8Array(await new Response(new xz.XzReadableStream(source)).arrayBuffer());
  } catch (error) {
    throw new ImageError(`${what}: xz data is corrupt (${(error as Error).message})`);
  }
  for (const filter of before) {
    const start = filter.properties.length === 4 ? u32(filter.properties, 0) : 0;
    undoX86BranchFilter(data, start);
  }
  if (checkType === CHECK_CRC32 && crc32(data) !== u32(block.check, 0)) {
    throw new ImageError(`${what}: xz data is corrupt (its CRC-32 does not match)`);
  }
  return data;
}

/** `block` as a stream of its own: LZMA2 only, no checksum. */
function plainStream(block: Block, properties: Uint8Array): Uint8Array<ArrayBuffer> {
  const streamFlags = Uint8Array.of(0, CHECK_NONE);
  const header = sealed(Uint8Array.of(0, 0, ...number(FILTER_LZMA2), 1, ...properties), true);
  const unpadded = header.length + block.compressed.length;
  const padding = new Uint8Array((4 - unpadded % 4) % 4);
  const index = sealed(
    Uint8Array.of(0, ...number(1), ...number(unpadded), ...number(block.uncompressedBytes)),
    false,
  );
  const tail = concatBytes([le32(index.length / 4 - 1), streamFlags]);
  return concatBytes([
    Uint8Array.from(STREAM_MAGIC),
    streamFlags,
    le32(crc32(streamFlags)),
    header,
    block.compressed,
    padding,
    index,
    le32(crc32(tail)),
    tail,
    Uint8Array.from(FOOTER_MAGIC),
  ]);
}

/** `bytes` padded to four, with CRC-32 behind; a block header's first byte tells its size. */
function sealed(bytes: Uint8Array, isBlockHeader: boolean): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  if (isBlockHeader) padded[0] = padded.length / 4;
  return concatBytes([padded, le32(crc32(padded))]);
}

/** `value` as a multibyte integer (section 1.2). */
function number(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

function le32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

/** Reads bytes and multibyte integers in order, with bounds checks. */
class Cursor {
  constructor(
    readonly bytes: Uint8Array,
    private offset: number,
    readonly what: string,
  ) {}

  byte(): number {
    return this.take(1)[0];
  }

  take(length: number): Uint8Array {
    const end = this.offset + length;
    if (this.offset < 0 || end > this.bytes.length) {
      throw new ImageError(`${this.what}: xz data is truncated or corrupt`);
    }
    const taken = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return taken;
  }

  number(): number {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new ImageError(`${this.what}: xz data is corrupt (a number is too long)`);
  }

  expect(value: number, name: string): void {
    if (this.byte() !== value) throw new ImageError(`${this.what}: xz data is corrupt at ${name}`);
  }
}
