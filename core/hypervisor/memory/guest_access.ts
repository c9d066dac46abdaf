/**
 * Memory that a guest names by its own linear addresses: the arguments of hypercalls, stacks, records.
 *
 * Accesses have the rights of the guest's kernel: what it could not touch itself is not touched for it, and the
 * caller answers -EFAULT.
 */

import { physical } from "../../lib/brand.ts";
import { FRAME_BYTES } from "../../memory/machine_memory.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { Access } from "../../x86/paging/access.ts";
import { GUEST_SPACES, type GuestSpace } from "./guest_space.ts";

const TWO_32 = 0x1_0000_0000;

/** The number for a 64-bit linear address, sign-extended: exact for canonical ones. */
export function linearNumber(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

/** Memory of the guest that a CPU runs at present, through its present tables. */
export class GuestAccess {
  /** The address space of that guest. */
  space: GuestSpace = GUEST_SPACES.lp64;

  constructor(private readonly cpu: Cpu) {}

  /** Fills `into` from linear address `address`; false if any byte cannot be read. */
  read(address: number, into: Uint8Array): boolean {
    for (let done = 0; done < into.length;) {
      const at = this.#translate(address + done, Access.read);
      if (at < 0) return false;
      const count = Math.min(into.length - done, FRAME_BYTES - (at % FRAME_BYTES));
      this.cpu.memory.readBytes(physical(at), into.subarray(done, done + count));
      done += count;
    }
    return true;
  }

  /** Copies `bytes` to linear address `address`; false if any byte cannot be written. */
  write(address: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      const at = this.#translate(address + done, Access.write);
      if (at < 0) return false;
      const count = Math.min(bytes.length - done, FRAME_BYTES - (at % FRAME_BYTES));
      this.cpu.memory.writeBytes(physical(at), bytes.subarray(done, done + count));
      done += count;
    }
    return true;
  }

  /** Reads `count` 32-bit words from a 4-byte aligned address into `into`; false on a fault. */
  readWords(address: number, into: Int32Array, count: number): boolean {
    for (let i = 0; i < count;) {
      let at = this.#translate(address + 4 * i, Access.read);
      if (at < 0) return false;
      const room = Math.min(count - i, (FRAME_BYTES - (at % FRAME_BYTES)) >>> 2);
      if (room === 0) return this.#readSplit(address, into, count);
      for (const end = i + room; i < end; i++, at += 4) into[i] = this.cpu.memory.read(at, 4);
    }
    return true;
  }

  /** Writes `count` 32-bit words at a 4-byte aligned address; false on a fault. */
  writeWords(address: number, words: Int32Array, count: number): boolean {
    for (let i = 0; i < count;) {
      let at = this.#translate(address + 4 * i, Access.write);
      if (at < 0) return false;
      const room = Math.min(count - i, (FRAME_BYTES - (at % FRAME_BYTES)) >>> 2);
      if (room === 0) return this.write(address, bytesOf(words, count));
      for (const end = i + room; i < end; i++, at += 4) this.cpu.memory.write(at, 4, words[i]);
    }
    return true;
  }

  /** The machine address behind a linear address, or -1; no exception stays pending. */
  #translate(address: number, access: number): number {
    const { space } = this;
    if (!space.mayName(address)) return -1;
    const { mmu, state } = this.cpu;
    const status = state.status;
    const high = Math.floor(address / TWO_32) | 0;
    const page = mmu.translate(address | 0, high, access, space.kernelView);
    if (page < 0) {
      state.status = status;
      return -1;
    }
    return page * FRAME_BYTES + (((address % FRAME_BYTES) + FRAME_BYTES) % FRAME_BYTES);
  }

  #readSplit(address: number, into: Int32Array, count: number): boolean {
    const bytes = new Uint8Array(4 * count);
    if (!this.read(address, bytes)) return false;
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < count; i++) into[i] = view.getInt32(4 * i, true);
    return true;
  }
}

function bytesOf(words: Int32Array, count: number): Uint8Array {
  const bytes = new Uint8Array(4 * count);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) view.setInt32(4 * i, words[i], true);
  return bytes;
}
