/**
 * One channel of a PCI IDE bus master: command, status and descriptor table pointer, and the walk
 * through the physical region descriptors.
 *
 * A descriptor is eight bytes: address (31:1), byte count (15:1, zero is 64 KiB), end of table in bit 31
 * of the second word. Sources: "Programming Interface for Bus Master IDE Controller" 1.0; 82371SB data
 * sheet, "BMICX", "BMISX", "BMIDTPX".
 */

import { physical } from "../../core/lib/brand.ts";
import type { DmaBus, PortDevice, PortSize } from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { DmaEngine } from "./task_file_drive.ts";

/** Offsets in the eight ports of one channel. */
export const BUS_MASTER = { BMIC: 0, BMIS: 2, BMIDTP: 4 } as const;

/** Bits of BMIC. */
export const BMIC = {
  /** Start/stop bus master. */
  SSBM: 0x01,
  /** Read or write control: set, the bus master writes memory. */
  RWCON: 0x08,
} as const;

/** Bits of BMIS. */
export const BMIS = {
  ACTIVE: 0x01,
  /** Error; cleared by writing one. */
  ERROR: 0x02,
  /** The channel raised its interrupt; cleared by writing one. */
  INTERRUPT: 0x04,
  /** Drives are DMA capable: set by software. */
  CAPABLE: 0x60,
} as const;

const DESCRIPTOR_BYTES = 8;
/** The table may not cross 64 KiB, so no walk takes more steps. */
const MAX_DESCRIPTORS = 0x10000 / DESCRIPTOR_BYTES;
const END_OF_TABLE = 0x80000000;

/** The bus master of one IDE channel. Ports count from the start of the channel's eight. */
export class BusMasterChannel implements DmaEngine, PortDevice, Snapshot {
  #command = 0;
  #status = 0;
  #table = 0;
  /** The next descriptor, and what is left of the current one. */
  #next = 0;
  #address = 0;
  #bytesLeft = 0;
  #lastDescriptor = false;
  /** Called when software starts the bus master. */
  onStart: () => void = () => {};

  /** `enabled` tells whether the PCI function may master the bus. */
  constructor(readonly dma: DmaBus, readonly enabled: () => boolean = () => true) {}

  readPort(port: number, size: PortSize): number {
    const table = this.#table;
    const bytes = [this.#command, 0, this.#status, 0];
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      const offset = port + byte;
      const one = offset < 4 ? bytes[offset] : (table >>> (8 * (offset - 4))) & 0xff;
      value |= one << (8 * byte);
    }
    return value >>> 0;
  }

  writePort(port: number, size: PortSize, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      this.#writeByte(port + byte, (value >>> (8 * byte)) & 0xff);
    }
  }

  /** The channel's interrupt line rose. */
  interruptRaised(): void {
    this.#status |= BMIS.INTERRUPT;
  }

  running(toMemory: boolean): boolean {
    const direction = (this.#command & BMIC.RWCON) !== 0;
    return (this.#status & BMIS.ACTIVE) !== 0 && direction === toMemory && this.enabled();
  }

  toMemory(bytes: Uint8Array): number {
    return this.#move(bytes, (address, part) => this.dma.writeDma(physical(address), part));
  }

  fromMemory(into: Uint8Array): number {
    return this.#move(into, (address, part) => this.dma.readDma(physical(address), part));
  }

  reset(): void {
    this.#command = 0;
    this.#status = 0;
    this.#table = 0;
    this.#stop();
  }

  save(): SnapshotRecord {
    return {
      kind: "ide.busMaster",
      version: 1,
      state: {
        command: this.#command,
        status: this.#status,
        table: this.#table,
        next: this.#next,
        address: this.#address,
        bytesLeft: this.#bytesLeft,
        lastDescriptor: this.#lastDescriptor,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "ide.busMaster", 1);
    this.#command = state.command as number;
    this.#status = state.status as number;
    this.#table = state.table as number;
    this.#next = state.next as number;
    this.#address = state.address as number;
    this.#bytesLeft = state.bytesLeft as number;
    this.#lastDescriptor = state.lastDescriptor as boolean;
  }

  #writeByte(offset: number, value: number): void {
    if (offset === BUS_MASTER.BMIC) return this.#writeCommand(value);
    if (offset === BUS_MASTER.BMIS) {
      const cleared = this.#status & ~(value & (BMIS.ERROR | BMIS.INTERRUPT));
      this.#status = (cleared & ~BMIS.CAPABLE) | (value & BMIS.CAPABLE);
    } else if (offset >= BUS_MASTER.BMIDTP && offset < 8) {
      const shift = 8 * (offset - BUS_MASTER.BMIDTP);
      this.#table = ((this.#table & ~(0xff << shift)) | (value << shift)) & ~3;
    }
  }

  #writeCommand(value: number): void {
    const wasRunning = (this.#command & BMIC.SSBM) !== 0;
    // The direction must not change while the bus master runs.
    const direction = wasRunning ? this.#command & BMIC.RWCON : value & BMIC.RWCON;
    this.#command = (value & BMIC.SSBM) | (value & BMIC.SSBM ? direction : value & BMIC.RWCON);
    const runs = (value & BMIC.SSBM) !== 0;
    if (runs && !wasRunning) {
      this.#next = this.#table >>> 0;
      this.#bytesLeft = 0;
      this.#lastDescriptor = false;
      this.#status |= BMIS.ACTIVE;
      this.onStart();
    } else if (!runs && wasRunning) this.#stop();
  }

  #stop(): void {
    this.#status &= ~BMIS.ACTIVE;
    this.#bytesLeft = 0;
    this.#lastDescriptor = false;
  }

  /** Moves `bytes` piece by piece; returns how many found room before the end of the table. */
  #move(bytes: Uint8Array, transfer: (address: number, part: Uint8Array) => void): number {
    let done = 0;
    for (let steps = 0; done < bytes.length && steps < MAX_DESCRIPTORS; steps++) {
      if (this.#bytesLeft === 0 && !this.#fetchDescriptor()) break;
      const length = Math.min(this.#bytesLeft, bytes.length - done);
      transfer(this.#address, bytes.subarray(done, done + length));
      this.#address += length;
      this.#bytesLeft -= length;
      done += length;
    }
    // The last byte of the table is the end of the bus master's part.
    if (this.#bytesLeft === 0 && this.#lastDescriptor) this.#status &= ~BMIS.ACTIVE;
    return done;
  }

  #fetchDescriptor(): boolean {
    if (this.#lastDescriptor) return false;
    const bytes = new Uint8Array(DESCRIPTOR_BYTES);
    this.dma.readDma(physical(this.#next), bytes);
    const view = new DataView(bytes.buffer);
    const control = view.getUint32(4, true);
    this.#address = (view.getUint32(0, true) & ~1) >>> 0;
    this.#bytesLeft = control & 0xfffe || 0x10000;
    this.#lastDescriptor = (control & END_OF_TABLE) !== 0;
    this.#next += DESCRIPTOR_BYTES;
    return true;
  }
}
