/** Firmware's work for a kernel that is started directly: PCI, IDE, interrupt triggers, ACPI tables. */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import type { IoSpace } from "../../core/memory/io_space.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import { placeTables, sciIrq } from "../acpi/mod.ts";
import type { FirmwareTables } from "../firmware_tables.ts";
import type { Piix3Ide } from "../ide/mod.ts";
import { configurePci, FIRMWARE_PIRQ_IRQS, type PciBus } from "../pci/mod.ts";

/** Where ACPI tables lie without firmware, and what of it the memory map must reserve. */
export interface DirectBoot {
  readonly acpiRsdp: number;
  readonly reserved: readonly {
    readonly address: PhysicalAddress;
    readonly sizeBytes: number;
    readonly type: "reserved";
  }[];
}

/** What is set up. */
export interface DirectBootParts {
  readonly ports: IoSpace;
  readonly memory: MachineMemory;
  readonly pci: PciBus;
  readonly ide: Piix3Ide;
  readonly tables: FirmwareTables;
}

/** The BIOS area, where an operating system looks for the RSDP. */
const ACPI_AREA = { address: physical(0xe_0000), sizeBytes: 0x2_0000 } as const;
/** Edge/level control registers of the two 8259s (82371SB data sheet, "ELCR1", "ELCR2"). */
const ELCR = [0x4d0, 0x4d1] as const;

/** Leaves the board as SeaBIOS would; throws `RangeError` if the tables do not fit into the BIOS area. */
export function prepareDirectBoot(
  { ports, memory, pci, ide, tables }: DirectBootParts,
): DirectBoot {
  configurePci(pci);
  ide.enable();
  const levels = [sciIrq, ...FIRMWARE_PIRQ_IRQS].reduce((bits, irq) => bits | (1 << irq), 0);
  ELCR.forEach((port, chip) => ports.write(port, 1, (levels >> (8 * chip)) & 0xff));
  const { rsdp, parts } = placeTables(tables);
  for (const { address, bytes } of parts) {
    const end = ACPI_AREA.address + ACPI_AREA.sizeBytes;
    if (address + bytes.length > end) {
      throw new RangeError(
        `ACPI tables must end by 0x${end.toString(16)}, found ${bytes.length} bytes ` +
          `from 0x${address.toString(16)}`,
      );
    }
    memory.writeBytes(address, bytes);
  }
  return { acpiRsdp: rsdp, reserved: [{ ...ACPI_AREA, type: "reserved" }] };
}
