/**
 * The legacy frame of LZ4, in which kernels are packed: a magic number, then blocks, each with its
 * compressed size in front. Source: "LZ4 Frame Format Description", section "Legacy frame".
 */

import { decompressBlock } from "lz4js";
import { ImageError } from "./image_error.ts";

const MAGIC = 0x184c_2102;
/** What every block but the last unpacks to. */
const BLOCK_BYTES = 8 * 1024 * 1024;

interface BlockRange {
  readonly start: number;
  readonly sizeBytes: number;
}

/** Unpacks a legacy frame; throws {@link ImageError} if it is corrupt or beyond `limitBytes`. */
export function unpackLz4Legacy(
  bytes: Uint8Array,
  what: string,
  limitBytes: number,
): Uint8Array<ArrayBuffer> {
  const blocks = blockRanges(bytes, what);
  if ((blocks.length - 1) * BLOCK_BYTES > limitBytes) {
    throw new ImageError(`${what} unpacks to more than ${limitBytes} bytes`);
  }
  const out = new Uint8Array(blocks.length * BLOCK_BYTES);
  let length = 0;
  for (const [number, { start, sizeBytes }] of blocks.entries()) {
    const end: number = decompressBlock(bytes, out, start, sizeBytes, length);
    const isLast = number === blocks.length - 1;
    if (!(end <= out.length) || (!isLast && end !== (number + 1) * BLOCK_BYTES)) {
      throw new ImageError(`${what}: lz4 data is corrupt in block ${number}`);
    }
    length = end;
  }
  if (length > limitBytes) throw new ImageError(`${what} unpacks to more than ${limitBytes} bytes`);
  return out.slice(0, length);
}

function blockRanges(bytes: Uint8Array, what: string): BlockRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: BlockRange[] = [];
  let offset = 0;
  while (offset + 4 <= bytes.length) {
    const word = view.getUint32(offset, true);
    offset += 4;
    if (word === MAGIC) continue;
    if (word === 0 || offset + word > bytes.length) {
      throw new ImageError(
        `${what}: lz4 data is truncated or corrupt: a block of ${word} bytes at byte ${offset} ` +
          `of ${bytes.length}`,
      );
    }
    blocks.push({ start: offset, sizeBytes: word });
    offset += word;
  }
  return blocks;
}
