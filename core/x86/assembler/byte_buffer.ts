/** Bytes that grow at their end. */

const FIRST_CAPACITY_BYTES = 4096;

/** An image under construction. */
export class ByteBuffer {
  #bytes = new Uint8Array(FIRST_CAPACITY_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  push(bytes: ArrayLike<number>): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends the low `sizeBytes` bytes of `value`, lowest first. */
  pushValue(value: bigint, sizeBytes: number): void {
    this.#reserve(sizeBytes);
    // Large tables are common, and BigInt is slow: two halves as numbers.
    const low = Number(BigInt.asUintN(32, value));
    const high = sizeBytes > 4 ? Number(BigInt.asUintN(32, value >> 32n)) : 0;
    for (let i = 0; i < sizeBytes; i++) {
      this.#bytes[this.#length++] = (i < 4 ? low : high) >>> (8 * (i & 3));
    }
  }

  fill(count: number, byte: number): void {
    this.#reserve(count);
    this.#bytes.fill(byte, this.#length, this.#length + count);
    this.#length += count;
  }

  /** Appends what stands from `start` on, `count` times. */
  repeat(start: number, count: number): void {
    const unit = this.#bytes.slice(start, this.#length);
    if (unit.every((byte) => byte === 0)) return this.fill(unit.length * count, 0);
    for (let i = 0; i < count; i++) this.push(unit);
  }

  /** A copy of the bytes. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
