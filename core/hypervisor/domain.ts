/** One domain: its identity, its memory account, its virtual CPUs. What happens to it is done by the hypervisor. */

import type { DomainId, MachineFrame } from "../abi/ids.ts";
import type { ShutdownReason } from "../abi/operations.ts";
import type { DataModel } from "../abi/struct_layout.ts";
import { GUEST_SPACES, type GuestSpace } from "./memory/guest_space.ts";
import type { DomainArea } from "./memory/machine_map.ts";
import type { Executor } from "./scheduling/ports.ts";
import type { Vcpu } from "./vcpu.ts";

/** What a domain is made from. */
export interface DomainOptions {
  readonly name: string;
  readonly vcpus: number;
  /** Frames that it may own at most (`max_pages`). */
  readonly maxPages: number;
  /** May use control operations. */
  readonly privileged: boolean;
  /** How wide its words are; default: 64 bits. */
  readonly model?: DataModel;
  /** Who runs its virtual CPUs; default: the hypervisor's executor of machine code. */
  readonly executor?: Executor;
}

/** What a domain is from its creation on: what is needed to make the same one of a record. Plain data. */
export interface DomainShape {
  readonly id: DomainId;
  readonly name: string;
  readonly vcpus: number;
  readonly maxPages: number;
  readonly privileged: boolean;
  readonly model: DataModel;
  readonly sharedInfo: MachineFrame;
  readonly area: DomainArea;
}

/** A domain of the hypervisor. */
export class Domain {
  readonly vcpus: Vcpu[] = [];
  /** What its address space is like, and so its structures. */
  readonly space: GuestSpace;
  /** Frames that it owns, the shared page aside. */
  pages = 0;
  maxPages: number;
  /** Bits of `VMASST_TYPE_*`. */
  vmAssist = 0n;
  /** Why it shut down, or `null` while it lives. */
  shutdown: ShutdownReason | null = null;
  /** The reason that its kernel gave beforehand (`SCHEDOP_shutdown_code`), or `null`. */
  shutdownCode: ShutdownReason | null = null;
  /** What it did wrong, when it crashed. */
  crashMessage: string | null = null;
  /** Pauses that have not ended; its virtual CPUs run at 0. */
  pauses = 0;
  /** Hypercalls that do not exist, by number. */
  readonly missing = new Map<number, number>();
  /** What tools call it. */
  name: string;

  constructor(
    readonly id: DomainId,
    readonly options: DomainOptions,
    readonly sharedInfo: MachineFrame,
    readonly area: DomainArea,
  ) {
    this.maxPages = options.maxPages;
    this.name = options.name;
    this.space = GUEST_SPACES[options.model ?? "lp64"];
  }

  /** The data model of the structures that it shares with the hypervisor. */
  get model(): DataModel {
    return this.space.model;
  }

  get privileged(): boolean {
    return this.options.privileged;
  }

  /** A copy of what it is from its creation on. */
  get shape(): DomainShape {
    const { name, vcpus, maxPages, privileged } = this.options;
    const { level3, roots, level1, frames } = this.area;
    return {
      id: this.id,
      name,
      vcpus,
      maxPages,
      privileged,
      model: this.model,
      sharedInfo: this.sharedInfo,
      area: { level3, roots: [...roots], level1: [...level1], frames: [...frames] },
    };
  }
}
