/**
 * The virtual CPU's own registers and tables: `set_trap_table`, `set_gdt`, `update_descriptor`, `stack_switch`,
 * `set_callbacks`, `callback_op`, `fpu_taskswitch`, `set_segment_base`, debug registers, `vm_assist`.
 * Source: Xen 4.17's `arch-x86/xen.h`, `callback.h`, `xen.h`.
 */

import {
  FIRST_RESERVED_GDT_ENTRY,
  FLAT,
  FLAT32,
  SEGBASE,
  TI,
  trap_info,
} from "../../abi/arch_x86.ts";
import { ERRNO } from "../../abi/errno.ts";
import {
  callback_register,
  CALLBACKF_mask_events,
  CALLBACKOP,
  CALLBACKTYPE,
  physdev_set_iobitmap,
  PHYSDEVOP,
} from "../../abi/operations.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import { VMASST_CMD, VMASST_TYPE } from "../../abi/xen.ts";
import { GUEST_FAULT } from "../../x86/cpu.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import { watchBreakpoints } from "../../x86/system/debug_registers.ts";
import { isCanonical } from "../../x86/system/memory_access.ts";
import { loadSegment } from "../../x86/system/mod.ts";
import { Segment } from "../../x86/system/segment_fields.ts";
import { linearNumber } from "../memory/guest_access.ts";
import { handlerSelector } from "../pv/guest_context.ts";
import { setTaskSwitched } from "../pv/privileged.ts";
import { guestSelector } from "../pv/ring_switch.ts";
import type { Domain } from "../domain.ts";
import {
  type CallbackName,
  NMI_VECTOR,
  NO_CALLBACK,
  NO_HANDLER,
  type TrapHandler,
} from "../vcpu.ts";
import type { Hypercall } from "./caller.ts";
import { LongList, readStruct } from "./structures.ts";

const VECTORS = 256;
const ENTRIES_PER_PAGE = 512;

/** `set_trap_table`: entries up to one without an address; none at all clears the table. */
export const setTrapTable: Hypercall = (caller, args) => {
  const { vcpu, domain } = caller;
  const bytes = trap_info.sizeBytes(domain.model);
  let at = args.number(0);
  if (at === 0) {
    vcpu.traps.fill({ address: 0, cs: 0, flags: 0 } satisfies TrapHandler);
    return 0;
  }
  // A vector may be given more than once, but no table has more entries than this.
  for (let i = 0; i <= VECTORS; i++, at += bytes) {
    const entry = readStruct(caller, trap_info, at);
    if (entry === null) return ERRNO.EFAULT;
    const address = linearNumber(entry.address);
    if (address === 0) return 0;
    if (!mayBeHandler(domain, address)) return ERRNO.EINVAL;
    const cs = handlerSelector(vcpu, entry.cs);
    vcpu.traps[entry.vector] = { address, cs, flags: entry.flags };
  }
  return ERRNO.EINVAL;
};

/** A 64-bit guest's handlers have canonical addresses; what a 32-bit one's segments allow shows when they are entered. */
function mayBeHandler({ space }: Domain, address: number): boolean {
  return space.model === "ilp32" || space.mayName(address);
}

/** `set_gdt`: address of the frame list, number of entries. */
export const setGdt: Hypercall = (caller, args) => {
  const { hypervisor, vcpu } = caller;
  const entries = args.u32(1);
  if (entries > FIRST_RESERVED_GDT_ENTRY) return ERRNO.EINVAL;
  const count = Math.ceil(entries / ENTRIES_PER_PAGE);
  const frames = new LongList(caller, args.number(0)).take(count);
  if (frames === null) return ERRNO.EFAULT;
  const failed = hypervisor.tables.setGdt(vcpu, frames, entries);
  // Descriptors may be cached by the CPU as translations of the old pages.
  if (failed === 0) hypervisor.flushDomain(vcpu.domain);
  return failed;
};

/** `update_descriptor`: machine address, descriptor. */
export const updateDescriptor: Hypercall = ({ hypervisor, domain }, args) => {
  const frame = (args.high(0) >>> 0) * 0x10_0000 + (args.u32(0) >>> 12);
  const offset = args.u32(0) & 0xfff;
  return hypervisor.tables.updateDescriptor(domain, frame, offset, args.low(1), args.high(1));
};

/** `stack_switch`: SS (which a 64-bit kernel does not need), stack pointer. */
export const stackSwitch: Hypercall = ({ vcpu }, args) => {
  vcpu.kernelStackSelector = guestSelector(args.u32(0));
  vcpu.kernelStack = args.number(1);
  return 0;
};

/** `set_callbacks`: event, failsafe and, of 64-bit guests, system-call handlers; 32-bit ones give selectors with them. */
export const setCallbacks: Hypercall = ({ vcpu: { callbacks }, domain }, args) => {
  const put = (name: CallbackName, cs: number, address: number) => {
    callbacks[name] = { ...callbacks[name], cs, address };
  };
  if (domain.model === "ilp32") {
    put("event", guestSelector(args.u32(0)), args.u32(1));
    put("failsafe", guestSelector(args.u32(2)), args.u32(3));
  } else {
    (["event", "failsafe", "syscall"] as const).forEach((name, n) => put(name, 0, args.number(n)));
  }
  return 0;
};

const KERNEL_CS: Readonly<Record<DataModel, number>> = {
  lp64: FLAT.KERNEL_CS,
  ilp32: FLAT32.KERNEL_CS,
};

/** Callbacks by their numbers. */
const CALLBACK_NAMES: ReadonlyMap<number, CallbackName> = new Map<number, CallbackName>([
  [CALLBACKTYPE.event, "event"],
  [CALLBACKTYPE.failsafe, "failsafe"],
  [CALLBACKTYPE.syscall, "syscall"],
  [CALLBACKTYPE.syscall32, "syscall32"],
  [CALLBACKTYPE.sysenter, "sysenter"],
]);

/** `callback_op`: command, argument. */
export const callbackOp: Hypercall = (caller, args) => {
  const { callbacks } = caller.vcpu;
  switch (args.u32(0)) {
    case CALLBACKOP.register: {
      const given = readStruct(caller, callback_register, args.number(1));
      if (given === null) return ERRNO.EFAULT;
      const name = CALLBACK_NAMES.get(given.type);
      const nmi = given.type === CALLBACKTYPE.nmi;
      if (name === undefined && !nmi) return ERRNO.ENOSYS;
      const address = linearNumber(given.address);
      if (!mayBeHandler(caller.domain, address)) return ERRNO.EINVAL;
      if (name === undefined) {
        // NMIs come through the trap table, to the kernel's own code segment.
        const cs = KERNEL_CS[caller.domain.model];
        caller.vcpu.traps[NMI_VECTOR] = { address, cs, flags: TI.EVENT_MASK };
        return 0;
      }
      const cs = guestSelector(Number(given.cs));
      callbacks[name] = { cs, address, masksEvents: (given.flags & CALLBACKF_mask_events) !== 0 };
      return 0;
    }
    case CALLBACKOP.unregister: {
      const bytes = new Int32Array(1);
      if (!caller.guest.readWords(args.number(1), bytes, 1)) return ERRNO.EFAULT;
      const type = bytes[0] & 0xffff;
      if (type === CALLBACKTYPE.nmi) {
        caller.vcpu.traps[NMI_VECTOR] = NO_HANDLER;
        return 0;
      }
      const name = CALLBACK_NAMES.get(type);
      // The others cannot be done without.
      if (name !== "sysenter" && name !== "syscall32") return ERRNO.EINVAL;
      callbacks[name] = NO_CALLBACK;
      return 0;
    }
    default:
      return ERRNO.ENOSYS;
  }
};

/** `fpu_taskswitch`: 1 sets CR0.TS, 0 clears it. */
export const fpuTaskswitch: Hypercall = ({ cpu, vcpu }, args) => {
  setTaskSwitched(cpu, vcpu, args.low(0) !== 0);
  return 0;
};

const FS_BASE = offsetOf("fsBase");
const GS_BASE = offsetOf("gsBase");
const KERNEL_GS_BASE = offsetOf("kernelGsBase");

/** `set_segment_base`: which, base. The programs' GS base waits in KERNEL_GS_BASE while the kernel runs. */
export const setSegmentBase: Hypercall = ({ cpu, domain }, args) => {
  if (domain.model === "ilp32") return ERRNO.ENOSYS;
  const { state } = cpu;
  const which = args.u32(0);
  if (which === SEGBASE.GS_USER_SEL) return loadUserGs(cpu, args.u32(1) & 0xffff);
  const field = [FS_BASE, KERNEL_GS_BASE, GS_BASE][which];
  if (field === undefined || !isCanonical(args.high(1))) return ERRNO.EINVAL;
  state.setHalves(field, args.low(1), args.high(1));
  return 0;
};

/** Loads GS with a selector as if a program did: its base becomes the programs' one, the kernel's stays. */
function loadUserGs(cpu: Parameters<typeof loadSegment>[0], selector: number): number {
  const { state } = cpu;
  const { status } = state;
  const [low, high] = [state.low(GS_BASE), state.high(GS_BASE)];
  try {
    loadSegment(cpu, Segment.gs, selector === 0 ? 0 : selector | 3);
  } catch (error) {
    if (error !== GUEST_FAULT) throw error;
    state.status = status;
    // As Xen does: a selector that cannot be loaded becomes null, and that is no error.
    loadSegment(cpu, Segment.gs, 0);
  }
  state.setHalves(KERNEL_GS_BASE, state.low(GS_BASE), state.high(GS_BASE));
  state.setHalves(GS_BASE, low, high);
  return 0;
}

const DEBUG_ADDRESSES = (["dr0", "dr1", "dr2", "dr3"] as const).map((name) => offsetOf(name));
/** Bits of DR7 that exist, without GD; bit 10 is always set. */
const DR7_ALLOWED = 0xffff_03ff;
const DR7_FIXED = 0x400;
const DR6_FIXED = 0xffff_0ff0;

/** `set_debugreg`: number, value. */
export const setDebugreg: Hypercall = ({ cpu }, args) => {
  const { state } = cpu;
  const number = args.u32(0);
  switch (number) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (!isCanonical(args.high(1))) return ERRNO.EPERM;
      state.setHalves(DEBUG_ADDRESSES[number], args.low(1), args.high(1));
      break;
    case 4:
    case 6:
      if (args.high(1) !== 0) return ERRNO.EINVAL;
      state.dr6 = ((args.u32(1) & 0xe00f) | DR6_FIXED) >>> 0;
      break;
    case 5:
    case 7:
      if (args.high(1) !== 0) return ERRNO.EINVAL;
      state.dr7 = ((args.u32(1) & DR7_ALLOWED) | DR7_FIXED) >>> 0;
      break;
    default:
      return ERRNO.ENODEV;
  }
  watchBreakpoints(cpu);
  return 0;
};

/** `get_debugreg`: number; the result is the value. */
export const getDebugreg: Hypercall = ({ cpu: { state } }, args) => {
  const number = args.u32(0);
  switch (number) {
    case 0:
    case 1:
    case 2:
    case 3:
      return state.high(DEBUG_ADDRESSES[number]) * 0x1_0000_0000 +
        (state.low(DEBUG_ADDRESSES[number]) >>> 0);
    case 4:
    case 6:
      return state.dr6;
    case 5:
    case 7:
      return state.dr7;
    default:
      return ERRNO.ENODEV;
  }
};

/** Assists that a guest can have: those whose numbers are bits of its longs. Some ask for what is always so. */
const VALID_ASSISTS: Readonly<Record<DataModel, ReadonlySet<number>>> = {
  lp64: new Set(Object.values(VMASST_TYPE)),
  ilp32: new Set(Object.values(VMASST_TYPE).filter((type) => type < 32)),
};

/** `vm_assist`: command, type. */
export const vmAssist: Hypercall = ({ domain }, args) => {
  const type = args.u32(1);
  if (!VALID_ASSISTS[domain.model].has(type)) return ERRNO.EINVAL;
  switch (args.u32(0)) {
    case VMASST_CMD.enable:
      domain.vmAssist |= 1n << BigInt(type);
      return 0;
    case VMASST_CMD.disable:
      domain.vmAssist &= ~(1n << BigInt(type));
      return 0;
    default:
      return ERRNO.ENOSYS;
  }
};

/** Ports that there are: bits of an I/O permission bitmap. */
const IO_PORTS = 0x1_0000;

/**
 * `physdev_op`: what a domain without devices may do; all else is refused. A bitmap for its programs is taken, and lets
 * them use those ports that the domain itself may use: none.
 */
export const physdevOp: Hypercall = (caller, args) => {
  const { vcpu, guest } = caller;
  if (args.u32(0) === PHYSDEVOP.set_iobitmap) {
    const given = readStruct(caller, physdev_set_iobitmap, args.number(1));
    if (given === null) return ERRNO.EFAULT;
    return given.nr_ports > IO_PORTS ? ERRNO.EINVAL : 0;
  }
  if (args.u32(0) !== PHYSDEVOP.set_iopl) return ERRNO.EPERM;
  const words = new Int32Array(1);
  if (!guest.readWords(args.number(1), words, 1)) return ERRNO.EFAULT;
  if (words[0] < 0 || words[0] > 3) return ERRNO.EINVAL;
  vcpu.iopl = words[0];
  return 0;
};
