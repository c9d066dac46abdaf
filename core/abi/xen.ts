/** What guest and hypervisor share about a domain and its memory. Source: Xen 4.17's `xen.h`. */

import { array, defineStruct } from "./struct_layout.ts";

/** What the low bits of `mmu_update.ptr` ask for (`MMU_*`). */
export const MMU = {
  NORMAL_PT_UPDATE: 0,
  MACHPHYS_UPDATE: 1,
  PT_UPDATE_PRESERVE_AD: 2,
  PT_UPDATE_NO_TRANSLATE: 3,
} as const;

/** Commands of `mmuext_op` (`MMUEXT_*`). */
export const MMUEXT = {
  PIN_L1_TABLE: 0,
  PIN_L2_TABLE: 1,
  PIN_L3_TABLE: 2,
  PIN_L4_TABLE: 3,
  UNPIN_TABLE: 4,
  NEW_BASEPTR: 5,
  TLB_FLUSH_LOCAL: 6,
  INVLPG_LOCAL: 7,
  TLB_FLUSH_MULTI: 8,
  INVLPG_MULTI: 9,
  TLB_FLUSH_ALL: 10,
  INVLPG_ALL: 11,
  FLUSH_CACHE: 12,
  SET_LDT: 13,
  NEW_USER_BASEPTR: 15,
  CLEAR_PAGE: 16,
  COPY_PAGE: 17,
  FLUSH_CACHE_GLOBAL: 18,
  MARK_SUPER: 19,
  UNMARK_SUPER: 20,
} as const;

/** `enum uvm_flags`: what to flush after `update_va_mapping`. */
export const UVMF = { TLB_FLUSH: 1, INVLPG: 2, FLUSHTYPE_MASK: 3, ALL: 4 } as const;

/** Commands and types of `vm_assist` (`VMASST_*`). */
export const VMASST_CMD = { enable: 0, disable: 1 } as const;
export const VMASST_TYPE = {
  "4gb_segments": 0,
  "4gb_segments_notify": 1,
  writable_pagetables: 2,
  pae_extended_cr3: 3,
  architectural_iopl: 4,
  runstate_update_flag: 5,
  m2p_strict: 32,
} as const;

/** Commands of `console_io` (`CONSOLEIO_*`). */
export const CONSOLEIO = { write: 0, read: 1 } as const;

/** `start_info.flags` (`SIF_*`). */
export const SIF = { PRIVILEGED: 1, INITDOMAIN: 2, MOD_START_PFN: 8, VIRT_P2M_4TOOLS: 16 } as const;

/** Virtual CPUs whose `vcpu_info` lies in the shared page; others must register one. */
export const XEN_LEGACY_MAX_VCPUS = 32;

/** `vcpu_time_info.flags`. */
export const XEN_PVCLOCK_TSC_STABLE_BIT = 1;

/** Layout of the hypervisor's part of a 64-bit guest's address space (`xen-x86_64.h`). */
export const HYPERVISOR_VIRT_START = -0x8000_0000_0000;
export const HYPERVISOR_VIRT_END = -0x7800_0000_0000;
/**
 * Where the hypervisor's part of a 32-bit guest's address space begins (`xen-x86_32.h`), and where the
 * machine-to-physical table in it could end (Xen's own choice for 32-bit guests of a 64-bit hypervisor).
 */
export const HYPERVISOR_VIRT_START_PAE = 0xf580_0000;
export const MACH2PHYS_VIRT_END_PAE = 0xffe0_0000;
/** Slots of a top-level table that belong to the hypervisor: first, and one after the last. */
export const ROOT_PAGETABLE_FIRST_XEN_SLOT = 256;
export const ROOT_PAGETABLE_END_XEN_SLOT = 272;

/** `struct mmu_update`. */
export const mmu_update = defineStruct("mmu_update", 16, { ptr: "u64", val: "u64" });

/** `struct mmuext_op`; the unions are named by their first members. */
export const mmuext_op = defineStruct("mmuext_op", { lp64: 24, ilp32: 12 }, {
  cmd: "u32",
  mfn: "ulong",
  nr_ents: "ulong",
});

/** `struct multicall_entry`. */
export const multicall_entry = defineStruct("multicall_entry", { lp64: 64, ilp32: 32 }, {
  op: "ulong",
  result: "ulong",
  args: array("ulong", 6),
});

/** `struct vcpu_time_info`. */
export const vcpu_time_info = defineStruct("vcpu_time_info", 32, {
  version: "u32",
  pad0: "u32",
  tsc_timestamp: "u64",
  system_time: "u64",
  tsc_to_system_mul: "u32",
  tsc_shift: "s8",
  flags: "u8",
  pad1: array("u8", 2),
});

/**
 * Offsets in `struct vcpu_info`, 64 bytes in both models: `arch_vcpu_info` begins with `cr2` and is padded so that
 * `time` lies at 32.
 */
export const VCPU_INFO = {
  lp64: { upcall_pending: 0, upcall_mask: 1, pending_sel: 8, cr2: 16, time: 32 },
  ilp32: { upcall_pending: 0, upcall_mask: 1, pending_sel: 4, cr2: 8, time: 32 },
} as const;
export const VCPU_INFO_BYTES = 64;

/** Offsets in `struct shared_info`, wall clock and `arch_shared_info` in place. */
export const SHARED_INFO = {
  lp64: {
    vcpu_info: 0,
    evtchn_pending: 2048,
    evtchn_mask: 2560,
    wc_version: 3072,
    wc_sec: 3076,
    wc_nsec: 3080,
    wc_sec_hi: 3084,
    max_pfn: 3088,
    pfn_to_mfn_frame_list_list: 3096,
  },
  ilp32: {
    vcpu_info: 0,
    evtchn_pending: 2048,
    evtchn_mask: 2176,
    wc_version: 2304,
    wc_sec: 2308,
    wc_nsec: 2312,
    wc_sec_hi: 2340,
    max_pfn: 2316,
    pfn_to_mfn_frame_list_list: 2320,
  },
} as const;

/** `struct start_info`; the console's union is that of a domain other than 0. */
export const start_info = defineStruct("start_info", { lp64: 1168, ilp32: 1112 }, {
  magic: array("u8", 32),
  nr_pages: "ulong",
  shared_info: "ulong",
  flags: "u32",
  store_mfn: "frame",
  store_evtchn: "u32",
  console_mfn: "frame",
  console_evtchn: "u32",
  pt_base: "ulong",
  nr_pt_frames: "ulong",
  mfn_list: "ulong",
  mod_start: "ulong",
  mod_len: "ulong",
  cmd_line: array("u8", 1024),
  first_p2m_pfn: "ulong",
  nr_p2m_frames: "ulong",
});
