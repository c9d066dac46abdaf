/**
 * Numbers of the ABI that must not be mixed up: domains, virtual CPUs, event channels, grants, frames.
 *
 * Source of the reserved numbers: Xen 4.17's public headers `xen.h`, `event_channel.h`, `grant_table.h`.
 */

import type { Brand, DomainId, VcpuId } from "../lib/brand.ts";

export type { DomainId, VcpuId };

/** A number of a 4 KiB frame of machine memory (an MFN). */
export type MachineFrame = Brand<number, "MachineFrame">;
/** A frame number as a guest gives it (a GFN): an MFN from a paravirtual guest, else guest-physical. */
export type GuestFrame = Brand<number, "GuestFrame">;
/** An event channel of one domain (`evtchn_port_t`); 0 is never one. */
export type EventPort = Brand<number, "EventPort">;
/** An entry of a domain's grant table (`grant_ref_t`). */
export type GrantReference = Brand<number, "GrantReference">;
/** A mapping of somebody else's grant (`grant_handle_t`). */
export type GrantHandle = Brand<number, "GrantHandle">;

/** Domain ids with a meaning of their own. */
export const DOMID = {
  /** Ids from here on are no ordinary domain's. */
  FIRST_RESERVED: 0x7ff0 as DomainId,
  /** The caller. */
  SELF: 0x7ff0 as DomainId,
  /** Owner of I/O memory. */
  IO: 0x7ff1 as DomainId,
  /** Owner of the hypervisor's own frames that are shared with guests. */
  XEN: 0x7ff2 as DomainId,
  /** Owner of copy-on-write frames. */
  COW: 0x7ff3 as DomainId,
  /** Nobody. */
  INVALID: 0x7ff4 as DomainId,
  /** Whoever has nothing to run. */
  IDLE: 0x7fff as DomainId,
} as const;

/** Marks `value` as a domain's id. */
export function domainId(value: number): DomainId {
  return value as DomainId;
}

/** Marks `value` as a virtual CPU's number. */
export function vcpuId(value: number): VcpuId {
  return value as VcpuId;
}

/** Marks `value` as a machine frame number. */
export function machineFrame(value: number): MachineFrame {
  return value as MachineFrame;
}

/** Marks `value` as an event channel's number. */
export function eventPort(value: number): EventPort {
  return value as EventPort;
}

/** Marks `value` as a grant reference. */
export function grantReference(value: number): GrantReference {
  return value as GrantReference;
}
