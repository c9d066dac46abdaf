/**
 * Pages without bytes: what a page stands for whose contents nobody looks at.
 *
 * A modelled front end puts a packet's reference where it would have copied the packet; a back end that gets the page by its
 * grant finds the reference. Grants and rings are real: only what is in the page is not.
 */

import type { MachineFrame } from "../../core/abi/ids.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";

/** What pages stand for. Contents must be plain data that never changes. */
export class PageReferences<Content> implements Snapshot {
  /** By frame: without gaps, for packets come and go by the hundred thousand. */
  readonly #contents: (Content | null)[] = [];

  /** From now on the page stands for `content`. */
  put(frame: MachineFrame, content: Content): void {
    while (this.#contents.length <= frame) this.#contents.push(null);
    this.#contents[frame] = content;
  }

  /** What the page stands for, which it does no longer; `null` if it never did. */
  take(frame: MachineFrame): Content | null {
    if (frame >= this.#contents.length) return null;
    const content = this.#contents[frame];
    this.#contents[frame] = null;
    return content;
  }

  save(): SnapshotRecord {
    const pages = [...this.#contents.entries()].filter(([, content]) => content !== null);
    const state = { pages: pages as unknown as readonly SnapshotValue[] };
    return { kind: "pageReferences", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const { pages } = expectRecord(record, "pageReferences", 1);
    this.#contents.fill(null);
    for (const [frame, content] of pages as unknown as [MachineFrame, Content][]) {
      this.put(frame, content);
    }
  }
}
