/**
 * A disk: a read-only base under a copy-on-write overlay of 4 KiB blocks.
 *
 * The overlay belongs to the snapshot; the base never changes unless someone calls
 * {@link DiskImage.commit} (DESIGN.md, section 3).
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { ReadonlyBytes, WritableBytes } from "./readonly_bytes.ts";

/** The unit in which the overlay copies, in bytes. */
export const BLOCK_BYTES = 4096;
/** The unit in which a disk is addressed, in bytes. */
export const SECTOR_BYTES = 512;

/** A writable disk over a base that stays as it is. */
export class DiskImage implements Snapshot {
  /** The size in bytes: the base's, rounded up to a sector, or more if the options say so. */
  readonly sizeBytes: number;
  /** What it reads as where nobody has written. */
  readonly base: ReadonlyBytes;
  readonly #overlay = new Map<number, Uint8Array>();

  /**
   * `options.sizeBytes` grows the disk past its base with zeros; throws `RangeError` if it is smaller
   * than the base or not a multiple of 512.
   */
  constructor(base: ReadonlyBytes, options: { sizeBytes?: number } = {}) {
    this.base = base;
    const rounded = Math.ceil(base.sizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
    this.sizeBytes = options.sizeBytes ?? rounded;
    if (this.sizeBytes < rounded || this.sizeBytes % SECTOR_BYTES !== 0) {
      throw new RangeError(
        `a disk size must be a multiple of ${SECTOR_BYTES} of at least ${rounded} bytes, found ${this.sizeBytes}`,
      );
    }
  }

  /** The number of 512-byte sectors. */
  get sectorCount(): number {
    return this.sizeBytes / SECTOR_BYTES;
  }

  /** How many bytes the overlay holds. */
  get overlayBytes(): number {
    return this.#overlay.size * BLOCK_BYTES;
  }

  /** Fills `into` from `offset` (bytes); throws `RangeError` outside the disk. */
  read(offset: number, into: Uint8Array): void {
    this.#expectRange(offset, into.length);
    for (let done = 0; done < into.length;) {
      const { block, start, length } = piece(offset + done, into.length - done);
      const part = into.subarray(done, done + length);
      const copy = this.#overlay.get(block);
      if (copy) part.set(copy.subarray(start, start + length));
      else this.#readBase(offset + done, part);
      done += length;
    }
  }

  /** Stores `bytes` at `offset` (bytes) in the overlay; throws `RangeError` outside the disk. */
  write(offset: number, bytes: Uint8Array): void {
    this.#expectRange(offset, bytes.length);
    for (let done = 0; done < bytes.length;) {
      const { block, start, length } = piece(offset + done, bytes.length - done);
      let copy = this.#overlay.get(block);
      if (!copy) {
        copy = new Uint8Array(BLOCK_BYTES);
        if (length < BLOCK_BYTES) this.#readBase(block * BLOCK_BYTES, copy);
        this.#overlay.set(block, copy);
      }
      copy.set(bytes.subarray(done, done + length), start);
      done += length;
    }
  }

  /** Writes every changed block to `target`, in ascending order. The overlay stays: reads do not change. */
  commit(target: WritableBytes): void {
    for (const block of this.#changedBlocks()) {
      const offset = block * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES, this.sizeBytes - offset);
      target.write(offset, this.#overlay.get(block)!.subarray(0, length));
    }
  }

  /** Forgets every change since the disk was made: it reads as its base again. */
  discardChanges(): void {
    this.#overlay.clear();
  }

  save(): SnapshotRecord {
    const blocks = this.#changedBlocks();
    const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
    blocks.forEach((block, index) => bytes.set(this.#overlay.get(block)!, index * BLOCK_BYTES));
    return { kind: "disk", version: 1, state: { sizeBytes: this.sizeBytes, blocks, bytes } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "disk", 1);
    const bytes = state.bytes as Uint8Array;
    this.#overlay.clear();
    (state.blocks as number[]).forEach((block, index) => {
      this.#overlay.set(block, bytes.slice(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
    });
  }

  #changedBlocks(): number[] {
    return [...this.#overlay.keys()].sort((a, b) => a - b);
  }

  /** Reads the base, with zeros where the disk reaches past it. */
  #readBase(offset: number, into: Uint8Array): void {
    const available = Math.max(0, Math.min(into.length, this.base.sizeBytes - offset));
    if (available > 0) this.base.read(offset, into.subarray(0, available));
    into.fill(0, available);
  }

  #expectRange(offset: number, length: number): void {
    if (!(offset >= 0 && offset + length <= this.sizeBytes)) {
      throw new RangeError(
        `bytes ${offset}..${
          offset + length
        } are not within the ${this.sizeBytes} bytes of the disk`,
      );
    }
  }
}

/** The part of one block that an access of `length` bytes at `offset` touches first. */
function piece(offset: number, length: number) {
  const block = Math.floor(offset / BLOCK_BYTES);
  const start = offset - block * BLOCK_BYTES;
  return { block, start, length: Math.min(length, BLOCK_BYTES - start) };
}
