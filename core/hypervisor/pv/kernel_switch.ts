/** How a guest's kernel is entered and left: what the two kinds of guests have in common. */

import type { Cpu } from "../../x86/cpu.ts";
import { GUEST_FAULT } from "../../x86/cpu.ts";
import { findDescriptor } from "../../x86/system/descriptor_tables.ts";
import type { Descriptor } from "../../x86/system/segment_fields.ts";
import { VMASST_TYPE } from "../../abi/xen.ts";
import type { Vcpu } from "../vcpu.ts";

/** How the guest's kernel is entered. */
export interface Entry {
  /** The handler's code selector, which counts in 32-bit guests alone, and its offset. */
  readonly cs: number;
  readonly address: number;
  readonly masksEvents: boolean;
  /** The error code to push, or -1. */
  readonly errorCode: number;
}

/** What the outcome means for the domain: a crash carries its reason. */
export type SwitchOutcome = "done" | { readonly crash: string };

/** Switches between a guest's kernel and its programs on one physical CPU. */
export interface KernelSwitch {
  /** Enters the guest's kernel at a handler, with a frame that returns to where the virtual CPU is. */
  enterKernel(cpu: Cpu, vcpu: Vcpu, entry: Entry): SwitchOutcome;
  /** The hypercall `iret`: continues where the frame on the kernel's stack says, which holds (R)AX as well. */
  returnFromKernel(cpu: Cpu, vcpu: Vcpu): SwitchOutcome;
}

/** Position of the I/O privilege level in EFLAGS. */
export const IOPL_SHIFT = 12;
/** All flags that a return may set. */
export const ALL_FLAGS = 0x3f7fd5;

/** Whether the I/O privilege level is in EFLAGS, and not set by `PHYSDEVOP_set_iopl` alone. */
export function showsIopl({ domain }: Vcpu): boolean {
  return (domain.vmAssist >> BigInt(VMASST_TYPE.architectural_iopl) & 1n) !== 0n;
}

/** A descriptor of the guest's tables, or `null` where reading it faults. */
export function descriptorAt(cpu: Cpu, selector: number): Descriptor | null {
  const { status } = cpu.state;
  try {
    return findDescriptor(cpu, selector);
  } catch (error) {
    if (error !== GUEST_FAULT) throw error;
    cpu.state.status = status;
    return null;
  }
}

/** A linear address as text, of 16 digits where it is negative. */
export function hex(address: number): string {
  return BigInt.asUintN(64, BigInt(address)).toString(16);
}
