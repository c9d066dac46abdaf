/** The Internet checksum (RFC 1071) and Ethernet's frame check sequence (IEEE 802.3, section 3.2.9). */

/** Adds the big-endian 16-bit words of `bytes` from `start` to `end` to `sum`, with end-around carry. */
export function onesComplementSum(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  const last = Math.min(end, bytes.length);
  for (let at = start; at < last; at += 2) {
    sum += (bytes[at] << 8) | (at + 1 < last ? bytes[at + 1] : 0);
    if (sum > 0xffffffff) sum = foldSum(sum);
  }
  return foldSum(sum);
}

/** Folds carries into 16 bits. */
export function foldSum(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** The checksum field's value over `bytes` from `start` to `end`, to which `sum` was added. */
export function internetChecksum(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  return ~onesComplementSum(bytes, start, end, sum) & 0xffff;
}

/** What a TCP or UDP checksum covers besides the segment: addresses, protocol, length (RFC 9293, section 3.1). */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  lengthBytes: number,
): number {
  const halves = [source, destination].map((address) => (address >>> 16) + (address & 0xffff));
  return foldSum(halves[0] + halves[1] + protocol + lengthBytes);
}

/** CRC-32's table: 802.3's polynomial, bits reversed. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The frame check sequence of `frame`, as the number that goes out least significant byte first. */
export function frameCheckSequence(frame: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of frame) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
