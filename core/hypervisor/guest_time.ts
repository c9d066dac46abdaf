/** The clocks that a guest reads from memory: `vcpu_time_info` and the wall clock in `shared_info`. */

import type { MachineFrame } from "../abi/ids.ts";
import type { DataModel } from "../abi/struct_layout.ts";
import { SHARED_INFO, vcpu_time_info, XEN_PVCLOCK_TSC_STABLE_BIT } from "../abi/xen.ts";
import type { FrameMemory } from "./frame_memory.ts";

/** `vcpu_time_info`: system time is the TSC in nanoseconds, from the start and for ever. */
export function timeInfo(frequencyHz: number): Uint8Array {
  let shift = 0;
  let multiplier = 1e9 / frequencyHz;
  for (; multiplier >= 1; shift++) multiplier /= 2;
  for (; multiplier < 0.5; shift--) multiplier *= 2;
  return vcpu_time_info.toBytes({
    version: 2,
    tsc_to_system_mul: Math.floor(multiplier * 2 ** 32),
    tsc_shift: shift,
    flags: XEN_PVCLOCK_TSC_STABLE_BIT,
  });
}

/** `seconds` since 1970 at the machine's start. */
export function writeWallClock(
  memory: FrameMemory,
  sharedInfo: MachineFrame,
  model: DataModel,
  seconds: number,
): void {
  const places = SHARED_INFO[model];
  memory.write32(sharedInfo, places.wc_version, 2);
  memory.write32(sharedInfo, places.wc_sec, seconds);
  memory.write32(sharedInfo, places.wc_sec_hi, Math.floor(seconds / 2 ** 32));
}
