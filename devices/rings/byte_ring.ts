/**
 * A stream of bytes through a page that two domains share: a buffer and two counters.
 *
 * The counters run on without wrapping; the peer writes one of them, so nothing is believed of it but
 * that a difference within the buffer's size is what it says.
 */

import type { MachineFrame } from "../../core/abi/ids.ts";
import type { FrameMemory } from "../../core/hypervisor/frame_memory.ts";

/** Where the parts of a stream are in the page, in bytes. */
export interface ByteRingPlaces {
  readonly buffer: number;
  /** A power of two. */
  readonly sizeBytes: number;
  readonly consumer: number;
  readonly producer: number;
}

/** One direction of a byte stream. */
export class ByteRing {
  constructor(
    private readonly memory: FrameMemory,
    private readonly frame: MachineFrame,
    private readonly places: ByteRingPlaces,
  ) {}

  /** Bytes that wait to be read, or `null` if the counters cannot be true. */
  get available(): number | null {
    const { producer, consumer, sizeBytes } = this.places;
    const waiting = (this.#read32(producer) - this.#read32(consumer)) >>> 0;
    return waiting <= sizeBytes ? waiting : null;
  }

  /** Bytes that may be written, or `null` if the counters cannot be true. */
  get room(): number | null {
    const { available } = this;
    return available === null ? null : this.places.sizeBytes - available;
  }

  /** Takes up to `mostBytes` bytes out of the stream. */
  read(mostBytes: number): Uint8Array<ArrayBuffer> {
    const { buffer, consumer } = this.places;
    const bytes = new Uint8Array(Math.min(this.available ?? 0, mostBytes));
    const from = this.#read32(consumer);
    this.#pieces(from, bytes.length, (offset, start, end) => {
      this.memory.readBytes(this.frame, buffer + offset, bytes.subarray(start, end));
    });
    this.#write32(consumer, from + bytes.length);
    return bytes;
  }

  /** Puts as many of `bytes` into the stream as have room; answers how many. */
  write(bytes: Uint8Array): number {
    const { buffer, producer } = this.places;
    const count = Math.min(this.room ?? 0, bytes.length);
    const from = this.#read32(producer);
    this.#pieces(from, count, (offset, start, end) => {
      this.memory.writeBytes(this.frame, buffer + offset, bytes.subarray(start, end));
    });
    this.#write32(producer, from + count);
    return count;
  }

  /** The one or two contiguous parts of `count` bytes from counter `from` on. */
  #pieces(
    from: number,
    count: number,
    each: (offset: number, start: number, end: number) => void,
  ): void {
    const { sizeBytes } = this.places;
    const offset = from % sizeBytes;
    const first = Math.min(count, sizeBytes - offset);
    if (first > 0) each(offset, 0, first);
    if (count > first) each(0, first, count);
  }

  #read32(offset: number): number {
    return this.memory.read32(this.frame, offset);
  }

  #write32(offset: number, value: number): void {
    this.memory.write32(this.frame, offset, value >>> 0);
  }
}
