/** Memories for tests: RAM from address 0 on, and nothing else. */

import { codeLinesBytes, FRAME_BYTES, MachineMemory } from "../machine_memory.ts";

/** RAM of so many frames. */
export function smallMemory(frames: number): MachineMemory {
  const ramBytes = frames * FRAME_BYTES;
  const plan = { ramBytes, lowRamBytes: ramBytes, ramBase: 0, romBase: 0, romBytes: 0 };
  const buffer = new ArrayBuffer(ramBytes + codeLinesBytes(plan));
  return new MachineMemory(buffer, { ...plan, codeLinesBase: ramBytes });
}
