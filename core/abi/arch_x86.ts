/**
 * What is x86 about the ABI: selectors, trap tables, exception frames and a virtual CPU's initial state.
 * Source: Xen 4.17's `arch-x86/xen.h`, `arch-x86/xen-x86_64.h`, `arch-x86/cpuid.h`.
 */

import { defineStruct } from "./struct_layout.ts";

/** Selectors of the descriptors that every guest's GDT holds (`FLAT_*`, 64-bit guests). */
export const FLAT = {
  RING1_CS: 0xe019,
  RING1_DS: 0xe021,
  RING3_CS32: 0xe023,
  RING3_DS32: 0xe02b,
  RING3_CS64: 0xe033,
  RING3_SS64: 0xe02b,
  KERNEL_CS: 0xe033,
  KERNEL_SS: 0xe02b,
  USER_CS: 0xe033,
  USER_SS: 0xe02b,
} as const;

/** GDT frames that a guest may give, and the first entry that is the hypervisor's. */
export const FIRST_RESERVED_GDT_PAGE = 14;
export const FIRST_RESERVED_GDT_ENTRY: number = FIRST_RESERVED_GDT_PAGE * 512;

/** `vcpu_guest_context.flags` and `iret_context.flags` (`VGCF_*`). */
export const VGCF = {
  i387_valid: 0x1,
  in_kernel: 0x4,
  failsafe_disables_events: 0x8,
  syscall_disables_events: 0x10,
  online: 0x20,
  /** In `iret_context` alone: RCX and R11 need not be restored. */
  in_syscall: 0x100,
} as const;

/** What `set_segment_base` sets (`SEGBASE_*`). */
export const SEGBASE = { FS: 0, GS_USER: 1, GS_KERNEL: 2, GS_USER_SEL: 3 } as const;

/** `trap_info.flags`: privilege that INT n needs, and whether the handler begins with events masked. */
export const TI = { DPL_MASK: 3, EVENT_MASK: 4 } as const;

/** `struct trap_info`. */
export const trap_info = defineStruct("trap_info", { lp64: 16, ilp32: 8 }, {
  vector: "u8",
  flags: "u8",
  cs: "u16",
  address: "ulong",
});

/** `struct iret_context`: what lies on the stack at the hypercall `iret`. */
export const iret_context = defineStruct("iret_context", { lp64: 72, ilp32: 36 }, {
  rax: "ulong",
  r11: "ulong",
  rcx: "ulong",
  flags: "ulong",
  rip: "ulong",
  cs: "ulong",
  rflags: "ulong",
  rsp: "ulong",
  ss: "ulong",
});

/** Offsets in `struct cpu_user_regs` of 64-bit guests; each register takes eight bytes. */
export const CPU_USER_REGS = {
  r15: 0,
  r14: 8,
  r13: 16,
  r12: 24,
  rbp: 32,
  rbx: 40,
  r11: 48,
  r10: 56,
  r9: 64,
  r8: 72,
  rax: 80,
  rcx: 88,
  rdx: 96,
  rsi: 104,
  rdi: 112,
  rip: 128,
  cs: 136,
  rflags: 144,
  rsp: 152,
  ss: 160,
  es: 168,
  ds: 176,
  fs: 184,
  gs: 192,
} as const;

/** Bytes of `struct vcpu_guest_context` (64-bit), and where its parts begin. */
export const VCPU_GUEST_CONTEXT_BYTES = 5168;
export const VCPU_GUEST_CONTEXT = {
  fpu_ctxt: 0,
  flags: 512,
  user_regs: 520,
  trap_ctxt: 720,
  ldt_base: 4816,
  ldt_ents: 4824,
  gdt_frames: 4832,
  gdt_ents: 4960,
  kernel_ss: 4968,
  kernel_sp: 4976,
  ctrlreg: 4984,
  debugreg: 5048,
  event_callback_eip: 5112,
  failsafe_callback_eip: 5120,
  syscall_callback_eip: 5128,
  vm_assist: 5136,
  fs_base: 5144,
  gs_base_kernel: 5152,
  gs_base_user: 5160,
} as const;

/** The first CPUID leaf of the hypervisor, and its signature. */
export const XEN_CPUID_FIRST_LEAF = 0x4000_0000;
export const XEN_CPUID_SIGNATURE = "XenVMMXenVMM";

/** `ud2a; .ascii "xen"`: before CPUID it asks for the hypervisor's answer (`XEN_EMULATE_PREFIX`). */
export const XEN_EMULATE_PREFIX: readonly number[] = [0x0f, 0x0b, 0x78, 0x65, 0x6e];
