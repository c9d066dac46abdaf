/**
 * The block back end (`vbd`). Its front end is the guest's (`xen-blkfront` in Linux); what the disk is
 * made of is `devices/disk`'s affair.
 *
 * ```ts ignore
 * const driver = new BlockBackEnd({ host, frontDomain, name: "blkback.1.51712", disk, wake });
 * const vbd = new XenbusDevice({ store, domain, path, driver, wake });
 * ```
 */

export * from "./blkback.ts";
export {
  type ReferenceBackEndOptions,
  ReferenceBlockBackEnd,
  type ReferenceDisk,
} from "./reference_blkback.ts";
