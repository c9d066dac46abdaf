/**
 * Between a 64-bit guest's kernel and its programs, all in ring 3: exception frames, callbacks, and the hypercall `iret`.
 *
 * A frame as the kernel finds it at its stack pointer (Xen 4.17's `xen-x86_64.h`, "IRET"; `trap_info`):
 *
 * ```text
 *  RCX R11 [error code] RIP CS/saved mask RFLAGS RSP SS
 * ```
 */

import { FLAT, iret_context, VGCF } from "../../abi/arch_x86.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Attribute, Eflags } from "../../x86/state/bits.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import { isNull } from "../../x86/system/descriptor_tables.ts";
import { readFlags, updateMode, writeFlags } from "../../x86/system/mod.ts";
import {
  attributesOf,
  dplOf,
  installDescriptor,
  installNull,
  isCode,
  isWritableData,
  Segment,
  SEGMENT_FIELDS,
  setBounds,
} from "../../x86/system/segment_fields.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { UpcallWords } from "../upcall_words.ts";
import type { Vcpu } from "../vcpu.ts";
import { FLAT_CODE64, FLAT_DATA, loadRoot } from "./cpu_context.ts";
import {
  ALL_FLAGS,
  descriptorAt,
  type Entry,
  hex,
  IOPL_SHIFT,
  type KernelSwitch,
  showsIopl,
  type SwitchOutcome,
} from "./kernel_switch.ts";

const RIP = offsetOf("rip");
const RSP = offsetOf("rsp");
const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const R11 = offsetOf("r11");
const GS_BASE = offsetOf("gsBase");
const KERNEL_GS_BASE = offsetOf("kernelGsBase");
const CS = SEGMENT_FIELDS[Segment.cs];
const SS = SEGMENT_FIELDS[Segment.ss];

const TWO_32 = 0x1_0000_0000;
/** Flags that an entry to the guest's kernel clears. */
const CLEARED_FLAGS: number = Eflags.AC | Eflags.VM | Eflags.RF | Eflags.NT | Eflags.TF;
const FRAME_ALIGN = 16;

/** Switches of 64-bit guests on one physical CPU. */
export class PrivilegeSwitch implements KernelSwitch {
  readonly #words = new Int32Array(2 * 9);
  readonly #iretWords = new Int32Array(iret_context.sizeBytes() >>> 2);

  constructor(private readonly guest: GuestAccess, private readonly upcalls: UpcallWords) {}

  enterKernel(cpu: Cpu, vcpu: Vcpu, entry: Entry): SwitchOutcome {
    const { state } = cpu;
    if (entry.address === 0) return { crash: "there is no handler to enter" };
    let selector = state.u32[CS.selector];
    let stack = state.high(RSP) * TWO_32 + state.u32[RSP >> 2];
    if (vcpu.kernelMode) selector &= ~3;
    else {
      this.toggle(cpu, vcpu);
      stack = vcpu.kernelStack;
    }
    const masked = this.upcalls.masked(vcpu);
    const flags = readFlags(state) & ~(Eflags.IF | Eflags.IOPL);
    const words = this.#words;
    let at = 0;
    const push = (low: number, high: number) => {
      words[at++] = low;
      words[at++] = high;
    };
    push(state.low(RCX), state.high(RCX));
    push(state.low(R11), state.high(R11));
    if (entry.errorCode >= 0) push(entry.errorCode, 0);
    push(state.low(RIP), state.high(RIP));
    push(selector, masked ? 1 : 0);
    const level = showsIopl(vcpu) ? vcpu.iopl << IOPL_SHIFT : 0;
    push(flags | (masked ? 0 : Eflags.IF) | level, 0);
    push(state.low(RSP), state.high(RSP));
    push(state.u32[SS.selector], 0);
    const base = Math.floor(stack / FRAME_ALIGN) * FRAME_ALIGN - 4 * at;
    if (!vcpu.domain.space.contains(base) || !this.guest.writeWords(base, words, at)) {
      return { crash: `its kernel stack at 0x${hex(base)} cannot be written` };
    }
    if (entry.masksEvents) this.upcalls.mask(vcpu, true);
    const mustUpdate = (state.flags & CLEARED_FLAGS) !== 0 ||
      (state.u32[CS.attributes] & Attribute.long) === 0;
    writeFlags(state, 0, CLEARED_FLAGS);
    state.setHalves(RSP, base | 0, Math.floor(base / TWO_32));
    state.setHalves(RIP, entry.address | 0, Math.floor(entry.address / TWO_32));
    this.#installFlat(cpu, Segment.cs, FLAT.KERNEL_CS, FLAT_CODE64);
    this.#installFlat(cpu, Segment.ss, FLAT.KERNEL_SS, FLAT_DATA);
    if (mustUpdate) updateMode(cpu);
    return "done";
  }

  returnFromKernel(cpu: Cpu, vcpu: Vcpu): SwitchOutcome {
    const { state } = cpu;
    const words = this.#iretWords;
    const stack = state.high(RSP) * TWO_32 + state.u32[RSP >> 2];
    if (!this.guest.readWords(stack, words, words.length)) {
      return { crash: `the frame of iret at 0x${hex(stack)} cannot be read` };
    }
    const [rax, , r11, , rcx, , frameFlags, , rip, , cs, , rflags, , rsp, , ss] = words;
    const toUser = (cs & 3) === 3;
    if (toUser) {
      if (vcpu.userRoot === null) return { crash: "iret to a program without page tables" };
      this.toggle(cpu, vcpu);
    }
    if (showsIopl(vcpu)) vcpu.iopl = (rflags >>> IOPL_SHIFT) & 3;
    state.setHalves(RAX, rax, words[1]);
    if ((frameFlags & VGCF.in_syscall) === 0) {
      state.setHalves(R11, r11, words[3]);
      state.setHalves(RCX, rcx, words[5]);
    }
    state.setHalves(RIP, rip, words[9]);
    state.setHalves(RSP, rsp, words[15]);
    const before = state.flags;
    writeFlags(state, (rflags & ~(Eflags.IOPL | Eflags.VM)) | Eflags.IF, ALL_FLAGS);
    const wasLong = (state.u32[CS.attributes] & Attribute.long) !== 0;
    this.upcalls.mask(vcpu, (rflags & Eflags.IF) === 0);
    const fits = this.#loadCode(cpu, (cs | 3) & 0xffff) && this.#loadStack(cpu, (ss | 3) & 0xffff);
    const isLong = (state.u32[CS.attributes] & Attribute.long) !== 0;
    const changed = (before ^ state.flags) & (Eflags.AC | Eflags.TF);
    if (!isLong || !wasLong || changed !== 0) updateMode(cpu);
    if (fits) return "done";
    return this.enterKernel(cpu, vcpu, { ...vcpu.callbacks.failsafe, errorCode: -1 });
  }

  /** Changes between kernel and programs: page tables and GS bases. */
  toggle(cpu: Cpu, vcpu: Vcpu): void {
    const { state } = cpu;
    vcpu.kernelMode = !vcpu.kernelMode;
    const low = state.low(GS_BASE);
    const high = state.high(GS_BASE);
    state.setHalves(GS_BASE, state.low(KERNEL_GS_BASE), state.high(KERNEL_GS_BASE));
    state.setHalves(KERNEL_GS_BASE, low, high);
    const root = vcpu.kernelMode ? vcpu.root : vcpu.userRoot;
    if (root !== null) loadRoot(cpu, root, true);
  }

  #installFlat(cpu: Cpu, index: number, selector: number, attributes: number): void {
    const { u32 } = cpu.state;
    const fields = SEGMENT_FIELDS[index];
    if (u32[fields.selector] === selector && u32[fields.attributes] === attributes) return;
    u32[fields.selector] = selector;
    u32[fields.base] = u32[fields.base + 1] = 0;
    setBounds(cpu.state, index, attributes, 0xffffffff);
  }

  #loadCode(cpu: Cpu, selector: number): boolean {
    if (selector === FLAT.RING3_CS64) {
      this.#installFlat(cpu, Segment.cs, selector, FLAT_CODE64);
      return true;
    }
    const descriptor = descriptorAt(cpu, selector);
    const attributes = descriptor === null ? 0 : attributesOf(descriptor);
    const fits = descriptor !== null && isCode(attributes) && dplOf(attributes) === 3 &&
      (attributes & Attribute.present) !== 0;
    if (fits) installDescriptor(cpu.state, Segment.cs, selector, descriptor);
    else this.#installFlat(cpu, Segment.cs, FLAT.RING3_CS64, FLAT_CODE64);
    return fits;
  }

  #loadStack(cpu: Cpu, selector: number): boolean {
    if (selector === FLAT.RING3_SS64 || isNull(selector)) {
      if (isNull(selector)) installNull(cpu.state, Segment.ss, selector, 3 << 5);
      else this.#installFlat(cpu, Segment.ss, selector, FLAT_DATA);
      return !isNull(selector);
    }
    const descriptor = descriptorAt(cpu, selector);
    const attributes = descriptor === null ? 0 : attributesOf(descriptor);
    const fits = descriptor !== null && isWritableData(attributes) && dplOf(attributes) === 3 &&
      (attributes & Attribute.present) !== 0;
    if (fits) installDescriptor(cpu.state, Segment.ss, selector, descriptor);
    else this.#installFlat(cpu, Segment.ss, FLAT.RING3_SS64, FLAT_DATA);
    return fits;
  }
}
