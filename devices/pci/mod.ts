/**
 * PCI: bus 0 behind configuration mechanism 1, functions with BARs and INTx, and the board's own
 * functions (440FX host bridge, PIIX3 ISA bridge, PIIX4 power management). Not here: the devices
 * that are plugged in, and the ACPI register block.
 *
 * ```ts ignore
 * const router = new PciInterruptRouter((irq) => board.isaIrq(irq));
 * const bus = new PciBus({ ports, mmio, router, resetMachine: (hard) => board.reset(hard) });
 * bus.plug(0, 0, new I440fx({ setPam: (region, read, write) => board.setPam(region, read, write) }));
 * bus.plug(1, 0, new Piix3Isa(router));
 * bus.plug(1, 3, new Piix4Pm({ setPmBase: (base, enabled) => board.setPmBase(base, enabled) }));
 * bus.attach();
 * ```
 *
 * Slots as on QEMU's `pc`: 0 host bridge; 1.0 ISA bridge, 1.1 IDE, 1.3 power management; 2 display; 3 and up free.
 */

export { CONFIG_SPACE_BYTES, ConfigSpace, type PciRegister } from "./config_space.ts";
export {
  PCI_COMMAND,
  PCI_HEADER,
  PCI_STATUS,
  type PciBar,
  type PciConnection,
  PciFunction,
  type PciFunctionOptions,
} from "./pci_function.ts";
export {
  FIRMWARE_PIRQ_IRQS,
  PciInterruptRouter,
  type PciRoute,
  pciRoutingTable,
  PIRQ_DISABLED,
  pirqOf,
} from "./interrupt_router.ts";
export { PciBus, type PciBusPorts, type PciSlot } from "./pci_bus.ts";
export {
  I440fx,
  type I440fxPorts,
  PAM_REGIONS,
  type PamRegion,
  type SmramState,
} from "./i440fx.ts";
export { Piix3Isa, PIRQRC } from "./piix3_isa.ts";
export { Piix4Pm, type Piix4PmOptions, type Piix4PmPorts, PMBA, PMREGMISC } from "./piix4_pm.ts";
export { configurePci, type PciLayout } from "./configure_pci.ts";
