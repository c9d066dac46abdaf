/**
 * The firmware configuration device on a PC: selector port 0x510, data port 0x511, and DMA through the
 * address register at 0x514.
 *
 * Source: QEMU documentation, docs/specs/fw_cfg.rst, "Selector (Control) Register", "Guest-side DMA Interface".
 */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { DmaBus, PortBus, PortSize } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import { FwCfg, type FwCfgContents } from "./fw_cfg.ts";

const selectorPort = 0x510;
const dmaPort = 0x514;

/** The DMA address register reads as "QEMU CFG", big-endian. */
const dmaSignature = [0x51, 0x45, 0x4d, 0x55, 0x20, 0x43, 0x46, 0x47] as const;

/** FWCfgDmaAccess.control; the selector of SELECT is in the upper half. */
const Control = { error: 1, read: 2, skip: 4, select: 8, write: 16 } as const;
/** FWCfgDmaAccess: control, length, address; big-endian. */
const accessBytes = 16;
const chunkBytes = 65_536;
/** A longer transfer reports an error: nothing that firmware asks for comes near it. */
const transferLimitBytes = 256 * 1024 * 1024;
const physicalLimit = 2 ** 52;

/** What a {@link FwCfgDevice} is wired to. */
export interface FwCfgWiring extends FwCfgContents {
  readonly ports: PortBus;
  /** Memory, or nothing for a device without DMA. */
  readonly dma?: DmaBus;
}

/** The device. */
export class FwCfgDevice implements Snapshot {
  readonly #chip: FwCfg;
  #addressHigh = 0;

  constructor(wiring: FwCfgWiring) {
    const { ports, dma } = wiring;
    this.#chip = new FwCfg(wiring, dma !== undefined);
    ports.attachPorts(selectorPort, selectorPort + 1, "fw_cfg", {
      readPort: (port, size) => this.#readPort(port, size),
      writePort: (port, size, value) => {
        if (port === selectorPort && size === 2) this.#chip.select(value);
      },
    });
    if (!dma) return;
    const signature = bytePorts({
      readByte: (port) => dmaSignature[port - dmaPort],
      writeByte: () => {},
    });
    ports.attachPorts(dmaPort, dmaPort + 7, "fw_cfg DMA", {
      readPort: signature.readPort,
      writePort: (port, size, value) => this.#writeDmaAddress(dma, port, size, value),
    });
  }

  save(): SnapshotRecord {
    const { state } = this.#chip.save();
    return {
      kind: "fw_cfg device",
      version: 1,
      state: { ...state, addressHigh: this.#addressHigh },
    };
  }

  restore(record: SnapshotRecord): void {
    const { addressHigh, ...state } = expectRecord(record, "fw_cfg device", 1);
    this.#chip.restore({ kind: "fw_cfg", version: 1, state });
    this.#addressHigh = addressHigh as number;
  }

  #readPort(port: number, size: PortSize): number {
    if (port !== selectorPort) return this.#chip.readByte();
    return size === 2 ? this.#chip.selector : 0;
  }

  /** The two halves are big-endian on a little-endian bus; the low one starts the transfer. */
  #writeDmaAddress(dma: DmaBus, port: number, size: PortSize, value: number): void {
    if (size !== 4) return;
    const half = byteSwap(value);
    if (port === dmaPort) {
      this.#addressHigh = half;
    } else if (port === dmaPort + 4) {
      const address = this.#addressHigh * 2 ** 32 + half;
      this.#addressHigh = 0;
      if (address + accessBytes <= physicalLimit) this.#transfer(dma, physical(address));
    }
  }

  #transfer(dma: DmaBus, descriptor: PhysicalAddress): void {
    const access = new Uint8Array(accessBytes);
    dma.readDma(descriptor, access);
    const view = new DataView(access.buffer);
    const control = view.getUint32(0);
    if ((control & Control.select) !== 0) this.#chip.select(control >>> 16);
    const length = view.getUint32(4);
    const address = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    const done = this.#perform(dma, control, address, length);
    view.setUint32(0, done ? 0 : Control.error);
    dma.writeDma(descriptor, access.subarray(0, 4));
  }

  /** Read goes before write, and write before skip. Returns whether it went well. */
  #perform(dma: DmaBus, control: number, address: number, length: number): boolean {
    if ((control & Control.read) !== 0) {
      if (length > transferLimitBytes || address + length > physicalLimit) return false;
      for (let done = 0; done < length; done += chunkBytes) {
        const chunk = new Uint8Array(Math.min(chunkBytes, length - done));
        this.#chip.read(chunk);
        dma.writeDma(physical(address + done), chunk);
      }
      return true;
    }
    if ((control & Control.write) !== 0) return false;
    if ((control & Control.skip) !== 0) this.#chip.skip(length);
    return true;
  }
}

function byteSwap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) |
    (value >>> 24)) >>> 0;
}
