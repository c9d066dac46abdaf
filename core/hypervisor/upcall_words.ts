/** The words of `vcpu_info` that the entry to and the return from a guest look at. */

import { VCPU_INFO } from "../abi/xen.ts";
import type { FrameMemory } from "./frame_memory.ts";
import type { Vcpu } from "./vcpu.ts";

/** Reads and writes a virtual CPU's upcall words; one without `vcpu_info` counts as masked. */
export class UpcallWords {
  constructor(private readonly memory: FrameMemory) {}

  /** `evtchn_upcall_mask`. */
  masked(vcpu: Vcpu): boolean {
    const { info } = vcpu;
    return info === null ||
      this.memory.read8(info.frame, info.offset + placesOf(vcpu).upcall_mask) !== 0;
  }

  mask(vcpu: Vcpu, masked: boolean): void {
    const { info } = vcpu;
    if (info === null) return;
    this.memory.write8(info.frame, info.offset + placesOf(vcpu).upcall_mask, masked ? 1 : 0);
  }

  /** `evtchn_upcall_pending`. */
  pending(vcpu: Vcpu): boolean {
    const { info } = vcpu;
    return info !== null &&
      this.memory.read8(info.frame, info.offset + placesOf(vcpu).upcall_pending) !== 0;
  }

  /** `arch.cr2`, which exceptions of vector 14 set. */
  setCr2(vcpu: Vcpu, low: number, high: number): void {
    const { info } = vcpu;
    if (info === null) return;
    const { cr2 } = placesOf(vcpu);
    this.memory.write32(info.frame, info.offset + cr2, low);
    if (vcpu.domain.model === "lp64") this.memory.write32(info.frame, info.offset + cr2 + 4, high);
  }
}

function placesOf({ domain }: Vcpu) {
  return VCPU_INFO[domain.model];
}
