/** `VCPUOP_initialise` and the start of a domain: a `vcpu_guest_context` becomes a virtual CPU's state. */

import { CPU_USER_REGS, VCPU_GUEST_CONTEXT, VGCF } from "../../abi/arch_x86.ts";
import { ERRNO, type Errno } from "../../abi/errno.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Cr0 } from "../../x86/state/bits.ts";
import { Eflags } from "../../x86/state/bits.ts";
import { openCpuState } from "../../x86/state/cpu_state.ts";
import { GENERAL_REGISTERS } from "../../x86/state/layout.ts";
import { writeFlags } from "../../x86/system/mod.ts";
import { linearNumber } from "../memory/guest_access.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { Vcpu } from "../vcpu.ts";
import { GUEST_CR4, initialRegisters } from "./cpu_context.ts";
import type { GuestTables } from "./guest_tables.ts";

const VECTORS = 256;
const TRAP_BYTES = 16;
const GDT_FRAMES = 16;
const ALL_FLAGS = 0x3f7fd5;
const ENTRIES_PER_PAGE = 512;
const IOPL_SHIFT = 12;
/** Frame of a top-level table in the image of CR3. */
const CR3_SHIFT = 12n;

/** What the start of a virtual CPU needs. */
export interface GuestContextParts {
  readonly tables: GuestTables;
  readonly map: MachineMap;
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
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = VCPU_GUEST_CONTEXT;
  const long = (offset: number) => view.getBigUint64(offset, true);
  const address = (offset: number) => linearNumber(long(offset));
  const failed = loadTables(tables, vcpu, long);
  if (failed !== 0) return failed;
  initialRegisters(cpu, vcpu.registers, map.gdtAddress(vcpu.id));
  const state = openCpuState(vcpu.registers.buffer as ArrayBuffer, 0);
  const user = (name: keyof typeof CPU_USER_REGS) => long(at.user_regs + CPU_USER_REGS[name]);
  for (const name of GENERAL_REGISTERS) state[name] = user(name);
  state.rip = user("rip");
  const flags = Number(user("rflags") & 0xffff_ffffn);
  vcpu.iopl = (flags >>> IOPL_SHIFT) & 3;
  writeFlags(state, (flags & ~(Eflags.IOPL | Eflags.VM)) | Eflags.IF, ALL_FLAGS);
  state.cr3 = BigInt(vcpu.root!) << CR3_SHIFT;
  state.fsBase = long(at.fs_base);
  state.gsBase = long(at.gs_base_kernel);
  state.kernelGsBase = long(at.gs_base_user);
  vcpu.kernelMode = true;
  vcpu.kernelStack = address(at.kernel_sp);
  vcpu.cr4 = Number(long(at.ctrlreg + 32)) & GUEST_CR4;
  vcpu.taskSwitched = (Number(long(at.ctrlreg)) & Cr0.TS) !== 0;
  for (let vector = 0; vector < VECTORS; vector++) {
    const entry = at.trap_ctxt + vector * TRAP_BYTES;
    vcpu.traps[vector] = {
      address: address(entry + 8),
      cs: view.getUint16(entry + 2, true) | 3,
      flags: view.getUint8(entry + 1),
    };
  }
  const contextFlags = view.getUint32(at.flags, true);
  vcpu.callbacks.event = { address: address(at.event_callback_eip), masksEvents: true };
  vcpu.callbacks.failsafe = {
    address: address(at.failsafe_callback_eip),
    masksEvents: (contextFlags & VGCF.failsafe_disables_events) !== 0,
  };
  vcpu.callbacks.syscall = {
    address: address(at.syscall_callback_eip),
    masksEvents: (contextFlags & VGCF.syscall_disables_events) !== 0,
  };
  vcpu.initialised = true;
  return 0;
}

/** The top-level table and the descriptor tables. */
function loadTables(
  tables: GuestTables,
  vcpu: Vcpu,
  long: (offset: number) => bigint,
): 0 | Errno {
  const at = VCPU_GUEST_CONTEXT;
  const entries = Number(long(at.gdt_ents) & 0xffff_ffffn);
  const count = Math.ceil(entries / ENTRIES_PER_PAGE);
  if (count > GDT_FRAMES) return ERRNO.EINVAL;
  const frames = Array.from({ length: count }, (_, i) => Number(long(at.gdt_frames + 8 * i)));
  const root = Number(long(at.ctrlreg + 24) >> CR3_SHIFT);
  const userRoot = Number(long(at.ctrlreg + 8) >> CR3_SHIFT);
  return tables.setGdt(vcpu, frames, entries) || tables.setRoot(vcpu, root) ||
    (userRoot === 0 ? 0 : tables.setUserRoot(vcpu, userRoot)) ||
    tables.setLdt(vcpu, linearNumber(long(at.ldt_base)), Number(long(at.ldt_ents)));
}
