/** How much memory each domain has: frames come and go, within its limit and the machine's. */

import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { MachineFrame } from "../../abi/ids.ts";
import type { Domain } from "../domain.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { FrameFlag, type FrameTable } from "./frame_table.ts";
import type { LogDirty } from "./log_dirty.ts";
import type { MachineMap } from "./machine_map.ts";
import type { PageTypes } from "./page_types.ts";

const EMPTY_FRAME = new Uint8Array(4096);

/** Gives frames to domains and takes them back. */
export class Reservations {
  constructor(
    private readonly memory: FrameMemory,
    private readonly frames: FrameTable,
    private readonly types: PageTypes,
    private readonly map: MachineMap,
    private readonly log: LogDirty,
  ) {}

  /** A new frame of zeros for `domain`; -ENOMEM at its limit or when the machine has none. */
  populate(domain: Domain): MachineFrame | Errno {
    if (domain.pages >= domain.maxPages) return ERRNO.ENOMEM;
    const frame = this.frames.allocate(domain.id);
    if (frame === null) return ERRNO.ENOMEM;
    this.types.flushStale(frame);
    this.memory.writeBytes(frame, 0, EMPTY_FRAME);
    this.map.clearPfn(frame);
    this.log.given(domain.id, frame);
    domain.pages++;
    return frame;
  }

  /**
   * `pages` frames for a domain that is a model and never looks into them: they keep what is in them. -ENOMEM, and nothing
   * is taken, if that is more than its limit or than the machine has.
   */
  reserve(domain: Domain, pages: number): MachineFrame[] | Errno {
    const { frames } = this;
    if (domain.pages + pages > domain.maxPages || pages > frames.freeFrames) return ERRNO.ENOMEM;
    domain.pages += pages;
    return Array.from({ length: pages }, () => frames.allocate(domain.id)!);
  }

  /** Takes a frame back; it becomes free once nothing refers to it any more. -EINVAL if it is not the domain's. */
  decrease(domain: Domain, frame: number): 0 | Errno {
    const { frames } = this;
    if (!frames.get(frame, domain.id)) return ERRNO.EINVAL;
    const own = frame as MachineFrame;
    if ((frames.flags[own] & FrameFlag.pinned) !== 0) {
      frames.flags[own] &= ~FrameFlag.pinned;
      this.types.put(own, domain.id);
    }
    this.map.clearPfn(own);
    const released = frames.releaseAllocation(own);
    frames.put(own);
    if (!released) return ERRNO.EINVAL;
    domain.pages--;
    return 0;
  }
}
