/** What grant tables need from the rest of the hypervisor. */

import type { GrantStatus } from "../../abi/grant_table.ts";
import type { DomainId, GuestFrame, MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";

/** A domain, as far as grants are concerned. */
export interface GrantDomain {
  readonly id: DomainId;
  /** May act on other domains' tables. */
  readonly privileged: boolean;
  /** The table may grow to this many frames; `xl`'s `max_grant_frames` (64 by default). */
  readonly maxFrames: number;
  /** Mappings that it may hold at once; `xl`'s `max_maptrack_frames` bounds them. */
  readonly maxHandles: number;
}

/** A mapping in a guest's page tables. */
export interface HostMapping {
  /** A virtual address, or the machine address of a page-table entry if `containsPte`. */
  readonly address: bigint;
  readonly containsPte: boolean;
  readonly frame: MachineFrame;
  /** Whose frame it is. */
  readonly owner: DomainId;
  readonly readonly: boolean;
  /** `GNTMAP_application_map`: user code may use the mapping too. */
  readonly user: boolean;
  /** Bits for the entry's software-available field (`GNTMAP_guest_avail`). */
  readonly available: number;
}

/** A question of policy; the answer no gives `GNTST_permission_denied`. */
export type GrantCheck = {
  readonly what: "map" | "copy" | "transfer";
  readonly by: DomainId;
  readonly of: DomainId;
};

/** Grant tables' way to the outside. */
export interface GrantPorts {
  readonly memory: FrameMemory;
  /** Enters the frame into the page tables that the caller's virtual CPU uses, or into the entry that it names. */
  mapHost(caller: DomainId, mapping: HostMapping): GrantStatus;
  /** Clears the page-table entry; `GNTST_general_error` if it does not map the frame. */
  unmapHost(caller: DomainId, mapping: HostMapping): GrantStatus;
  /** As {@link unmapHost}, but the entry of virtual address `by` moves there. */
  replaceHost(caller: DomainId, mapping: HostMapping, by: bigint): GrantStatus;
  /** The machine frame behind a domain's frame number, or `null`. */
  resolveFrame(owner: DomainId, frame: GuestFrame): MachineFrame | null;
  /** Takes a reference (a writable type reference if `writable`) to a frame that `owner` must own. */
  takeFrame(owner: DomainId, frame: MachineFrame, writable: boolean): boolean;
  /** Gives back what {@link takeFrame} took. */
  dropFrame(owner: DomainId, frame: MachineFrame, writable: boolean): void;
  /** A zeroed frame of the hypervisor, shared with `owner`; `null` if there is none. */
  allocateTableFrame(owner: DomainId): MachineFrame | null;
  freeTableFrame(owner: DomainId, frame: MachineFrame): void;
  /** Takes the frame away from `owner`, who must be the only user of it; false if that cannot be. */
  stealFrame(owner: DomainId, frame: MachineFrame): boolean;
  /** Gives a stolen frame to `owner`; false if it may have no more. */
  assignFrame(owner: DomainId, frame: MachineFrame): boolean;
  /** Frees a stolen frame that nobody took. */
  freeStolenFrame(frame: MachineFrame): void;
  /** Whether the policy allows it; left out, everything that the ABI allows is. */
  allows?(check: GrantCheck): boolean;
}
