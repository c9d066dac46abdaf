/**
 * What firmware does to PCI before it starts a kernel, for machines that boot without firmware:
 * place BARs, route interrupts, enable decoding, open the shadow RAM, place the ACPI register block.
 *
 * Every step is a configuration write that firmware could make; nothing else is touched. Level
 * triggering of the routed interrupts (ELCR, ports 4D0h and 4D1h) is up to the caller.
 */

import type { PciBus, PciSlot } from "./pci_bus.ts";
import { PAM_REGIONS } from "./i440fx.ts";
import { PIRQRC } from "./piix3_isa.ts";
import { PMBA, PMREGMISC } from "./piix4_pm.ts";
import { FIRMWARE_PIRQ_IRQS, pirqOf } from "./interrupt_router.ts";
import { PCI_COMMAND, PCI_HEADER } from "./pci_function.ts";

/** Where {@link configurePci} places things. */
export interface PciLayout {
  /** Memory BARs go from here (default FD000000h) … */
  readonly memoryBase?: number;
  /** … to below here (default FEC00000h, the I/O APIC). */
  readonly memoryLimit?: number;
  /** I/O BARs go from here (default C000h) up. */
  readonly ioBase?: number;
  /** The ACPI register block (default 600h, as SeaBIOS places it). */
  readonly pmBase?: number;
}

/** The vendor's and the device's id as one number, by role. */
const CHIPSET = { i440fx: 0x12378086, piix3: 0x70008086, piix4Pm: 0x71138086 };
/** The SCI; fixed on the PIIX4. */
const SCI_IRQ = 9;

/** Sets the bus up as firmware would; throws `RangeError` if the BARs do not fit. */
export function configurePci(bus: PciBus, layout: PciLayout = {}): void {
  placeWindows(bus, layout);
  for (const place of bus.functions) {
    const id = place.function.readConfig(PCI_HEADER.vendorId, 4);
    if (id === CHIPSET.i440fx) openShadowRam(place);
    else if (id === CHIPSET.piix3) routeInterrupts(place);
    else if (id === CHIPSET.piix4Pm) placePmBlock(place, layout.pmBase ?? 0x600);
    assignInterruptLine(place, id);
    enableDecoding(place);
  }
}

/** Largest first, so that every range is naturally aligned without holes. */
function placeWindows(bus: PciBus, layout: PciLayout): void {
  let io = layout.ioBase ?? 0xc000;
  let memory = layout.memoryBase ?? 0xfd00_0000;
  const memoryLimit = layout.memoryLimit ?? 0xfec0_0000;
  const windows = bus.functions.flatMap(({ function: pciFunction }) =>
    pciFunction.windows.map((window) => ({ pciFunction, window }))
  );
  windows.sort((a, b) => b.window.sizeBytes - a.window.sizeBytes);
  for (const { pciFunction, window: { kind, register, sizeBytes, name } } of windows) {
    const next = kind === "io" ? io : memory;
    const limit = kind === "io" ? 0x1_0000 : memoryLimit;
    const base = Math.ceil(next / sizeBytes) * sizeBytes;
    if (base + sizeBytes > limit) {
      throw new RangeError(
        `no room for ${name}: ${sizeBytes} bytes from 0x${base.toString(16)}, ` +
          `expected to end by 0x${limit.toString(16)}`,
      );
    }
    pciFunction.writeConfig(register, 4, base);
    if (kind === "io") io = base + sizeBytes;
    else memory = base + sizeBytes;
  }
}

function openShadowRam({ function: bridge }: PciSlot): void {
  for (const { register } of PAM_REGIONS) bridge.writeConfig(register, 1, 0x33);
}

function routeInterrupts({ function: bridge }: PciSlot): void {
  FIRMWARE_PIRQ_IRQS.forEach((irq, pirq) => bridge.writeConfig(PIRQRC + pirq, 1, irq));
}

function placePmBlock({ function: pm }: PciSlot, base: number): void {
  pm.writeConfig(PMBA, 4, base | 1);
  pm.writeConfig(PMREGMISC, 1, 1);
}

function assignInterruptLine({ slot, function: pciFunction }: PciSlot, id: number): void {
  if (pciFunction.interruptPin === 0) return;
  const pirq = pirqOf(slot, pciFunction.interruptPin - 1);
  const irq = id === CHIPSET.piix4Pm ? SCI_IRQ : FIRMWARE_PIRQ_IRQS[pirq];
  pciFunction.writeConfig(PCI_HEADER.interruptLine, 1, irq);
}

function enableDecoding({ function: pciFunction }: PciSlot): void {
  const enable = PCI_COMMAND.ioSpace | PCI_COMMAND.memorySpace | PCI_COMMAND.serrEnable;
  pciFunction.writeConfig(PCI_HEADER.command, 2, pciFunction.command | enable);
}
