/**
 * Grant tables: entries, operations, their structures and status codes.
 *
 * Source: Xen 4.17's public header `grant_table.h`. Version 1 of the table only.
 */

import type { Brand } from "../lib/brand.ts";
import { defineStruct } from "./struct_layout.ts";

/** Sub-operations of `HYPERVISOR_grant_table_op`. */
export const GNTTABOP = {
  map_grant_ref: 0,
  unmap_grant_ref: 1,
  setup_table: 2,
  dump_table: 3,
  transfer: 4,
  copy: 5,
  query_size: 6,
  unmap_and_replace: 7,
  set_version: 8,
  get_status_frames: 9,
  get_version: 10,
  swap_grant_ref: 11,
  cache_flush: 12,
} as const;

/** What a grant operation reports in its structure: 0 or negative. */
export type GrantStatus = Brand<number, "GrantStatus">;

/** Status codes by name. */
export const GNTST = {
  okay: 0 as GrantStatus,
  general_error: -1 as GrantStatus,
  bad_domain: -2 as GrantStatus,
  bad_gntref: -3 as GrantStatus,
  bad_handle: -4 as GrantStatus,
  bad_virt_addr: -5 as GrantStatus,
  bad_dev_addr: -6 as GrantStatus,
  no_device_space: -7 as GrantStatus,
  permission_denied: -8 as GrantStatus,
  bad_page: -9 as GrantStatus,
  bad_copy_arg: -10 as GrantStatus,
  address_too_big: -11 as GrantStatus,
  eagain: -12 as GrantStatus,
  no_space: -13 as GrantStatus,
} as const;

/** Bits of an entry's flags: its type, what the guest allows, what the hypervisor reports. */
export const GTF = {
  invalid: 0,
  permit_access: 1,
  accept_transfer: 2,
  transitive: 3,
  type_mask: 3,
  /** permit_access: no writing. */
  readonly: 1 << 2,
  /** permit_access: mapped or being copied from at present. */
  reading: 1 << 3,
  /** permit_access: mapped for writing or being copied to at present. */
  writing: 1 << 4,
  /** permit_access: copies only, no mapping. */
  sub_page: 1 << 8,
  /** accept_transfer: the guest leaves the entry alone from now on. */
  transfer_committed: 1 << 2,
  /** accept_transfer: the frame is there. */
  transfer_completed: 1 << 3,
} as const;

/** An entry of the table that a guest shares with the hypervisor. */
export const GRANT_ENTRY_V1 = defineStruct("grant_entry_v1", 8, {
  flags: "u16",
  domid: "u16",
  frame: "u32",
});

/** Entries in a frame of the table. */
export const ENTRIES_PER_FRAME = 4096 / GRANT_ENTRY_V1.sizeBytes();
/** Entries that tools fill in before the guest starts. */
export const GNTTAB_RESERVED = { CONSOLE: 0, XENSTORE: 1, count: 8 } as const;

/** Flags of `gnttab_map_grant_ref`. */
export const GNTMAP = {
  device_map: 1 << 0,
  host_map: 1 << 1,
  readonly: 1 << 2,
  application_map: 1 << 3,
  contains_pte: 1 << 4,
  guest_avail_shift: 16,
} as const;

/** Flags of `gnttab_copy`: which side is a grant reference. */
export const GNTCOPY = { source_gref: 1 << 0, dest_gref: 1 << 1 } as const;

const COPY_PTR = defineStruct("gnttab_copy_ptr", { lp64: 16, ilp32: 8 }, {
  /** The union of a grant reference (low 32 bits) and a frame number. */
  u: "frame",
  domid: "u16",
  offset: "u16",
});

/** The structures of the sub-operations by name. */
export const GNTTAB_STRUCTS = {
  map_grant_ref: defineStruct("gnttab_map_grant_ref", 32, {
    host_addr: "u64",
    flags: "u32",
    ref: "u32",
    dom: "u16",
    status: "s16",
    handle: "u32",
    dev_bus_addr: "u64",
  }),
  unmap_grant_ref: defineStruct("gnttab_unmap_grant_ref", 24, {
    host_addr: "u64",
    dev_bus_addr: "u64",
    handle: "u32",
    status: "s16",
  }),
  setup_table: defineStruct("gnttab_setup_table", { lp64: 24, ilp32: 16 }, {
    dom: "u16",
    nr_frames: "u32",
    status: "s16",
    frame_list: "handle",
  }),
  transfer: defineStruct("gnttab_transfer", { lp64: 24, ilp32: 16 }, {
    mfn: "frame",
    domid: "u16",
    ref: "u32",
    status: "s16",
  }),
  copy: defineStruct("gnttab_copy", { lp64: 40, ilp32: 24 }, {
    source: COPY_PTR,
    dest: COPY_PTR,
    len: "u16",
    flags: "u16",
    status: "s16",
  }),
  query_size: defineStruct("gnttab_query_size", 16, {
    dom: "u16",
    nr_frames: "u32",
    max_nr_frames: "u32",
    status: "s16",
  }),
  unmap_and_replace: defineStruct("gnttab_unmap_and_replace", 24, {
    host_addr: "u64",
    new_addr: "u64",
    handle: "u32",
    status: "s16",
  }),
  set_version: defineStruct("gnttab_set_version", 4, { version: "u32" }),
  get_status_frames: defineStruct("gnttab_get_status_frames", { lp64: 16, ilp32: 12 }, {
    nr_frames: "u32",
    dom: "u16",
    status: "s16",
    frame_list: "handle",
  }),
  get_version: defineStruct("gnttab_get_version", 8, { dom: "u16", pad: "u16", version: "u32" }),
  swap_grant_ref: defineStruct("gnttab_swap_grant_ref", 12, {
    ref_a: "u32",
    ref_b: "u32",
    status: "s16",
  }),
} as const;

const STATUS_NAMES = new Map<number, string>(
  Object.entries(GNTST).map(([name, value]): [number, string] => [value, name]),
);

/** The name of a status code, for traces and messages. */
export function grantStatusName(status: number): string {
  return STATUS_NAMES.get(status) ?? String(status);
}
