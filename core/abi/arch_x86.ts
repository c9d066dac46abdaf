/**
 * What is x86 about the ABI: selectors, trap tables, exception frames and a virtual CPU's initial state.
 * Source: Xen 4.17's `arch-x86/xen.h`, `arch-x86/xen-x86_64.h`, `arch-x86/xen-x86_32.h`, `arch-x86/cpuid.h`.
 */

import { array, defineStruct, only } from "./struct_layout.ts";

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

/** The same of 32-bit guests, whose kernel runs in ring 1. */
export const FLAT32 = {
  KERNEL_CS: 0xe019,
  KERNEL_DS: 0xe021,
  USER_CS: 0xe02b,
  USER_DS: 0xe033,
} as const;

/** The vector of hypercalls of 32-bit guests (`xen-x86_32.h`, "Hypercall interface"). */
export const HYPERCALL_VECTOR = 0x82;

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

/** `struct cpu_user_regs` of 64-bit guests; selectors are 16 bits wide, with padding behind them. */
export const CPU_USER_REGS_64 = defineStruct("cpu_user_regs", 200, {
  r15: "u64",
  r14: "u64",
  r13: "u64",
  r12: "u64",
  rbp: "u64",
  rbx: "u64",
  r11: "u64",
  r10: "u64",
  r9: "u64",
  r8: "u64",
  rax: "u64",
  rcx: "u64",
  rdx: "u64",
  rsi: "u64",
  rdi: "u64",
  error_code: "u32",
  entry_vector: "u32",
  rip: "u64",
  cs: "u64",
  rflags: "u64",
  rsp: "u64",
  ss: "u64",
  es: "u64",
  ds: "u64",
  fs: "u64",
  gs: "u64",
});

/** The same of 32-bit guests. */
export const CPU_USER_REGS_32 = defineStruct("cpu_user_regs", 68, {
  ebx: "u32",
  ecx: "u32",
  edx: "u32",
  esi: "u32",
  edi: "u32",
  ebp: "u32",
  eax: "u32",
  error_code: "u16",
  entry_vector: "u16",
  eip: "u32",
  cs: "u32",
  eflags: "u32",
  esp: "u32",
  ss: "u32",
  es: "u32",
  ds: "u32",
  fs: "u32",
  gs: "u32",
});

/** `struct vcpu_guest_context`. */
export const VCPU_GUEST_CONTEXT = defineStruct(
  "vcpu_guest_context",
  { lp64: 5168, ilp32: 2800 },
  {
    fpu_ctxt: array("u8", 512),
    flags: "ulong",
    user_regs: only("lp64", CPU_USER_REGS_64),
    user_regs_32: only("ilp32", CPU_USER_REGS_32),
    trap_ctxt: array(trap_info, 256),
    ldt_base: "ulong",
    ldt_ents: "ulong",
    gdt_frames: array("frame", 16),
    gdt_ents: "ulong",
    kernel_ss: "ulong",
    kernel_sp: "ulong",
    ctrlreg: array("ulong", 8),
    debugreg: array("ulong", 8),
    event_callback_cs: only("ilp32", "ulong"),
    event_callback_eip: "ulong",
    failsafe_callback_cs: only("ilp32", "ulong"),
    failsafe_callback_eip: "ulong",
    syscall_callback_eip: only("lp64", "ulong"),
    vm_assist: "ulong",
    fs_base: only("lp64", "u64"),
    gs_base_kernel: only("lp64", "u64"),
    gs_base_user: only("lp64", "u64"),
  },
);

/** The first CPUID leaf of the hypervisor, and its signature. */
export const XEN_CPUID_FIRST_LEAF = 0x4000_0000;
export const XEN_CPUID_SIGNATURE = "XenVMMXenVMM";

/** `ud2a; .ascii "xen"`: before CPUID it asks for the hypervisor's answer (`XEN_EMULATE_PREFIX`). */
export const XEN_EMULATE_PREFIX: readonly number[] = [0x0f, 0x0b, 0x78, 0x65, 0x6e];
