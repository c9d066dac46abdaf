/**
 * Whether Zstandard data is complete: node:zlib unpacks truncated data without an error. Source: RFC 8878,
 * "Zstandard Frames" and "Blocks".
 */

const MAGIC = 0xfd2f_b528;
/** 0x184d2a50 to 0x184d2a5f mark frames that are to be skipped. */
const SKIPPABLE = 0x184d_2a5;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const CHECKSUM_BYTES = 4;
const RLE_BLOCK = 1;

/** Whether `bytes` are whole frames, one or several, to the last byte. */
export function isCompleteZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset + 8 <= bytes.length) {
    const magic = view.getUint32(offset, true);
    if (magic >>> 4 === SKIPPABLE) offset += 8 + view.getUint32(offset + 4, true);
    else if (magic === MAGIC) offset = frameEnd(bytes, offset);
    else return false;
  }
  return offset === bytes.length;
}

/** The offset behind the frame at `start`; past the end of `bytes` if it is truncated. */
function frameEnd(bytes: Uint8Array, start: number): number {
  const descriptor = bytes[start + 4];
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  let offset = start + 5 + (singleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3] +
    (sizeFlag === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]);
  for (let last = false; !last;) {
    if (offset + 3 > bytes.length) return Infinity;
    const header = bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16);
    last = (header & 1) !== 0;
    offset += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >>> 3);
  }
  return offset + ((descriptor & 4) !== 0 ? CHECKSUM_BYTES : 0);
}
