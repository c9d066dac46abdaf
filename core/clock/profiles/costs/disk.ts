/** Costs of disks and of their back ends. */

/** What has a price, and for what unit. */
export const DISK_COSTS = {
  diskBytes: "a byte between memory and a disk",
} as const;
