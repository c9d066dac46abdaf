/** The devices of a board with the ports, memory and interrupts that they occupy now, as text. */

import type { IoSpace } from "../../core/memory/io_space.ts";
import {
  type PciBus,
  type PciFunction,
  type PciInterruptRouter,
  Piix4Pm,
  pirqOf,
} from "../pci/mod.ts";
import type { IrqWiring } from "./irq_wiring.ts";
import type { MmioDirectory } from "./mmio_directory.ts";

/** One device of a listing. */
export interface DeviceRow {
  readonly name: string;
  /** For example `ports 0x3f8-0x3ff, IRQ 4`. */
  readonly resources: string;
}

/** Where resources are found. */
export interface ListingSources {
  readonly ports: IoSpace;
  readonly mmio: MmioDirectory;
  readonly wires: IrqWiring;
  readonly pci: PciBus;
  readonly router: PciInterruptRouter;
}

/** Devices at fixed places by their ports, then memory-mapped ones, then PCI functions by place. */
export function listDevices({ ports, mmio, wires, pci, router }: ListingSources): DeviceRow[] {
  const ofPci = new Set(
    pci.functions.flatMap((place) => place.function.windows.map(({ name }) => name)),
  );
  const rows = new Map<string, string[]>();
  const add = (name: string, resource: string) => {
    if (!ofPci.has(name)) rows.set(name, [...(rows.get(name) ?? []), resource]);
  };
  for (const { first, last, name } of ports.claims()) {
    add(name, `ports ${range(first, last - first + 1)}`);
  }
  for (const { base, sizeBytes, name } of mmio.claims()) {
    add(name, `memory ${range(base, sizeBytes)}`);
  }
  for (const { irq, name } of wires.drivers) if (rows.has(name)) add(name, `IRQ ${irq}`);
  for (const { slot, func, function: pciFunction } of pci.functions) {
    rows.set(
      `PCI ${slot}.${func} ${pciFunction.name}`,
      functionResources(slot, pciFunction, router),
    );
  }
  return [...rows].map(([name, resources]) => ({ name, resources: resources.join(", ") }));
}

/** Vendor and device, what is mapped, and where INTx arrives under the present routing. */
function functionResources(
  slot: number,
  pciFunction: PciFunction,
  router: PciInterruptRouter,
): string[] {
  const mapped = pciFunction.windows.filter(({ base }) => base !== null).map((window) =>
    `${window.kind === "io" ? "ports" : window.kind} ${range(window.base!, window.sizeBytes)}`
  );
  // The PIIX4's pin is never driven: its interrupt is the SCI.
  const pin = pciFunction instanceof Piix4Pm ? -1 : pciFunction.interruptPin - 1;
  const irq = pin < 0 ? null : router.irqOf(pirqOf(slot, pin));
  const [device, vendor] = [pciFunction.readConfig(2, 2), pciFunction.readConfig(0, 2)].map((id) =>
    id.toString(16).padStart(4, "0")
  );
  return [`${vendor}:${device}`, ...mapped, ...(irq === null ? [] : [`IRQ ${irq}`])];
}

function range(first: number, size: number): string {
  return size === 1 ? hex(first) : `${hex(first)}-${hex(first + size - 1)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
