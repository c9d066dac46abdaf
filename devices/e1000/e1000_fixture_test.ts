/** An 82540EM with 4 MiB of memory, and a driver's few helpers: what the tests of this folder drive. */

import { type Cycle, MachineClock, nanoseconds } from "../../core/clock/clock.ts";
import { parseMac } from "../net/addresses.ts";
import { E1000 } from "./e1000.ts";
import { REGISTER } from "./registers.ts";

export const MAC = parseMac("52:54:00:12:34:56");
/** Where the rings are, and how many descriptors each has. */
export const TX_RING = 0x1000;
export const RX_RING = 0x2000;
export const RING_ENTRIES = 16;
/** Receive buffers, 16 KiB apart. */
export const RX_BUFFERS = 0x100000;

/** One transmit descriptor, as four words. */
export type DescriptorWords = readonly [number, number, number, number];

/** A card and the driver's side of it. */
export class E1000Fixture {
  readonly clock = new MachineClock();
  readonly memory = new Uint8Array(4 << 20);
  readonly view = new DataView(this.memory.buffer);
  readonly sent: Uint8Array[] = [];
  irq = false;
  rises = 0;
  readonly nic: E1000;

  constructor() {
    this.nic = new E1000({
      name: "nic",
      clock: this.clock,
      dma: {
        readDma: (address, into) => {
          into.fill(0xff);
          into.set(this.memory.subarray(address, address + into.length));
        },
        writeDma: (address, bytes) => {
          if (address + bytes.length <= this.memory.length) this.memory.set(bytes, address);
        },
      },
      irq: {
        setLevel: (high) => {
          if (high && !this.irq) this.rises++;
          this.irq = high;
        },
      },
      mac: MAC,
      transmitDelayNs: nanoseconds(2000),
    });
    this.nic.wire = { send: (frame) => this.sent.push(frame.slice()) };
  }

  read(register: number): number {
    return this.nic.readMmio(register, 4);
  }

  write(register: number, value: number): void {
    this.nic.writeMmio(register, 4, value >>> 0);
  }

  /** Sets both rings up, with all receive buffers but one given to the card. */
  start(rctl = 0x8002, buffers = RING_ENTRIES - 1): void {
    this.write(REGISTER.TDBAL, TX_RING);
    this.write(REGISTER.TDLEN, RING_ENTRIES * 16);
    this.write(REGISTER.TCTL, 0x0a);
    for (let index = 0; index < RING_ENTRIES; index++) {
      this.view.setUint32(RX_RING + 16 * index, RX_BUFFERS + 0x4000 * index, true);
    }
    this.write(REGISTER.RDBAL, RX_RING);
    this.write(REGISTER.RDLEN, RING_ENTRIES * 16);
    this.write(REGISTER.RDT, buffers);
    this.write(REGISTER.RCTL, rctl);
  }

  /** Puts descriptors behind the tail, moves it and lets the card work. */
  transmit(descriptors: readonly DescriptorWords[]): void {
    let tail = this.read(REGISTER.TDT);
    for (const words of descriptors) {
      words.forEach((word, index) =>
        this.view.setUint32(TX_RING + 16 * tail + 4 * index, word >>> 0, true)
      );
      tail = (tail + 1) % RING_ENTRIES;
    }
    this.write(REGISTER.TDT, tail);
    this.settle();
  }

  settle(): void {
    while (this.clock.nextDeadline !== Infinity) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
    }
  }

  /** What the card wrote into receive descriptor `index`. */
  received(index: number) {
    const at = RX_RING + 16 * index;
    const length = this.view.getUint16(at + 8, true);
    const buffer = RX_BUFFERS + 0x4000 * index;
    return {
      length,
      checksum: this.view.getUint16(at + 10, true),
      status: this.memory[at + 12],
      errors: this.memory[at + 13],
      special: this.view.getUint16(at + 14, true),
      bytes: this.memory.slice(buffer, buffer + length),
    };
  }
}
