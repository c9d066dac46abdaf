/**
 * The transmit side: walks the descriptor ring, assembles packets, hands frames over
 * (8254x manual, sections 3.3 "Packet Transmission" and 3.4 "Transmit Descriptor Ring Structure").
 *
 * @deviation Descriptors are written back one by one as they are done, whatever TXDCTL's thresholds say.
 */

import { physical } from "../../core/lib/brand.ts";
import type { DmaBus } from "../../core/memory/ports.ts";
import { REGISTER, type RegisterFile, STATISTIC } from "./registers.ts";
import { ICR } from "./interrupts.ts";
import {
  EMPTY_CONTEXT,
  insertChecksum,
  insertChecksums,
  segment,
  type TransmitContext,
} from "../net/segmentation.ts";

/** Bits of TCTL. */
export const TCTL = {
  EN: 1 << 1,
  /** Pad short packets. */
  PSP: 1 << 3,
} as const;

/** Bits of a transmit descriptor's command byte (CMD, TUCMD, DCMD). */
export const TX_COMMAND = {
  /** End of packet; in a context descriptor: TCP. */
  EOP: 0x01,
  /** Insert the frame check sequence; in a context descriptor: IPv4. */
  IFCS: 0x02,
  /** Legacy: insert a checksum; else: TCP segmentation enable. */
  IC: 0x04,
  TSE: 0x04,
  /** Report status. */
  RS: 0x08,
  /** Report packet sent. */
  RPS: 0x10,
  /** Descriptor extension: not a legacy descriptor. */
  DEXT: 0x20,
  /** VLAN packet enable. */
  VLE: 0x40,
} as const;

const POPTS_IXSM = 0x01;
const POPTS_TXSM = 0x02;
const STATUS_DD = 0x01;
const DESCRIPTOR_BYTES = 16;
/** Descriptors worked through before time goes on. */
export const DESCRIPTORS_PER_STEP = 64;
/** The longest packet without and with segmentation, in bytes. */
const MAX_PACKET_BYTES = 16288;
const MAX_SEGMENTED_BYTES = 0x100000;
/** CTRL: VLAN mode enable. */
const CTRL_VME = 1 << 30;

/** What the packet that is being assembled will need at its end. */
interface OpenPacket {
  readonly kind: "legacy" | "plain" | "segmented";
  readonly ixsm: boolean;
  readonly txsm: boolean;
  bytes: Uint8Array;
  /** More bytes came than any packet may have: it will be dropped. */
  tooLong: boolean;
}

/** The four words of a descriptor. */
interface Descriptor {
  readonly addressLow: number;
  readonly addressHigh: number;
  readonly low: number;
  readonly high: number;
  readonly command: number;
}

/** The transmitter of one card. */
export class Transmitter {
  #context: TransmitContext = EMPTY_CONTEXT;
  #packet: OpenPacket | null = null;

  /** `send` takes finished frames, without a frame check sequence. */
  constructor(
    private readonly registers: RegisterFile,
    private readonly dma: DmaBus,
    private readonly send: (frame: Uint8Array) => void,
  ) {}

  reset(): void {
    this.#context = EMPTY_CONTEXT;
    this.#packet = null;
  }

  /** Whether descriptors wait. A tail outside the ring counts as none: the ring would never end. */
  get pending(): boolean {
    const { registers } = this;
    const length = this.#ringLength;
    const tail = registers.get(REGISTER.TDT);
    const enabled = (registers.get(REGISTER.TCTL) & TCTL.EN) !== 0;
    return enabled && tail < length && registers.get(REGISTER.TDH) !== tail;
  }

  /** Works through at most {@link DESCRIPTORS_PER_STEP} descriptors; returns the interrupt causes. */
  step(): number {
    let causes = 0;
    for (let count = 0; count < DESCRIPTORS_PER_STEP && this.pending; count++) {
      const head = this.registers.get(REGISTER.TDH) % this.#ringLength;
      const position = this.#ringBase + head * DESCRIPTOR_BYTES;
      const descriptor = this.#fetch(position);
      this.#process(descriptor);
      if (descriptor.command & (TX_COMMAND.RS | TX_COMMAND.RPS)) {
        this.#writeBack(position, descriptor);
        causes |= ICR.TXDW;
      }
      this.registers.set(REGISTER.TDH, (head + 1) % this.#ringLength);
      if (!this.pending) causes |= ICR.TXQE;
    }
    return causes;
  }

  save() {
    const packet = this.#packet;
    return {
      context: { ...this.#context },
      packet: packet && { ...packet, bytes: packet.bytes.slice() },
    };
  }

  restore(state: ReturnType<Transmitter["save"]>): void {
    this.#context = { ...state.context };
    this.#packet = state.packet && { ...state.packet, bytes: state.packet.bytes.slice() };
  }

  get #ringLength(): number {
    return this.registers.get(REGISTER.TDLEN) / DESCRIPTOR_BYTES;
  }

  get #ringBase(): number {
    const { registers } = this;
    return busAddress(registers.get(REGISTER.TDBAL), registers.get(REGISTER.TDBAH));
  }

  #fetch(position: number): Descriptor {
    const bytes = new Uint8Array(DESCRIPTOR_BYTES);
    this.dma.readDma(physical(position), bytes);
    const view = new DataView(bytes.buffer);
    const low = view.getUint32(8, true);
    return {
      addressLow: view.getUint32(0, true),
      addressHigh: view.getUint32(4, true),
      low,
      high: view.getUint32(12, true),
      command: low >>> 24,
    };
  }

  #writeBack(position: number, { high }: Descriptor): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, (high | STATUS_DD) >>> 0, true);
    this.dma.writeDma(physical(position + 12), bytes);
  }

  #process(descriptor: Descriptor): void {
    const { command, low } = descriptor;
    const extended = (command & TX_COMMAND.DEXT) !== 0;
    const type = (low >>> 20) & 0x0f;
    if (extended && type === 0) {
      this.#context = contextOf(descriptor);
      if (command & TX_COMMAND.TSE) this.registers.count(STATISTIC.TSCTC);
      return;
    }
    this.#packet ??= openPacket(descriptor, extended);
    const address = busAddress(descriptor.addressLow, descriptor.addressHigh);
    this.#append(this.#packet, address, low & (extended ? 0xfffff : 0xffff));
    if (!(command & TX_COMMAND.EOP)) return;
    const packet = this.#packet;
    this.#packet = null;
    if (!packet.tooLong) this.#finish(packet, descriptor);
    else if (packet.kind === "segmented") this.registers.count(STATISTIC.TSCTFC);
  }

  #append(packet: OpenPacket, address: number, length: number): void {
    const limit = packet.kind === "segmented" ? MAX_SEGMENTED_BYTES : MAX_PACKET_BYTES;
    if (packet.tooLong || packet.bytes.length + length > limit) {
      packet.tooLong = true;
      return;
    }
    const bytes = new Uint8Array(packet.bytes.length + length);
    bytes.set(packet.bytes);
    if (length > 0) this.dma.readDma(physical(address), bytes.subarray(packet.bytes.length));
    packet.bytes = bytes;
  }

  /** `last` is the packet's last descriptor, whose command, checksum and VLAN fields count. */
  #finish(packet: OpenPacket, last: Descriptor): void {
    switch (packet.kind) {
      case "segmented": {
        const frames = segment(packet.bytes, this.#context, packet);
        if (frames.length === 0) this.registers.count(STATISTIC.TSCTFC);
        for (const frame of frames) this.#transmit(frame, last);
        return;
      }
      case "plain":
        insertChecksums(packet.bytes, this.#context, packet);
        return this.#transmit(packet.bytes, last);
      case "legacy": {
        const cso = (last.low >>> 16) & 0xff;
        const css = (last.high >>> 8) & 0xff;
        if (last.command & TX_COMMAND.IC) insertChecksum(packet.bytes, css, cso, 0);
        return this.#transmit(packet.bytes, last);
      }
    }
  }

  #transmit(bytes: Uint8Array, last: Descriptor): void {
    let frame = bytes;
    if (!(last.command & TX_COMMAND.IFCS)) frame = frame.subarray(0, Math.max(0, frame.length - 4));
    if (last.command & TX_COMMAND.VLE && this.registers.get(REGISTER.CTRL) & CTRL_VME) {
      frame = this.#withTag(frame, last.high >>> 16);
    }
    if (frame.length < 60 && this.registers.get(REGISTER.TCTL) & TCTL.PSP) {
      const padded = new Uint8Array(60);
      padded.set(frame);
      frame = padded;
    }
    if (frame.length >= 14) this.send(frame);
  }

  #withTag(frame: Uint8Array, tag: number): Uint8Array {
    if (frame.length < 12) return frame;
    const tagged = new Uint8Array(frame.length + 4);
    const view = new DataView(tagged.buffer);
    tagged.set(frame.subarray(0, 12));
    view.setUint16(12, this.registers.get(REGISTER.VET));
    view.setUint16(14, tag);
    tagged.set(frame.subarray(12), 16);
    return tagged;
  }
}

/** The low 52 bits of a 64-bit address: no bus here is wider. */
export function busAddress(low: number, high: number): number {
  return (high & 0xfffff) * 2 ** 32 + low;
}

function openPacket({ command, high }: Descriptor, extended: boolean): OpenPacket {
  const empty = { bytes: new Uint8Array(0), tooLong: false };
  if (!extended) return { kind: "legacy", ixsm: false, txsm: false, ...empty };
  const options = (high >>> 8) & 0xff;
  return {
    kind: command & TX_COMMAND.TSE ? "segmented" : "plain",
    ixsm: (options & POPTS_IXSM) !== 0,
    txsm: (options & POPTS_TXSM) !== 0,
    ...empty,
  };
}

/** A context descriptor has offsets where others have an address. */
function contextOf({ addressLow, addressHigh, high, command }: Descriptor): TransmitContext {
  const [first, second] = [addressLow, addressHigh];
  return {
    ipcss: first & 0xff,
    ipcso: (first >>> 8) & 0xff,
    ipcse: first >>> 16,
    tucss: second & 0xff,
    tucso: (second >>> 8) & 0xff,
    tucse: second >>> 16,
    tcp: (command & 0x01) !== 0,
    ipv4: (command & 0x02) !== 0,
    hdrlen: (high >>> 8) & 0xff,
    mss: high >>> 16,
  };
}
