/**
 * Intel's 82540EM ("e1000") network card. Not here: the switch (`devices/net`), the PCI bus (`devices/pci`).
 *
 * ```ts ignore
 * const card = new E1000Pci({ name: "e1000.0", clock, dma, mac: parseMac("52:54:00:12:34:56") });
 * bus.plug(3, 0, card);
 * const port = lan.attach("web1");
 * card.nic.wire = port;
 * port.connect(card.nic);
 * ```
 */

export { E1000, type E1000Options } from "./e1000.ts";
export { E1000Pci, type E1000PciOptions } from "./e1000_pci.ts";
export { REGISTER, REGISTERS, STATISTIC } from "./registers.ts";
export { ICR } from "./interrupts.ts";
