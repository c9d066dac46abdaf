/**
 * PCI bus 0 and what is plugged into it: 0 host bridge; 1.0 ISA bridge, 1.1 IDE, 1.3 power management; 2 display;
 * 3 network card.
 */

import type { MmioBus } from "../../core/memory/ports.ts";
import type { AcpiDevice } from "../acpi/mod.ts";
import { E1000Pci } from "../e1000/mod.ts";
import { AtaDisk, AtapiCdrom, LEGACY_CHANNELS, Piix3Ide } from "../ide/mod.ts";
import { parseMac } from "../net/mod.ts";
import { I440fx, PciBus, PciInterruptRouter, Piix3Isa, Piix4Pm } from "../pci/mod.ts";
import { VgaCard } from "../vga/mod.ts";
import type { BiosRom } from "./bios_rom.ts";
import type { BoardWiring, NicChoice } from "./board_options.ts";
import type { IrqWiring } from "./irq_wiring.ts";

/** The PCI side. */
export interface PciDevices {
  readonly pci: PciBus;
  readonly router: PciInterruptRouter;
  readonly ide: Piix3Ide;
  readonly vga: VgaCard;
  readonly nic: E1000Pci | null;
}

/** The rest of the board, as far as PCI functions reach it. */
export interface PciNeighbours {
  readonly wires: IrqWiring;
  readonly mmio: MmioBus;
  readonly rom: BiosRom;
  readonly acpi: AcpiDevice;
}

const MOST_DISKS = 3;

/** Plugs the PCI side in; throws `RangeError` if there are more disks than places. */
export function plugPciDevices(wiring: BoardWiring, neighbours: PciNeighbours): PciDevices {
  const { clock, ports, power, options } = wiring;
  const { wires, mmio, rom, acpi } = neighbours;
  const router = new PciInterruptRouter((irq) => wires.driver(irq, "PCI"));
  const pci = new PciBus({ ports, mmio, router, resetMachine: () => power.reset() });
  const ide = ideController(wiring, wires);
  const vga = new VgaCard({ clock, ports, mmio });
  const nic = options.nic ? networkCard(wiring, options.nic) : null;
  pci.plug(0, 0, new I440fx({ setPam: (...change) => rom.setPam(...change) }));
  pci.plug(1, 0, new Piix3Isa(router));
  pci.plug(1, 1, ide);
  pci.plug(1, 3, new Piix4Pm({ setPmBase: (base, enabled) => acpi.setPmBase(base, enabled) }));
  pci.plug(2, 0, vga.pciFunction(options.vgabios ?? undefined));
  if (nic) pci.plug(3, 0, nic);
  pci.attach();
  return { pci, router, ide, vga, nic };
}

/** Disks go to the primary channel first; the CD-ROM drive is there with or without a disc. */
function ideController(wiring: BoardWiring, wires: IrqWiring): Piix3Ide {
  const { clock, memory, ports, options } = wiring;
  const disks = options.disks ?? [];
  if (disks.length > MOST_DISKS) {
    throw new RangeError(`the board has room for ${MOST_DISKS} disks, found ${disks.length}`);
  }
  const [first = null, second = null, third = null] = disks.map((disk) => new AtaDisk(disk));
  const [primary, secondary] = LEGACY_CHANNELS;
  const ide = new Piix3Ide({
    clock,
    dma: memory,
    irqs: [wires.driver(primary.irq, primary.name), wires.driver(secondary.irq, secondary.name)],
    drives: [[first, second], [new AtapiCdrom(options.cdrom ?? null), third]],
  });
  ide.attachLegacy(ports);
  return ide;
}

function networkCard({ clock, memory }: BoardWiring, { mac, port }: NicChoice): E1000Pci {
  const card = new E1000Pci({ name: "e1000.0", clock, dma: memory, mac: parseMac(mac) });
  card.nic.wire = port;
  port.connect(card.nic);
  return card;
}
