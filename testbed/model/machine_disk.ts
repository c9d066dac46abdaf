/**
 * The disk of the SOSP'03 machine, the same one for every measurement: behind the RAID controller that a Dell 2650 comes with.
 *
 * The paper does not say so; but it has 1714 tuples changed and committed a second, and a disk of 10,000 revolutions a minute without
 * a write cache ends 167 commits of a log a second, each of which would have to stand for ten users.
 */

import { DK32EJ, PERC_3_DI } from "../../devices/scsi/mod.ts";

/** See the module comment. */
export const MACHINE_DISK = { name: "sda", model: DK32EJ, controller: PERC_3_DI } as const;
