/**
 * Disks as bytes: a read-only base, and a copy-on-write overlay that belongs to the snapshot. No
 * controller is here: `devices/ide` reads sectors from it.
 *
 * ```ts ignore
 * import { DiskImage, zeroBase } from "./mod.ts";
 *
 * const disk = new DiskImage(zeroBase(1 << 20));
 * disk.write(512, new Uint8Array([1, 2, 3]));
 * ```
 */

export * from "./readonly_bytes.ts";
export * from "./disk_image.ts";
