/** Moves bytes between frames of memory and fields of the CPU state, where engines have no direct way. */

import { FRAME_BYTES, type MachineMemory } from "../../memory/machine_memory.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { Access, type LocalPage } from "./access.ts";

const LOCAL_FRAME = offsetOf("localFrame") >> 2;

/** One CPU's mover; its local device is before all shared memory. */
export class FieldMover {
  #device: LocalPage | null = null;

  constructor(private readonly state: CpuState, private readonly memory: MachineMemory) {
    this.findLocalFrame();
  }

  /** Frame of the local device's page, or -1. */
  get localFrame(): number {
    return this.state.i32[LOCAL_FRAME];
  }

  set localDevice(device: LocalPage | null) {
    this.#device = device;
    this.findLocalFrame();
  }

  /** Looks where the local device's page is now. */
  findLocalFrame(): void {
    const page = this.#device?.page ?? -1;
    this.state.i32[LOCAL_FRAME] = page < 0 ? -1 : page / FRAME_BYTES;
  }

  /** Moves `bytes` within one frame, in the widest aligned units of at most four. */
  move(frame: number, offset: number, bytes: number, access: number, field: number): void {
    const local = this.localFrame === frame ? this.#device : null;
    if (local === null && access !== Access.write && ((offset | bytes | field) & 3) === 0) {
      const page = this.memory.readMap[frame];
      if (page >= 0) return this.#loadWords(page, offset, bytes, field);
    }
    for (let done = 0; done < bytes;) {
      const at = field + done;
      const left = bytes - done;
      const unit = left >= 4 && (at & 3) === 0 ? 4 : left >= 2 && (at & 1) === 0 ? 2 : 1;
      if (access === Access.write) this.#store(frame, offset + done, unit, at, local);
      else this.#load(frame, offset + done, unit, at, local);
      done += unit;
    }
  }

  /** The commonest load: whole words of memory. */
  #loadWords(linearPage: number, offset: number, bytes: number, field: number): void {
    const { i32 } = this.state;
    for (let i = 0; i < bytes; i += 4) {
      i32[(field + i) >> 2] = this.memory.word(linearPage, offset + i);
    }
  }

  #load(frame: number, offset: number, unit: 1 | 2 | 4, at: number, local: LocalPage | null): void {
    const { u8, u16, i32 } = this.state;
    const value = local !== null
      ? local.readMmio(offset, unit)
      : this.memory.read(frame * FRAME_BYTES + offset, unit);
    if (unit === 4) i32[at >> 2] = value;
    else if (unit === 2) u16[at >> 1] = value;
    else u8[at] = value;
  }

  #store(
    frame: number,
    offset: number,
    unit: 1 | 2 | 4,
    at: number,
    local: LocalPage | null,
  ): void {
    const { u8, u16, u32 } = this.state;
    const value = unit === 4 ? u32[at >> 2] : unit === 2 ? u16[at >> 1] : u8[at];
    if (local !== null) local.writeMmio(offset, unit, value);
    else this.memory.write(frame * FRAME_BYTES + offset, unit, value);
  }
}
