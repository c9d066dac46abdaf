/** What the board tells firmware and kernels about itself: ACPI tables, CMOS set-up, fw_cfg items. */

import type { IoSpace } from "../../core/memory/io_space.ts";
import type { DmaBus } from "../../core/memory/ports.ts";
import { buildAcpiTables } from "../acpi/mod.ts";
import type { FirmwareTables } from "../firmware_tables.ts";
import { type E820Range, FwCfgDevice } from "../fw_cfg/mod.ts";
import { hpetBase } from "../hpet/mod.ts";
import { FIRMWARE_PIRQ_IRQS, pirqOf } from "../pci/mod.ts";
import type { CmosSetup } from "../rtc/mod.ts";
import type { BoardOptions } from "./board_options.ts";

const FOUR_GIB = 0x1_0000_0000;
/** INT 15h, E820h: usable RAM. */
const E820_RAM = 1;
/** The HPET's event timer block id: three comparators of 64 bits, legacy replacement, Intel. */
const HPET_BLOCK_ID = 0x8086_a201;
/** PCI memory lies between RAM and the I/O APIC. */
const PCI_MEMORY = { first: 0xc000_0000, last: 0xfebf_ffff } as const;
/** Open Firmware paths of the drives that SeaBIOS may start from: secondary and primary master. */
const BOOT_PATH = {
  cdrom: "/pci@i0cf8/ide@1,1/drive@1/disk@0",
  disk: "/pci@i0cf8/ide@1,1/drive@0/disk@0",
} as const;

/** The ACPI tables of a board. */
export function boardTables({ apicIds, lowRamBytes }: BoardOptions): FirmwareTables {
  return buildAcpiTables({
    processors: apicIds.map((apicId) => ({ apicId })),
    hpet: { base: hpetBase, blockId: HPET_BLOCK_ID },
    pciMemory: [Math.max(PCI_MEMORY.first, lowRamBytes), PCI_MEMORY.last],
    pirqGsis: FIRMWARE_PIRQ_IRQS,
    pirqOf,
  });
}

/** What the set-up program left in CMOS memory. */
export function boardSetup(options: BoardOptions): CmosSetup {
  const { ramBytes, lowRamBytes, apicIds } = options;
  return {
    memoryBytes: lowRamBytes,
    memoryAbove4GBytes: ramBytes - lowRamBytes,
    cpus: apicIds.length,
    bootOrder: bootOrder(options),
  };
}

/** The fw_cfg device by which firmware learns all this. */
export function firmwareConfiguration(
  ports: IoSpace,
  dma: DmaBus,
  options: BoardOptions,
): FwCfgDevice {
  const { ramBytes, apicIds } = options;
  return new FwCfgDevice({
    ports,
    dma,
    memoryBytes: ramBytes,
    cpus: apicIds.length,
    maxCpus: Math.max(...apicIds) + 1,
    memoryMap: ramRanges(options),
    tables: boardTables(options),
    bootOrder: bootOrder(options).map((device) => BOOT_PATH[device]),
  });
}

/** A disc goes before the disk. */
function bootOrder({ cdrom }: BoardOptions): ("cdrom" | "disk")[] {
  return cdrom ? ["cdrom", "disk"] : ["disk", "cdrom"];
}

function ramRanges({ ramBytes, lowRamBytes }: BoardOptions): E820Range[] {
  const low = { address: 0, sizeBytes: lowRamBytes, type: E820_RAM };
  const high = { address: FOUR_GIB, sizeBytes: ramBytes - lowRamBytes, type: E820_RAM };
  return high.sizeBytes > 0 ? [low, high] : [low];
}
