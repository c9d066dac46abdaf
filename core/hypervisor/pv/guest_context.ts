/** `VCPUOP_initialise` and the start of a domain: a `vcpu_guest_context` becomes a virtual CPU's state. */

import { VCPU_GUEST_CONTEXT, VGCF } from "../../abi/arch_x86.ts";
import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { ValueOf } from "../../abi/struct_layout.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Cr0, Eflags } from "../../x86/state/bits.ts";
import { type CpuState, openCpuState } from "../../x86/state/cpu_state.ts";
import { GENERAL_REGISTERS } from "../../x86/state/layout.ts";
import { writeFlags } from "../../x86/system/mod.ts";
import {
  attributesOf,
  dplOf,
  installDescriptor,
  installNull,
  isCode,
  isWritableData,
  Segment,
} from "../../x86/system/segment_fields.ts";
import { linearNumber } from "../memory/guest_access.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { Vcpu } from "../vcpu.ts";
import { GUEST_CR4, initialRegisters } from "./cpu_context.ts";
import type { GuestTables } from "./guest_tables.ts";
import { ALL_FLAGS, IOPL_SHIFT } from "./kernel_switch.ts";
import { guestSelector } from "./ring_switch.ts";

const ENTRIES_PER_PAGE = 512;
/** Frame of a top-level table in the image of CR3. */
const CR3_SHIFT = 12n;
/** `xen_pfn_to_cr3` of 32-bit guests: a rotation, so that frames above 4 GiB fit. */
const PAE_CR3_ROTATION = 20;
/** The segment registers of a 32-bit guest by their fields in `cpu_user_regs`. */
const DATA_SEGMENTS = [
  ["ds", Segment.ds],
  ["es", Segment.es],
  ["fs", Segment.fs],
  ["gs", Segment.gs],
] as const;

/** The registers that a 32-bit guest has. */
const NARROW_REGISTERS = [
  ["rax", "eax"],
  ["rcx", "ecx"],
  ["rdx", "edx"],
  ["rbx", "ebx"],
  ["rbp", "ebp"],
  ["rsi", "esi"],
  ["rdi", "edi"],
  ["rsp", "esp"],
  ["rip", "eip"],
] as const;

type Context = ValueOf<typeof VCPU_GUEST_CONTEXT>;

/** What the start of a virtual CPU needs. */
export interface GuestContextParts {
  readonly tables: GuestTables;
  readonly map: MachineMap;
}

/** The frame that a 32-bit guest's image of CR3 names (`xen_cr3_to_pfn`). */
export function frameOfPaeCr3(cr3: number): number {
  return ((cr3 >>> (32 - PAE_CR3_ROTATION)) | (cr3 << PAE_CR3_ROTATION)) >>> 0;
}

/** The image of CR3 by which a 32-bit guest knows a frame (`xen_pfn_to_cr3`). */
export function paeCr3Of(frame: number): number {
  return ((frame << (32 - PAE_CR3_ROTATION)) | (frame >>> PAE_CR3_ROTATION)) >>> 0;
}

/**
 * Gives a virtual CPU its first state from the bytes of a `vcpu_guest_context`. `cpu` is any CPU of the machine:
 * its model counts. Returns 0, or an error number with nothing changed but references that the next attempt drops.
 */
export function initialiseVcpu(
  { tables, map }: GuestContextParts,
  cpu: Cpu,
  vcpu: Vcpu,
  bytes: Uint8Array,
): 0 | Errno {
  const { model } = vcpu.domain;
  const context = VCPU_GUEST_CONTEXT.read(bytes, 0, model);
  const failed = loadTables(tables, vcpu, context);
  if (failed !== 0) return failed;
  initialRegisters(cpu, vcpu.registers, model, map.gdtAddress(vcpu.id));
  const state = openCpuState(vcpu.registers.buffer as ArrayBuffer, 0);
  const fits = model === "lp64"
    ? setWideRegisters(state, context)
    : setNarrowRegisters(state, context, vcpu, map);
  if (!fits) return ERRNO.EINVAL;
  const flags = model === "lp64"
    ? Number(context.user_regs.rflags & 0xffff_ffffn)
    : context.user_regs_32.eflags;
  vcpu.iopl = (flags >>> IOPL_SHIFT) & 3;
  writeFlags(state, (flags & ~(Eflags.IOPL | Eflags.VM)) | Eflags.IF, ALL_FLAGS);
  state.cr3 = BigInt(tables.baseOf(vcpu, vcpu.root!)) << CR3_SHIFT;
  setHandlers(vcpu, context);
  vcpu.kernelMode = true;
  vcpu.kernelStack = linearNumber(context.kernel_sp);
  vcpu.kernelStackSelector = guestSelector(Number(context.kernel_ss & 0xffffn));
  vcpu.cr4 = Number(context.ctrlreg[4] & 0xffff_ffffn) & GUEST_CR4;
  vcpu.taskSwitched = (Number(context.ctrlreg[0] & 0xffff_ffffn) & Cr0.TS) !== 0;
  vcpu.initialised = true;
  return 0;
}

function setWideRegisters(state: CpuState, context: Context): true {
  const { user_regs } = context;
  for (const name of GENERAL_REGISTERS) state[name] = user_regs[name];
  state.rip = user_regs.rip;
  state.fsBase = context.fs_base;
  state.gsBase = context.gs_base_kernel;
  state.kernelGsBase = context.gs_base_user;
  return true;
}

/** A 32-bit guest's registers, and the segments that its selectors name; false if it could not run with them. */
function setNarrowRegisters(
  state: CpuState,
  context: Context,
  vcpu: Vcpu,
  map: MachineMap,
): boolean {
  const given = context.user_regs_32;
  for (const [wide, narrow] of NARROW_REGISTERS) state[wide] = BigInt(given[narrow]);
  const cs = guestSelector(given.cs);
  const ss = guestSelector(given.ss);
  const code = map.gdtDescriptor(vcpu.domain.area, vcpu.id, cs);
  const stack = map.gdtDescriptor(vcpu.domain.area, vcpu.id, ss);
  const level = cs & 3;
  const fits = isCode(attributesOf(code)) && dplOf(attributesOf(code)) === level &&
    isWritableData(attributesOf(stack)) && dplOf(attributesOf(stack)) === level &&
    (ss & 3) === level;
  if (!fits) return false;
  state.cpl = level;
  installDescriptor(state, Segment.cs, cs, code);
  installDescriptor(state, Segment.ss, ss, stack);
  for (const [name, index] of DATA_SEGMENTS) {
    const selector = given[name] & 0xffff;
    const data = map.gdtDescriptor(vcpu.domain.area, vcpu.id, selector);
    const usable = isWritableData(attributesOf(data)) && dplOf(attributesOf(data)) >= level;
    if (usable) installDescriptor(state, index, selector, data);
    else installNull(state, index, 0);
  }
  return true;
}

function setHandlers(vcpu: Vcpu, context: Context): void {
  context.trap_ctxt.forEach((trap, vector) => {
    vcpu.traps[vector] = {
      address: linearNumber(trap.address),
      cs: handlerSelector(vcpu, trap.cs),
      flags: trap.flags,
    };
  });
  const flags = Number(context.flags & 0xffff_ffffn);
  vcpu.callbacks.event = {
    cs: guestSelector(Number(context.event_callback_cs)),
    address: linearNumber(context.event_callback_eip),
    masksEvents: true,
  };
  vcpu.callbacks.failsafe = {
    cs: guestSelector(Number(context.failsafe_callback_cs)),
    address: linearNumber(context.failsafe_callback_eip),
    masksEvents: (flags & VGCF.failsafe_disables_events) !== 0,
  };
  vcpu.callbacks.syscall = {
    cs: 0,
    address: linearNumber(context.syscall_callback_eip),
    masksEvents: (flags & VGCF.syscall_disables_events) !== 0,
  };
}

/** A trap handler's selector as the guest may have it: ring 3 alone in a 64-bit guest. */
export function handlerSelector({ domain }: Vcpu, selector: number): number {
  return domain.model === "lp64" ? selector | 3 : guestSelector(selector);
}

/** The top-level table and the descriptor tables. */
function loadTables(tables: GuestTables, vcpu: Vcpu, context: Context): 0 | Errno {
  const entries = Number(context.gdt_ents & 0xffff_ffffn);
  const count = Math.ceil(entries / ENTRIES_PER_PAGE);
  if (count > context.gdt_frames.length) return ERRNO.EINVAL;
  const [, cr1, , cr3] = context.ctrlreg;
  const wide = vcpu.domain.model === "lp64";
  const root = wide ? Number(cr3 >> CR3_SHIFT) : frameOfPaeCr3(Number(cr3));
  const userRoot = wide ? Number(cr1 >> CR3_SHIFT) : 0;
  return tables.setGdt(vcpu, context.gdt_frames.slice(0, count), entries) ||
    tables.setRoot(vcpu, root) ||
    (userRoot === 0 ? 0 : tables.setUserRoot(vcpu, userRoot)) ||
    tables.setLdt(vcpu, linearNumber(context.ldt_base), Number(context.ldt_ents));
}
