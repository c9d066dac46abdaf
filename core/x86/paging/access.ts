/** How memory is accessed: kinds of access, and what may stand between a CPU and shared memory. */

import { FRAME_SHIFT } from "../../memory/machine_memory.ts";
import type { MmioDevice } from "../../memory/ports.ts";

/** Kinds of access, numbered as engines pass them. */
export const Access = { read: 0, write: 1, fetch: 2 } as const;

/** Flag in the `size` that engines pass: the access goes through SS, so a non-canonical address is #SS. */
export const STACK_ACCESS = 0x100;

/** A second translation stage (EPT, NPT): from guest-physical to machine addresses. */
export interface SecondStage {
  /**
   * Translates `address` for an access of a kind of {@link Access}. Returns the machine address, or -1 after
   * having recorded why the access is refused: the instruction is abandoned, and the owner of ring 0 is told.
   */
  translate(address: number, access: number): number;
}

/** Registers of one CPU in one page of physical memory; `page` is its address, or -1. */
export interface LocalPage extends MmioDevice {
  readonly page: number;
}

/** What of a frame number reaches the bus: address bit 20 is zero where `a20Mask` has it clear (A20M#). */
export function gatedFrame(frame: number, a20Mask: number): number {
  return frame & (a20Mask >> FRAME_SHIFT);
}
