/** Frames for tests: memory that appears when it is touched, without a machine. */

import type { MachineFrame } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";

const FRAME_BYTES = 4096;

/** A {@link FrameMemory} of as many zeroed frames as anyone names; an access across a frame's end throws. */
export class SparseFrames implements FrameMemory {
  readonly frames = new Map<MachineFrame, DataView<ArrayBuffer>>();

  read8(frame: MachineFrame, offset: number): number {
    return this.#view(frame).getUint8(offset);
  }

  write8(frame: MachineFrame, offset: number, value: number): void {
    this.#view(frame).setUint8(offset, value);
  }

  read32(frame: MachineFrame, offset: number): number {
    return this.#view(frame).getUint32(offset, true);
  }

  write32(frame: MachineFrame, offset: number, value: number): void {
    this.#view(frame).setUint32(offset, value, true);
  }

  readBytes(frame: MachineFrame, offset: number, into: Uint8Array): void {
    into.set(this.bytes(frame, offset, into.length));
  }

  writeBytes(frame: MachineFrame, offset: number, bytes: Uint8Array): void {
    this.bytes(frame, offset, bytes.length).set(bytes);
  }

  /** The bytes themselves, for a test that plays the guest. */
  bytes(frame: MachineFrame, offset = 0, length = FRAME_BYTES - offset): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#view(frame).buffer, offset, length);
  }

  #view(frame: MachineFrame): DataView<ArrayBuffer> {
    let view = this.frames.get(frame);
    if (!view) {
      view = new DataView(new ArrayBuffer(FRAME_BYTES));
      this.frames.set(frame, view);
    }
    return view;
  }
}
