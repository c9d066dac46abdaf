/**
 * A SCSI disk of which time is modelled and bytes are not: seeks, rotation, zones, buffer and tagged commands. What
 * holds bytes is `devices/disk`.
 *
 * ```ts ignore
 * const disk = new ScsiDisk({ clock, name: "sda", model: DK32EJ, completed: ({ tag }) => done(tag) });
 * disk.submit({ tag: 1, sector: 4096, count: 16, write: true });
 * ```
 */

export { type DiskModel, DK32EJ, type Zone, ZonedGeometry } from "./geometry.ts";
export {
  type ControllerModel,
  PERC_3_DI,
  RaidController,
  type RaidControllerOptions,
} from "./raid_controller.ts";
export {
  type DiskCommand,
  type DiskCounters,
  ScsiDisk,
  type ScsiDiskOptions,
} from "./scsi_disk.ts";
