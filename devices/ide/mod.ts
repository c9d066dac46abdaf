/**
 * IDE: ATA disks and ATAPI CD-ROM drives on the two channels of a PIIX3. Not here: the bytes of a disk
 * (`devices/disk`), the PCI bus (`devices/pci`).
 *
 * ```ts ignore
 * const disk = new AtaDisk(new DiskImage(zeroBase(64 << 20)));
 * const cdrom = new AtapiCdrom(iso);
 * const ide = new Piix3Ide({ clock, dma, irqs: [irq14, irq15], drives: [[disk, null], [cdrom, null]] });
 * bus.plug(1, 1, ide);
 * ide.attachLegacy(ports);
 * ```
 */

export * from "./ata_registers.ts";
export { type DriveNames, type Geometry } from "./identify.ts";
export { type DmaEngine, type DriveDelays, TaskFileDrive } from "./task_file_drive.ts";
export { AtaDisk } from "./ata_disk.ts";
export { AtapiCdrom } from "./atapi_cdrom.ts";
export { CD_SECTOR_BYTES, PACKET_COMMAND, SENSE } from "./packet_commands.ts";
export { BMIC, BMIS, BUS_MASTER, BusMasterChannel } from "./bus_master.ts";
export { IdeChannel, type IdeChannelOptions, LEGACY_CHANNELS } from "./ide_channel.ts";
export { IDETIM, Piix3Ide, type Piix3IdeOptions } from "./piix3_ide.ts";
