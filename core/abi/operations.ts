/**
 * Sub-operations of the hypercalls that have them, and their arguments.
 * Source: Xen 4.17's `vcpu.h`, `sched.h`, `memory.h`, `version.h`, `features.h`, `callback.h`, `physdev.h`.
 */

import { array, defineStruct, only } from "./struct_layout.ts";

/** Commands of `vcpu_op` (`VCPUOP_*`). */
export const VCPUOP = {
  initialise: 0,
  up: 1,
  down: 2,
  is_up: 3,
  get_runstate_info: 4,
  register_runstate_memory_area: 5,
  set_periodic_timer: 6,
  stop_periodic_timer: 7,
  set_singleshot_timer: 8,
  stop_singleshot_timer: 9,
  register_vcpu_info: 10,
  send_nmi: 11,
  get_physid: 12,
  register_vcpu_time_memory_area: 13,
} as const;

/** `VCPU_SSHOTTMR_future`: an instant in the past is -ETIME. */
export const VCPU_SSHOTTMR_future = 1;

/** Bit of `state_entry_time` that is set while the record is written (`XEN_RUNSTATE_UPDATE`). */
export const XEN_RUNSTATE_UPDATE: bigint = 1n << 63n;

export const vcpu_runstate_info = defineStruct("vcpu_runstate_info", { lp64: 48, ilp32: 44 }, {
  state: "u32",
  state_entry_time: "u64",
  time: array("u64", 4),
});

export const vcpu_set_periodic_timer = defineStruct("vcpu_set_periodic_timer", 8, {
  period_ns: "u64",
});

export const vcpu_set_singleshot_timer = defineStruct(
  "vcpu_set_singleshot_timer",
  { lp64: 16, ilp32: 12 },
  { timeout_abs_ns: "u64", flags: "u32" },
);

export const vcpu_register_vcpu_info = defineStruct("vcpu_register_vcpu_info", 16, {
  mfn: "u64",
  offset: "u32",
  rsvd: "u32",
});

/** Commands of `sched_op` (`SCHEDOP_*`). */
export const SCHEDOP = {
  yield: 0,
  block: 1,
  shutdown: 2,
  poll: 3,
  remote_shutdown: 4,
  shutdown_code: 5,
  watchdog: 6,
  pin_override: 7,
} as const;

/** Reasons for a shutdown (`SHUTDOWN_*`). */
export const SHUTDOWN = {
  poweroff: 0,
  reboot: 1,
  suspend: 2,
  crash: 3,
  watchdog: 4,
  soft_reset: 5,
} as const;
export type ShutdownReason = keyof typeof SHUTDOWN;

export const sched_watchdog = defineStruct("sched_watchdog", 8, { id: "u32", timeout: "u32" });

export const sched_poll = defineStruct("sched_poll", { lp64: 24, ilp32: 16 }, {
  ports: "handle",
  nr_ports: "u32",
  timeout: "u64",
});

/** Commands of `memory_op` (`XENMEM_*`). */
export const XENMEM = {
  increase_reservation: 0,
  decrease_reservation: 1,
  maximum_ram_page: 2,
  current_reservation: 3,
  maximum_reservation: 4,
  machphys_mfn_list: 5,
  populate_physmap: 6,
  add_to_physmap: 7,
  memory_map: 9,
  machine_memory_map: 10,
  exchange: 11,
  machphys_mapping: 12,
  set_memory_map: 13,
  maximum_gpfn: 14,
  remove_from_physmap: 15,
} as const;
/** The command is in the low bits of `memory_op`'s first argument; a continuation in those above. */
export const MEMOP_EXTENT_SHIFT = 6;

export const xen_memory_reservation = defineStruct(
  "xen_memory_reservation",
  { lp64: 32, ilp32: 20 },
  {
    extent_start: "handle",
    nr_extents: "ulong",
    extent_order: "u32",
    mem_flags: "u32",
    domid: "u16",
  },
);

export const xen_memory_exchange = defineStruct("xen_memory_exchange", { lp64: 72, ilp32: 44 }, {
  in: xen_memory_reservation,
  out: xen_memory_reservation,
  nr_exchanged: "ulong",
});

export const xen_machphys_mapping = defineStruct("xen_machphys_mapping", { lp64: 24, ilp32: 12 }, {
  v_start: "ulong",
  v_end: "ulong",
  max_mfn: "ulong",
});

export const xen_memory_map = defineStruct("xen_memory_map", { lp64: 16, ilp32: 8 }, {
  nr_entries: "u32",
  buffer: "handle",
});

/** An entry of `XENMEM_memory_map`: packed, in the format of the BIOS call E820. */
export const E820_ENTRY_BYTES = 20;
export const E820_RAM = 1;

/** Commands of `xen_version` (`XENVER_*`). */
export const XENVER = {
  version: 0,
  extraversion: 1,
  compile_info: 2,
  capabilities: 3,
  changeset: 4,
  platform_parameters: 5,
  get_features: 6,
  pagesize: 7,
  guest_handle: 8,
  commandline: 9,
  build_id: 10,
} as const;

/** Features by bit number (`XENFEAT_*`). */
export const XENFEAT = {
  writable_page_tables: 0,
  writable_descriptor_tables: 1,
  auto_translated_physmap: 2,
  supervisor_mode_kernel: 3,
  pae_pgdir_above_4gb: 4,
  mmu_pt_update_preserve_ad: 5,
  highmem_assist: 6,
  gnttab_map_avail_bits: 7,
  hvm_callback_vector: 8,
  hvm_safe_pvclock: 9,
  hvm_pirqs: 10,
  dom0: 11,
  grant_map_identity: 12,
  memory_op_vnode_supported: 13,
} as const;

/** Commands and types of `callback_op`. */
export const CALLBACKOP = { register: 0, unregister: 1 } as const;
export const CALLBACKTYPE = {
  event: 0,
  failsafe: 1,
  syscall: 2,
  sysenter_deprecated: 3,
  nmi: 4,
  sysenter: 5,
  syscall32: 7,
} as const;
/** `CALLBACKF_mask_events`: the callback begins with events masked. */
export const CALLBACKF_mask_events = 1;

/** `struct callback_register`; the `xen_callback_t` of 32-bit guests has a selector before the address. */
export const callback_register = defineStruct("callback_register", { lp64: 16, ilp32: 12 }, {
  type: "u16",
  flags: "u16",
  cs: only("ilp32", "ulong"),
  address: "ulong",
});

/** Commands of `physdev_op` that a domain without devices may use (`PHYSDEVOP_*`). */
export const PHYSDEVOP = {
  eoi: 12,
  set_iopl: 6,
  set_iobitmap: 7,
  apic_read: 8,
  apic_write: 9,
} as const;

/** `struct physdev_set_iobitmap`. */
export const physdev_set_iobitmap = defineStruct(
  "physdev_set_iobitmap",
  { lp64: 16, ilp32: 8 },
  { bitmap: "handle", nr_ports: "u32" },
);

/** Notes of a guest kernel's ELF image (`XEN_ELFNOTE_*` of `elfnote.h`). */
export const XEN_ELFNOTE = {
  INFO: 0,
  ENTRY: 1,
  HYPERCALL_PAGE: 2,
  VIRT_BASE: 3,
  PADDR_OFFSET: 4,
  XEN_VERSION: 5,
  GUEST_OS: 6,
  GUEST_VERSION: 7,
  LOADER: 8,
  PAE_MODE: 9,
  FEATURES: 10,
  BSD_SYMTAB: 11,
  HV_START_LOW: 12,
  L1_MFN_VALID: 13,
  SUSPEND_CANCEL: 14,
  INIT_P2M: 15,
  MOD_START_PFN: 16,
  SUPPORTED_FEATURES: 17,
  PHYS32_ENTRY: 18,
} as const;
