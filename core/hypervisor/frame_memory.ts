/**
 * Machine memory by frame, as the hypervisor's mechanisms use it.
 *
 * A mechanism that shares words with guests (event channels, grant tables, rings) names a frame and an
 * offset in it, never an address: which frames it may touch was settled when it took them.
 */

import type { MachineFrame } from "../abi/ids.ts";
import type { PhysicalAddress } from "../lib/brand.ts";
import { FRAME_BYTES, type MachineMemory } from "../memory/machine_memory.ts";

/** Reads and writes of frames; offsets are in bytes and the access lies within the frame. */
export interface FrameMemory {
  read8(frame: MachineFrame, offset: number): number;
  write8(frame: MachineFrame, offset: number, value: number): void;
  /** Unsigned, little-endian; `offset` is a multiple of four. */
  read32(frame: MachineFrame, offset: number): number;
  write32(frame: MachineFrame, offset: number, value: number): void;
  /** Fills `into`. */
  readBytes(frame: MachineFrame, offset: number, into: Uint8Array): void;
  writeBytes(frame: MachineFrame, offset: number, bytes: Uint8Array): void;
}

/** The frames of a machine's memory. */
export class MachineFrameMemory implements FrameMemory {
  constructor(readonly memory: MachineMemory) {}

  read8(frame: MachineFrame, offset: number): number {
    return this.memory.read(addressOf(frame, offset), 1);
  }

  write8(frame: MachineFrame, offset: number, value: number): void {
    this.memory.write(addressOf(frame, offset), 1, value);
  }

  read32(frame: MachineFrame, offset: number): number {
    return this.memory.readWord(frame, offset);
  }

  write32(frame: MachineFrame, offset: number, value: number): void {
    this.memory.write(addressOf(frame, offset), 4, value >>> 0);
  }

  readBytes(frame: MachineFrame, offset: number, into: Uint8Array): void {
    this.memory.readBytes(addressOf(frame, offset), into);
  }

  writeBytes(frame: MachineFrame, offset: number, bytes: Uint8Array): void {
    this.memory.writeBytes(addressOf(frame, offset), bytes);
  }
}

function addressOf(frame: MachineFrame, offset: number): PhysicalAddress {
  return (frame * FRAME_BYTES + offset) as PhysicalAddress;
}
