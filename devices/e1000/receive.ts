/**
 * The receive side: filters frames, keeps them in the packet buffer while there are no descriptors, and
 * stores them through the ring (8254x manual, section 3.2 "Packet Reception").
 */

import { physical } from "../../core/lib/brand.ts";
import type { DmaBus } from "../../core/memory/ports.ts";
import { frameCheckSequence } from "../net/checksum.ts";
import { ICR } from "./interrupts.ts";
import { packetChecksum, verifyFrame } from "./receive_checksum.ts";
import { filterFrame, RCTL } from "./receive_filter.ts";
import { REGISTER, type RegisterFile, STATISTIC } from "./registers.ts";
import { countReceived } from "./statistics.ts";
import { busAddress } from "./transmit.ts";

const DESCRIPTOR_BYTES = 16;
/** The longest frame without and with RCTL.LPE, in bytes with its check sequence. */
const MAX_FRAME_BYTES = 1522;
const MAX_LONG_FRAME_BYTES = 16384;
const LEAST_FRAME_BYTES = 60;

/** Bits of a receive descriptor's status (section 3.2.3.1). */
const RX_STATUS = {
  DD: 0x01,
  EOP: 0x02,
  /** Ignore checksum indication. */
  IXSM: 0x04,
  /** The VLAN tag is in the special field. */
  VP: 0x08,
  TCPCS: 0x20,
  IPCS: 0x40,
  /** Passed by an inexact filter. */
  PIF: 0x80,
} as const;

/** Bits of a receive descriptor's errors (section 3.2.3.2). */
const RX_ERROR = { TCPE: 0x20, IPE: 0x40 } as const;

/** Fields and bits of RXCSUM. */
const RXCSUM = { PCSS: 0xff, IPOFL: 0x100, TUOFL: 0x200 } as const;
const CTRL_VME = 1 << 30;

/** A frame as it goes to memory. */
interface StoredFrame {
  readonly bytes: Uint8Array;
  readonly status: number;
  readonly errors: number;
  readonly checksum: number;
  readonly special: number;
}

/** The receiver of one card. */
export class Receiver {
  readonly #fifo: StoredFrame[] = [];
  #fifoBytes = 0;

  constructor(private readonly registers: RegisterFile, private readonly dma: DmaBus) {}

  reset(): void {
    this.#fifo.length = 0;
    this.#fifoBytes = 0;
  }

  /** A frame (without check sequence) came from the wire; returns the interrupt causes. */
  receive(wire: Uint8Array): number {
    const { registers } = this;
    if (!(registers.get(REGISTER.RCTL) & RCTL.EN) || wire.length < 14) return 0;
    const frame = wire.length < LEAST_FRAME_BYTES ? padded(wire) : wire;
    const long = (registers.get(REGISTER.RCTL) & RCTL.LPE) !== 0;
    if (frame.length + 4 > (long ? MAX_LONG_FRAME_BYTES : MAX_FRAME_BYTES)) {
      registers.count(STATISTIC.ROC);
      return 0;
    }
    const filter = filterFrame(registers, frame);
    if (filter === "rejected") return 0;
    if (this.#fifoBytes + frame.length > this.#fifoLimit) {
      registers.count(STATISTIC.MPC);
      return ICR.RXO;
    }
    countReceived(registers, frame);
    const stored = this.#prepare(frame, filter === "inexact");
    this.#fifo.push(stored);
    this.#fifoBytes += stored.bytes.length;
    return this.drain();
  }

  /** Stores what the packet buffer holds as far as there are descriptors; returns the interrupt causes. */
  drain(): number {
    let causes = 0;
    while (this.#fifo.length > 0) {
      const frame = this.#fifo[0];
      if (this.#available * this.#bufferBytes < frame.bytes.length) {
        this.registers.count(STATISTIC.RNBC);
        break;
      }
      this.#fifo.shift();
      this.#fifoBytes -= frame.bytes.length;
      this.#store(frame);
      causes |= ICR.RXT0;
    }
    if (causes && this.#belowThreshold) causes |= ICR.RXDMT0;
    return causes;
  }

  save() {
    return { fifo: this.#fifo.map((frame) => ({ ...frame, bytes: frame.bytes.slice() })) };
  }

  restore(state: ReturnType<Receiver["save"]>): void {
    this.reset();
    for (const frame of state.fifo) {
      this.#fifo.push({ ...frame, bytes: frame.bytes.slice() });
      this.#fifoBytes += frame.bytes.length;
    }
  }

  get #ringLength(): number {
    return this.registers.get(REGISTER.RDLEN) / DESCRIPTOR_BYTES;
  }

  /** Descriptors that the card owns: from head up to, not including, the tail. */
  get #available(): number {
    const { registers } = this;
    const length = this.#ringLength;
    const head = registers.get(REGISTER.RDH);
    const tail = registers.get(REGISTER.RDT);
    if (!(registers.get(REGISTER.RCTL) & RCTL.EN) || head >= length || tail >= length) return 0;
    return (tail - head + length) % length;
  }

  /** RCTL.RDMTS: a half, a quarter or an eighth of the ring. */
  get #belowThreshold(): boolean {
    const threshold = (this.registers.get(REGISTER.RCTL) >>> RCTL.RDMTS_SHIFT) & 3;
    return this.#available <= this.#ringLength / 2 ** (threshold + 1);
  }

  get #bufferBytes(): number {
    const rctl = this.registers.get(REGISTER.RCTL);
    const size = (rctl >>> RCTL.BSIZE_SHIFT) & 3;
    // BSEX with size 0 is reserved; it counts as 2048.
    return rctl & RCTL.BSEX && size > 0 ? 32768 >> size : 2048 >> size;
  }

  /** PBA's receive allocation is in KiB. */
  get #fifoLimit(): number {
    return (this.registers.get(REGISTER.PBA) & 0xffff) * 1024;
  }

  #prepare(frame: Uint8Array, inexact: boolean): StoredFrame {
    const { registers } = this;
    const rxcsum = registers.get(REGISTER.RXCSUM);
    const { status, errors } = checksumReport(frame, rxcsum);
    const checksum = packetChecksum(frame, rxcsum & RXCSUM.PCSS);
    const tag = this.#tagOf(frame);
    const strip = (registers.get(REGISTER.RCTL) & RCTL.SECRC) !== 0;
    const stripped = tag === null ? frame : withoutTag(frame);
    return {
      bytes: strip ? stripped : withCheckSequence(stripped, frame),
      status: status | (inexact ? RX_STATUS.PIF : 0) | (tag === null ? 0 : RX_STATUS.VP),
      errors,
      checksum,
      special: tag ?? 0,
    };
  }

  /** The tag to be taken out, in VLAN mode. */
  #tagOf(frame: Uint8Array): number | null {
    const { registers } = this;
    if (!(registers.get(REGISTER.CTRL) & CTRL_VME) || frame.length < 16) return null;
    if (((frame[12] << 8) | frame[13]) !== registers.get(REGISTER.VET)) return null;
    return (frame[14] << 8) | frame[15];
  }

  #store(frame: StoredFrame): void {
    const { registers } = this;
    const length = this.#ringLength;
    const base = busAddress(registers.get(REGISTER.RDBAL), registers.get(REGISTER.RDBAH));
    const bufferBytes = this.#bufferBytes;
    for (let offset = 0; offset < frame.bytes.length; offset += bufferBytes) {
      const head = registers.get(REGISTER.RDH);
      const part = frame.bytes.subarray(offset, offset + bufferBytes);
      const last = offset + bufferBytes >= frame.bytes.length;
      this.#storePart(base + head * DESCRIPTOR_BYTES, frame, part, last);
      registers.set(REGISTER.RDH, (head + 1) % length);
    }
  }

  /** Data first, then the descriptor that says that it is there. */
  #storePart(position: number, frame: StoredFrame, part: Uint8Array, last: boolean): void {
    const descriptor = new Uint8Array(DESCRIPTOR_BYTES);
    const view = new DataView(descriptor.buffer);
    this.dma.readDma(physical(position), descriptor);
    const buffer = busAddress(view.getUint32(0, true), view.getUint32(4, true));
    if (buffer !== 0) this.dma.writeDma(physical(buffer), part);
    view.setUint16(8, part.length, true);
    view.setUint16(10, frame.checksum, true);
    view.setUint8(12, frame.status | RX_STATUS.DD | (last ? RX_STATUS.EOP : 0));
    view.setUint8(13, last ? frame.errors : 0);
    view.setUint16(14, frame.special, true);
    this.dma.writeDma(physical(position + 8), descriptor.subarray(8));
  }
}

function checksumReport(frame: Uint8Array, rxcsum: number): { status: number; errors: number } {
  if (!(rxcsum & (RXCSUM.IPOFL | RXCSUM.TUOFL))) return { status: RX_STATUS.IXSM, errors: 0 };
  const { ip, transport } = verifyFrame(frame);
  let status = 0;
  let errors = 0;
  if (rxcsum & RXCSUM.IPOFL && ip !== "absent") {
    status |= RX_STATUS.IPCS;
    if (ip === "bad") errors |= RX_ERROR.IPE;
  }
  if (rxcsum & RXCSUM.TUOFL && transport !== "absent") {
    status |= RX_STATUS.TCPCS;
    if (transport === "bad") errors |= RX_ERROR.TCPE;
  }
  return { status, errors };
}

function padded(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LEAST_FRAME_BYTES);
  bytes.set(frame);
  return bytes;
}

function withoutTag(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frame.length - 4);
  bytes.set(frame.subarray(0, 12));
  bytes.set(frame.subarray(16), 12);
  return bytes;
}

/** `frame` followed by the check sequence of what was on the wire. */
function withCheckSequence(frame: Uint8Array, wire: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frame.length + 4);
  bytes.set(frame);
  new DataView(bytes.buffer).setUint32(frame.length, frameCheckSequence(wire), true);
  return bytes;
}
