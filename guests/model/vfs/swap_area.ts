/** A swap area: blocks of the disk, past those of the file system, read and written by the same queue. */

import type { SwapDevice } from "../memory/page_out.ts";
import { pageQueue } from "./file_data.ts";
import type { Files } from "./files.ts";
import { pageKey } from "./page_cache.ts";

/** A number that no file has: the area's pages are told apart from files' by it. */
const SWAP_INODE = 2 ** 20;

/** See the module comment. */
export class SwapArea implements SwapDevice {
  /** `firstBlock`: the first of its blocks of 4 KiB; `slots`: how many pages it holds. */
  constructor(
    private readonly files: Files,
    private readonly firstBlock: number,
    readonly slots: number,
  ) {}

  get outstanding(): number {
    return this.files.fs.layer.outstanding;
  }

  write(slot: number): void {
    this.#queue(slot, true);
  }

  read(slot: number): string {
    this.#queue(slot, false);
    return pageQueue(pageKey(SWAP_INODE, slot));
  }

  #queue(slot: number, write: boolean): void {
    const { layer } = this.files.fs;
    // A write is waited for by nobody.
    const key = write ? null : pageKey(SWAP_INODE, slot);
    layer.queue(this.firstBlock + slot, write, key, null, this.files.meter);
    layer.unplug(this.files.meter);
  }
}
