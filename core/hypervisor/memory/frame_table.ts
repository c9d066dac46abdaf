/**
 * Who owns each frame of machine memory, how often it is referred to, and what it is used as.
 *
 * Xen's `struct page_info` as columns. A frame is free while its reference count is 0; an allocated one has a
 * reference of its own. Its type is settled while the type count is above 0, and cannot change in that time: that is
 * what keeps page tables and descriptor tables out of a guest's writable reach.
 */

import { type DomainId, DOMID, type MachineFrame } from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
} from "../../lib/snapshot.ts";

/** What a frame is used as (`PGT_*`); page tables by their level. */
export const FrameType = {
  none: 0,
  l1: 1,
  l2: 2,
  l3: 3,
  l4: 4,
  segDesc: 5,
  writable: 6,
  /** The level-2 table of a 32-bit guest's last GiB, which holds the hypervisor's entries too. */
  l2Xen: 7,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];
/** The types that are page tables. */
export type TableType = 1 | 2 | 3 | 4 | typeof FrameType.l2Xen;

/** The level of a page table's type, or 0 of another type. */
export function levelOf(type: number): 0 | 1 | 2 | 3 | 4 {
  if (type === FrameType.l2Xen) return 2;
  return type <= FrameType.l4 ? type as 0 | 1 | 2 | 3 | 4 : 0;
}

/** Bits of {@link FrameTable.flags}. */
export const FrameFlag = {
  /** The frame's contents were checked against its type. */
  validated: 1,
  /** A reference and a type reference are held by a guest's pin. */
  pinned: 2,
  /** The frame's own reference (`PGC_allocated`) is still there: it is part of a domain's reservation. */
  allocated: 4,
  /** The hypervisor holds the reference: it shares the frame with its owner, who cannot give it up. */
  shared: 8,
} as const;

/** Owner of a free frame, and of one that is no memory. */
const NOBODY = -1;
const NO_MEMORY = -2;

/** The columns that a record keeps. */
const COLUMNS = ["count", "type", "typeCount", "flags", "stamp"] as const;

/** The frame table of one machine. */
export class FrameTable implements Snapshot {
  readonly #owner: Int32Array;
  readonly count: Uint32Array;
  readonly type: Uint8Array;
  readonly typeCount: Uint32Array;
  readonly flags: Uint8Array;
  /** When the frame was last given up in one of its uses, in flushes: see TlbFlushes. */
  readonly stamp: Uint32Array;
  /** Free frames; the last is handed out first. */
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Told of each frame that has become free. */
  onFree: (frame: MachineFrame) => void = () => {};

  /** `isMemory` says which of the `frames` frame numbers are RAM. */
  constructor(readonly frames: number, isMemory: (frame: number) => boolean) {
    this.#owner = new Int32Array(frames).fill(NO_MEMORY);
    this.count = new Uint32Array(frames);
    this.type = new Uint8Array(frames);
    this.typeCount = new Uint32Array(frames);
    this.flags = new Uint8Array(frames);
    this.stamp = new Uint32Array(frames);
    this.#free = new Int32Array(frames);
    for (let frame = frames - 1; frame >= 0; frame--) {
      if (!isMemory(frame)) continue;
      this.#owner[frame] = NOBODY;
      this.#free[this.#freeCount++] = frame;
    }
  }

  /** Frames that nobody owns. */
  get freeFrames(): number {
    return this.#freeCount;
  }

  /** Whether `frame` is a frame of RAM. */
  isMemory(frame: number): frame is MachineFrame {
    return frame < this.frames && this.#owner[frame] !== NO_MEMORY;
  }

  /** The owner, or `null` of a free frame and of what is no memory. */
  ownerOf(frame: number): DomainId | null {
    const owner = frame < this.frames ? this.#owner[frame] : NO_MEMORY;
    return owner < 0 ? null : owner as DomainId;
  }

  /** Gives a free frame to `owner`; `null` if there is none. */
  allocate(owner: DomainId): MachineFrame | null {
    if (this.#freeCount === 0) return null;
    const frame = this.#free[--this.#freeCount];
    this.#owner[frame] = owner;
    this.count[frame] = 1;
    this.flags[frame] = FrameFlag.allocated;
    this.type[frame] = FrameType.none;
    this.typeCount[frame] = 0;
    return frame as MachineFrame;
  }

  /**
   * A free frame that the hypervisor shares with `owner`, outside of its reservation: memory that can be mapped and
   * written, and never be anything else. `null` if there is none.
   */
  allocateShared(owner: DomainId): MachineFrame | null {
    const frame = this.allocate(owner);
    if (frame === null) return null;
    this.flags[frame] = FrameFlag.shared | FrameFlag.validated;
    this.type[frame] = FrameType.writable;
    this.typeCount[frame] = 1;
    return frame;
  }

  /** Gives up what {@link allocateShared} took. */
  releaseShared(frame: MachineFrame): void {
    this.flags[frame] &= ~FrameFlag.shared;
    this.typeCount[frame]--;
    this.put(frame);
  }

  /** Makes a frame the hypervisor's own; it is never freed. */
  allocateForXen(): MachineFrame {
    const frame = this.allocate(DOMID.XEN);
    invariant(frame !== null, "no memory is left for the hypervisor itself");
    return frame;
  }

  /** Takes a reference to a frame of `owner`; false if it is not that domain's. */
  get(frame: number, owner: DomainId): boolean {
    if (!(frame < this.frames) || this.#owner[frame] !== owner) return false;
    this.count[frame]++;
    return true;
  }

  /** Gives a reference back; with the last one the frame becomes free. */
  put(frame: MachineFrame): void {
    invariant(this.count[frame] > 0, `frame ${frame} has no reference to give back`);
    if (--this.count[frame] > 0) return;
    invariant(this.typeCount[frame] === 0, `frame ${frame} becomes free while it has a type`);
    this.#owner[frame] = NOBODY;
    this.flags[frame] = 0;
    this.#free[this.#freeCount++] = frame;
    this.onFree(frame);
  }

  /** Gives up the reference that an allocated frame holds to itself; false if that was done before. */
  releaseAllocation(frame: MachineFrame): boolean {
    if ((this.flags[frame] & FrameFlag.allocated) === 0) return false;
    this.flags[frame] &= ~FrameFlag.allocated;
    this.put(frame);
    return true;
  }

  /** Whether nobody refers to an allocated frame but its reservation. */
  isUnused(frame: number): boolean {
    return this.count[frame] === 1 && this.typeCount[frame] === 0 &&
      (this.flags[frame] & FrameFlag.allocated) !== 0;
  }

  /** Hands an allocated frame that nobody refers to over to another domain. */
  transfer(frame: MachineFrame, to: DomainId): boolean {
    if (!this.isUnused(frame)) return false;
    this.#owner[frame] = to;
    // What was checked for a guest of one data model was not for another's.
    this.flags[frame] &= ~FrameFlag.validated;
    return true;
  }

  save(): SnapshotRecord {
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, bytesOf(this[name])]));
    const owner = bytesOf(this.#owner);
    const free = bytesOf(this.#free.subarray(0, this.#freeCount));
    return {
      kind: "frameTable",
      version: 1,
      state: { ...columns, owner, free, freeCount: this.#freeCount },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "frameTable", 1);
    const put = (name: string, into: Uint8Array | Uint32Array | Int32Array) => {
      const bytes = state[name] as Uint8Array;
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
    };
    const owner = state.owner as Uint8Array;
    if (owner.length !== this.#owner.byteLength) {
      throw new SnapshotError(
        `snapshot of ${owner.length / 4} frames; this machine has ${this.frames}`,
      );
    }
    for (const name of COLUMNS) put(name, this[name]);
    put("owner", this.#owner);
    put("free", this.#free);
    this.#freeCount = state.freeCount as number;
  }

  /** Every frame of `owner`, in order. */
  *framesOf(owner: DomainId): IterableIterator<MachineFrame> {
    for (let frame = 0; frame < this.frames; frame++) {
      if (this.#owner[frame] === owner) yield frame as MachineFrame;
    }
  }
}

/** A copy of an array's bytes. */
function bytesOf(array: Uint8Array | Uint32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
}
