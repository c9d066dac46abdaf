/** What event channels need from the rest of the hypervisor. */

import type { DomainId, EventPort, GuestFrame, MachineFrame, VcpuId } from "../../abi/ids.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import type { FrameMemory } from "../frame_memory.ts";

/** A place in machine memory. */
export interface FramePlace {
  readonly frame: MachineFrame;
  /** In bytes. */
  readonly offset: number;
}

/** A domain, as far as events are concerned. */
export interface EventDomain {
  readonly id: DomainId;
  /** How its words are laid out. */
  readonly model: DataModel;
  readonly vcpuCount: number;
  /** May act on other domains' channels. */
  readonly privileged: boolean;
  /** The highest port that it may have; `xl`'s `max_event_channels` (1023 by default). */
  readonly maxPort: number;
  /** Its `shared_info` frame, or `null` for a domain that has none (all its channels have consumers). */
  readonly sharedInfo: MachineFrame | null;
  /** Where the virtual CPU's `vcpu_info` is at present, or `null` if it has none yet. */
  vcpuInfo(vcpu: VcpuId): FramePlace | null;
}

/** A question of policy; the operation fails with EPERM if the answer is no. */
export type EventCheck =
  | { readonly what: "allocUnbound"; readonly by: DomainId; readonly of: DomainId }
  | { readonly what: "bindInterdomain"; readonly by: DomainId; readonly of: DomainId }
  | { readonly what: "send"; readonly by: DomainId; readonly of: DomainId };

/** Event channels' way to the outside. */
export interface EventChannelPorts {
  readonly memory: FrameMemory;
  /** `evtchn_upcall_pending` of the virtual CPU has just become set: unblock it, interrupt it. */
  notify(domain: DomainId, vcpu: VcpuId): void;
  /** A port that the virtual CPU polls has become pending: it goes on. */
  wakePoller(domain: DomainId, vcpu: VcpuId): void;
  /** Takes a writable reference to a domain's frame, or answers `null` if it cannot be had. */
  takeFrame(domain: DomainId, frame: GuestFrame): MachineFrame | null;
  /** Gives back what {@link takeFrame} took. */
  dropFrame(domain: DomainId, frame: MachineFrame): void;
  /** Whether the policy allows it; left out, everything that the ABI allows is. */
  allows?(check: EventCheck): boolean;
}

/** Code in the hypervisor or in a modelled domain that hears a channel instead of a guest's upcall. */
export type EventConsumer = (domain: DomainId, vcpu: VcpuId, port: EventPort) => void;
