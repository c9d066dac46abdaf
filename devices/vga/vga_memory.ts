/**
 * Display memory: four planes behind the window at A0000h to BFFFFh.
 *
 * The byte of plane `p` at plane offset `o` is at `4 * o + p`, so that chained modes and the linear frame
 * buffer see plain memory. In odd/even addressing a pair of bytes (character, attribute) is one plane offset.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Graphics Controller Registers"
 * and "Video Memory Read/Write Operations".
 */

import type { MmioSize } from "../../core/memory/ports.ts";
import { FrameBuffer } from "./frame_buffer.ts";

/** Plane memory of a VGA; what a board has beyond it is reached linearly or by banks only. */
const PLANE_OFFSETS = 0x10000;

/** Windows by bits 3 and 2 of the graphics controller's Miscellaneous register, from A0000h. */
const WINDOWS = [
  { offset: 0x00000, sizeBytes: 0x20000 },
  { offset: 0x00000, sizeBytes: 0x10000 },
  { offset: 0x10000, sizeBytes: 0x08000 },
  { offset: 0x18000, sizeBytes: 0x08000 },
] as const;

/** Indexes and bits of the registers that steer memory accesses. */
const SEQ = { mapMask: 2, memoryMode: 4, sequential: 0x04, chain4: 0x08 } as const;
const GC = {
  setReset: 0,
  enableSetReset: 1,
  colorCompare: 2,
  dataRotate: 3,
  readMap: 4,
  mode: 5,
  misc: 6,
  dontCare: 7,
  bitMask: 8,
} as const;
const MODE = { write: 0x03, readCompare: 0x08, oddEven: 0x10 } as const;

/** The planes and how a window's accesses reach them; registers are live views of the chip's. */
export class VgaMemory {
  readonly buffer: FrameBuffer;
  readonly #sequencer: Uint8Array;
  readonly #graphics: Uint8Array;
  readonly #latches = new Uint8Array(4);
  /** Added to addresses in the 64 KiB window: the bank of Bochs's extension, in bytes. */
  bankBytes = 0;

  /** `sizeBytes` is at least 256 KiB, and a power of two. */
  constructor(sizeBytes: number, sequencer: Uint8Array, graphics: Uint8Array) {
    if (!(sizeBytes >= 4 * PLANE_OFFSETS && (sizeBytes & (sizeBytes - 1)) === 0)) {
      throw new RangeError(
        `display memory must be a power of two from 262144 bytes, found ${sizeBytes}`,
      );
    }
    this.buffer = new FrameBuffer(sizeBytes);
    this.#sequencer = sequencer;
    this.#graphics = graphics;
  }

  /** Reads at `offset` from A0000h. */
  read(offset: number, size: MmioSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.#readByte(offset + byte) << (8 * byte);
    return value >>> 0;
  }

  /** Writes at `offset` from A0000h. */
  write(offset: number, size: MmioSize, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      this.#writeByte(offset + byte, (value >>> (8 * byte)) & 0xff);
    }
  }

  reset(): void {
    this.buffer.clear();
    this.#latches.fill(0);
    this.bankBytes = 0;
  }

  /** The memory as far as it is not zero, and the latches. */
  save(): { used: Uint8Array; latches: Uint8Array; bankBytes: number } {
    return {
      used: this.buffer.save(),
      latches: this.#latches.slice(),
      bankBytes: this.bankBytes,
    };
  }

  restore(state: { used: Uint8Array; latches: Uint8Array; bankBytes: number }): void {
    this.buffer.restore(state.used);
    this.#latches.set(state.latches);
    this.bankBytes = state.bankBytes;
  }

  /** The address within the window that is open, or -1. */
  #decode(offset: number): number {
    const map = (this.#graphics[GC.misc] >> 2) & 3;
    const window = WINDOWS[map];
    const address = offset - window.offset;
    if (address < 0 || address >= window.sizeBytes) return -1;
    return map <= 1 ? address + this.bankBytes : address;
  }

  #readByte(offset: number): number {
    const { bytes } = this.buffer;
    const address = this.#decode(offset);
    if (address < 0) return 0xff;
    if (this.#sequencer[SEQ.memoryMode] & SEQ.chain4) return bytes[address] ?? 0xff;
    const graphics = this.#graphics;
    if (graphics[GC.mode] & MODE.oddEven) {
      const plane = (graphics[GC.readMap] & 2) | (address & 1);
      return bytes[((address & ~1) << 1) | plane] ?? 0xff;
    }
    const first = 4 * address;
    for (let plane = 0; plane < 4; plane++) this.#latches[plane] = bytes[first + plane];
    if (!(graphics[GC.mode] & MODE.readCompare)) return this.#latches[graphics[GC.readMap]];
    return this.#compareColors();
  }

  /** Read mode 1: a one for each dot whose colour matches in the planes that count. */
  #compareColors(): number {
    let differs = 0;
    for (let plane = 0; plane < 4; plane++) {
      if (!((this.#graphics[GC.dontCare] >> plane) & 1)) continue;
      const wanted = (this.#graphics[GC.colorCompare] >> plane) & 1 ? 0xff : 0;
      differs |= this.#latches[plane] ^ wanted;
    }
    return ~differs & 0xff;
  }

  #writeByte(offset: number, value: number): void {
    const address = this.#decode(offset);
    if (address < 0) return;
    const mask = this.#sequencer[SEQ.mapMask];
    const memoryMode = this.#sequencer[SEQ.memoryMode];
    if (memoryMode & SEQ.chain4) {
      if ((mask >> (address & 3)) & 1) this.buffer.store(address, value);
    } else if (!(memoryMode & SEQ.sequential)) {
      const first = ((address & ~1) << 1) | (address & 1);
      if ((mask >> (address & 1)) & 1) this.buffer.store(first, value);
      if ((mask >> (2 + (address & 1))) & 1) this.buffer.store(first + 2, value);
    } else {
      this.#writePlanes(4 * address, mask, value);
    }
  }

  /** Write modes 0 to 3. */
  #writePlanes(first: number, mask: number, value: number): void {
    const graphics = this.#graphics;
    const mode = graphics[GC.mode] & MODE.write;
    const rotate = graphics[GC.dataRotate] & 7;
    const rotated = ((value >> rotate) | (value << (8 - rotate))) & 0xff;
    const bits = mode === 3 ? rotated & graphics[GC.bitMask] : graphics[GC.bitMask];
    for (let plane = 0; plane < 4; plane++) {
      if (!((mask >> plane) & 1)) continue;
      const latch = this.#latches[plane];
      const data = this.#planeData(mode, plane, value, rotated);
      const mixed = (this.#combine(data, latch) & bits) | (latch & ~bits);
      this.buffer.store(first + plane, mode === 1 ? latch : mixed);
    }
  }

  /** What one plane is given before the latch comes in. */
  #planeData(mode: number, plane: number, value: number, rotated: number): number {
    const graphics = this.#graphics;
    const setReset = (graphics[GC.setReset] >> plane) & 1 ? 0xff : 0;
    if (mode === 2) return (value >> plane) & 1 ? 0xff : 0;
    if (mode === 3) return setReset;
    return (graphics[GC.enableSetReset] >> plane) & 1 ? setReset : rotated;
  }

  /** The function of Data Rotate's bits 4 and 3: replace, AND, OR, XOR. */
  #combine(data: number, latch: number): number {
    switch ((this.#graphics[GC.dataRotate] >> 3) & 3) {
      case 1:
        return data & latch;
      case 2:
        return data | latch;
      case 3:
        return data ^ latch;
      default:
        return data;
    }
  }
}
