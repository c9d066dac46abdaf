/**
 * Between a 32-bit guest's kernel in ring 1 and its programs in ring 3: exception frames, callbacks, and the hypercall
 * `iret`. Most returns need none of this: the kernel's own IRET does them.
 *
 * A frame as the kernel finds it at its stack pointer, and that of a failsafe callback, which tells of selectors that
 * could not be loaded:
 *
 * ```text
 *  [error code] EIP CS/saved mask EFLAGS [ESP SS]
 *  DS ES FS GS  EIP CS/saved mask EFLAGS [ESP SS]
 * ```
 *
 * ESP and SS are there if a program was interrupted. The hypercall `iret` finds EAX before such a frame. Source: Xen 4.17's
 * `xen-x86_32.h` (`cpu_user_regs`) and its behaviour for 32-bit guests.
 */

import { FLAT32 } from "../../abi/arch_x86.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Attribute, Eflags } from "../../x86/state/bits.ts";
import { offsetOf } from "../../x86/state/layout.ts";
import { isNull } from "../../x86/system/descriptor_tables.ts";
import { readFlags, writeFlags } from "../../x86/system/mod.ts";
import { updateLevel } from "../../x86/system/mode.ts";
import { dropInnerSegments } from "../../x86/system/segment_loads.ts";
import {
  attributesOf,
  type Descriptor,
  dplOf,
  installDescriptor,
  installNull,
  isCode,
  isConforming,
  isWritableData,
  Segment,
  SEGMENT_FIELDS,
} from "../../x86/system/segment_fields.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { UpcallWords } from "../upcall_words.ts";
import type { Vcpu } from "../vcpu.ts";
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

const RAX = offsetOf("rax");
const RIP = offsetOf("rip");
const RSP = offsetOf("rsp");
const CS = SEGMENT_FIELDS[Segment.cs];
const SS = SEGMENT_FIELDS[Segment.ss];
/** In the order of a failsafe callback's frame. */
const DATA_SEGMENTS: readonly number[] = [Segment.ds, Segment.es, Segment.fs, Segment.gs];
/** Flags that an entry to the guest's kernel clears. */
const CLEARED_FLAGS: number = Eflags.VM | Eflags.RF | Eflags.NT | Eflags.TF;
/** The saved event mask lies above the selector. */
const SAVED_MASK_SHIFT = 16;
/** A frame of `iret` to the kernel itself and to a program, in words. */
const RETURN_WORDS = 4;
const OUTER_RETURN_WORDS = 6;
/** The kernel's privilege level. */
const KERNEL_RING = 1;

/** `selector` with a privilege level that a guest may have. */
export function guestSelector(selector: number): number {
  return (selector & 3) >= KERNEL_RING ? selector & 0xffff : (selector & 0xfffc) | KERNEL_RING;
}

/** See the module comment. */
export class RingSwitch implements KernelSwitch {
  readonly #words = new Int32Array(OUTER_RETURN_WORDS);

  constructor(private readonly guest: GuestAccess, private readonly upcalls: UpcallWords) {}

  enterKernel(cpu: Cpu, vcpu: Vcpu, entry: Entry): SwitchOutcome {
    return this.#enter(cpu, vcpu, entry, entry.errorCode < 0 ? [] : [entry.errorCode]);
  }

  returnFromKernel(cpu: Cpu, vcpu: Vcpu): SwitchOutcome {
    const { state } = cpu;
    const words = this.#words;
    const stack = stackAddress(cpu);
    if (!this.guest.readWords(stack, words, RETURN_WORDS)) return unreadable(stack);
    const [eax, eip, selector, eflags] = words;
    const ring = selector & 3;
    if (ring < KERNEL_RING || (eflags & Eflags.VM) !== 0) {
      return { crash: `iret to selector 0x${hex(selector)} with EFLAGS 0x${hex(eflags >>> 0)}` };
    }
    const outer = ring > KERNEL_RING;
    if (outer && !this.guest.readWords(stack, words, OUTER_RETURN_WORDS)) return unreadable(stack);
    if (showsIopl(vcpu)) vcpu.iopl = (eflags >>> IOPL_SHIFT) & 3;
    state.setHalves(RAX, eax, 0);
    state.setHalves(RIP, eip, 0);
    state.setHalves(RSP, outer ? words[4] : state.low(RSP) + 4 * RETURN_WORDS, 0);
    writeFlags(state, (eflags & ~Eflags.IOPL) | Eflags.IF, ALL_FLAGS);
    this.upcalls.mask(vcpu, (eflags & Eflags.IF) === 0);
    const fits = loadCode(cpu, selector & 0xffff) && (!outer || loadStack(cpu, words[5] & 0xffff));
    if (fits) {
      if (outer) dropInnerSegments(cpu);
      updateLevel(cpu);
      return "done";
    }
    const { u32 } = state;
    const selectors = DATA_SEGMENTS.map((index) => u32[SEGMENT_FIELDS[index].selector]);
    const outcome = this.#enter(
      cpu,
      vcpu,
      { ...vcpu.callbacks.failsafe, errorCode: -1 },
      selectors,
    );
    for (const index of DATA_SEGMENTS) installNull(state, index, 0);
    updateLevel(cpu);
    return outcome;
  }

  /** Enters a handler with a frame that has `more` words before EIP. */
  #enter(cpu: Cpu, vcpu: Vcpu, entry: Entry, more: readonly number[]): SwitchOutcome {
    const { state } = cpu;
    const { u32 } = state;
    const masked = this.upcalls.masked(vcpu);
    const flags = (readFlags(state) & ~(Eflags.IF | Eflags.IOPL)) | (masked ? 0 : Eflags.IF) |
      (showsIopl(vcpu) ? vcpu.iopl << IOPL_SHIFT : 0);
    const frame = [
      ...more,
      state.low(RIP),
      u32[CS.selector] | (masked ? 1 << SAVED_MASK_SHIFT : 0),
      flags,
    ];
    if (state.cpl > KERNEL_RING) {
      frame.push(state.low(RSP), u32[SS.selector]);
      const { kernelStack, kernelStackSelector } = vcpu;
      if (!loadStack(cpu, kernelStackSelector)) {
        return { crash: `its kernel stack's selector 0x${hex(kernelStackSelector)} does not fit` };
      }
      state.setHalves(RSP, kernelStack | 0, 0);
    }
    const pointer = state.low(RSP) - 4 * frame.length;
    state.setHalves(RSP, pointer, 0);
    const base = stackAddress(cpu);
    if (!this.guest.writeWords(base, Int32Array.from(frame), frame.length)) {
      return { crash: `its kernel stack at 0x${hex(base)} cannot be written` };
    }
    if (entry.masksEvents) this.upcalls.mask(vcpu, true);
    if (!loadCode(cpu, entry.cs)) {
      return { crash: `its handler's selector 0x${hex(entry.cs)} does not fit` };
    }
    writeFlags(state, 0, CLEARED_FLAGS);
    state.setHalves(RIP, entry.address | 0, 0);
    updateLevel(cpu);
    return "done";
  }
}

function unreadable(stack: number): SwitchOutcome {
  return { crash: `the frame of iret at 0x${hex(stack)} cannot be read` };
}

/** The linear address of the stack pointer. */
function stackAddress({ state }: Cpu): number {
  return (state.u32[SS.base] + state.u32[RSP >> 2]) >>> 0;
}

/** Loads CS with the selector's privilege level; {@link updateLevel} is the caller's. False if it does not fit. */
function loadCode(cpu: Cpu, selector: number): boolean {
  const { state } = cpu;
  const { u32 } = state;
  if (selector === u32[CS.selector] && selector === FLAT32.KERNEL_CS) return true;
  const descriptor = present(cpu, selector);
  if (descriptor === null || (selector & 3) < KERNEL_RING) return false;
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  const ring = selector & 3;
  if (!isCode(attributes) || (isConforming(attributes) ? dpl > ring : dpl !== ring)) return false;
  installDescriptor(state, Segment.cs, selector, descriptor);
  state.cpl = ring;
  return true;
}

/** Loads SS with a stack of the selector's privilege level. False if it does not fit. */
function loadStack(cpu: Cpu, selector: number): boolean {
  const descriptor = present(cpu, selector);
  if (descriptor === null) return false;
  const attributes = attributesOf(descriptor);
  if (!isWritableData(attributes) || dplOf(attributes) !== (selector & 3)) return false;
  installDescriptor(cpu.state, Segment.ss, selector, descriptor);
  return true;
}

/** The present descriptor that a selector names, or `null`. */
function present(cpu: Cpu, selector: number): Descriptor | null {
  if (isNull(selector)) return null;
  const descriptor = descriptorAt(cpu, selector);
  if (descriptor === null) return null;
  return (attributesOf(descriptor) & Attribute.present) === 0 ? null : descriptor;
}
