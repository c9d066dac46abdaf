/**
 * The bytes of display memory, and up to where something was stored: a screen uses a small part of what a card has, and
 * who saves or clears a card often should not go through the rest.
 */

/** See the module comment. */
export class FrameBuffer {
  /** To be read only; what is stored goes through {@link store}. */
  readonly bytes: Uint8Array;
  /** All bytes from here on are 0; whole words lie before it. */
  #end = 0;

  /** `sizeBytes` is a multiple of 4. */
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  /** Stores the low byte of `value`; there is nothing behind the end. */
  store(address: number, value: number): void {
    if (address >= this.#end) this.#end = Math.min((address | 3) + 1, this.bytes.length);
    this.bytes[address] = value;
  }

  clear(): void {
    this.bytes.fill(0, 0, this.#end);
    this.#end = 0;
  }

  /** All bytes up to the last word that is not zero. */
  save(): Uint8Array {
    const words = new Uint32Array(this.bytes.buffer);
    let end = this.#end;
    while (end > 0 && words[end / 4 - 1] === 0) end -= 4;
    return this.bytes.slice(0, end);
  }

  /** Holds what was saved, as far as there is room for it. */
  restore(saved: Uint8Array): void {
    this.clear();
    const { length } = this.bytes;
    this.bytes.set(saved.subarray(0, length));
    this.#end = Math.min(saved.length + 3 & ~3, length);
  }
}
