/**
 * The 82540EM on a PCI bus: BAR 0 is the register file, BAR 2 the I/O window, INTA# the interrupt.
 *
 * Wiring: `const card = new E1000Pci({ name: "e1000.0", clock, dma, mac })`, `bus.plug(3, 0, card)`, then
 * `card.nic.wire = port` and `port.connect(card.nic)`.
 *
 * Source: 8254x manual, section 4.1 "PCI Configuration", tables 4-1 and 4-2.
 *
 * @deviation No power management and no message-signalled interrupt capability.
 */

import { expectRecord, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { MmioDevice, PortDevice } from "../../core/memory/ports.ts";
import { PciFunction } from "../pci/pci_function.ts";
import { E1000, type E1000Options } from "./e1000.ts";
import { REGISTER_SPACE_BYTES } from "./registers.ts";

const IO_BAR_BYTES = 64;

/** What the card needs; the interrupt and the bus master bit are PCI's. */
export type E1000PciOptions = Omit<E1000Options, "irq" | "busMaster">;

/** An 82540EM card, 8086:100E. */
export class E1000Pci extends PciFunction {
  readonly nic: E1000;

  constructor(options: E1000PciOptions) {
    const chip: { nic: E1000 | null } = { nic: null };
    super({
      name: options.name,
      vendorId: 0x8086,
      deviceId: 0x100e,
      classCode: 0x020000,
      revisionId: 2,
      subsystemVendorId: 0x8086,
      subsystemId: 0x001e,
      interruptPin: 1,
      bars: [
        {
          index: 0,
          kind: "memory",
          sizeBytes: REGISTER_SPACE_BYTES,
          name: `${options.name} registers`,
          device: behindMmio(chip),
        },
        {
          index: 2,
          kind: "io",
          sizeBytes: IO_BAR_BYTES,
          name: `${options.name} I/O`,
          device: behindPorts(chip),
        },
      ],
    });
    this.nic = new E1000({
      ...options,
      irq: { setLevel: (high) => this.setInterrupt(high) },
      busMaster: () => this.busMasterEnabled,
    });
    chip.nic = this.nic;
  }

  override reset(): void {
    this.nic.powerOn();
    super.reset();
  }

  override save(): SnapshotRecord {
    const pci = super.save();
    const nic = this.nic.save();
    return {
      kind: "e1000Pci",
      version: 1,
      state: { pci: { ...pci }, nic: { ...nic } },
    };
  }

  override restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "e1000Pci", 1);
    super.restore(state.pci as unknown as SnapshotRecord);
    this.nic.restore(state.nic as unknown as SnapshotRecord);
  }
}

/** The BARs exist before the chip does. */
function behindMmio(chip: { readonly nic: E1000 | null }): MmioDevice {
  return {
    readMmio: (offset, size) => chip.nic?.readMmio(offset, size) ?? 0,
    writeMmio: (offset, size, value) => chip.nic?.writeMmio(offset, size, value),
  };
}

function behindPorts(chip: { readonly nic: E1000 | null }): PortDevice {
  return {
    readPort: (port, size) => chip.nic?.ioPorts.readPort(port, size) ?? 0,
    writePort: (port, size, value) => chip.nic?.ioPorts.writePort(port, size, value),
  };
}
