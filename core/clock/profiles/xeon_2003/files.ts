/**
 * Linux 2.4.21's files, with ext3, on `xeon-2003`. Within a row of the paper cycles are shared out by how much code each kind is;
 * calls through pointers, atomic operations and masked stretches are counted apart (`guests/model/vfs/file_costs.ts`).
 */

import type { Prices } from "../cost_profile.ts";
import type { FILE_COSTS } from "../costs/files.ts";
import { assumed, fitted } from "./price.ts";

const CREATION = "Table 5, L-UP, file creation: 0K and 10K";
const DELETION = "Table 5, L-UP, file deletion: 0K and 10K";
const NAMES = "Table 3, L-UP, stat, open and close";
const BLOCKS = "ll_rw_block, the elevator and end_request, beside what Table 5 fits";

/** See the module comment. */
export const XEON_2003_FILES: Prices<typeof FILE_COSTS> = {
  pathComponent: fitted(380, NAMES),
  entryScan: fitted(62, CREATION),
  entryChange: fitted(2300, CREATION),
  inodeCreate: fitted(36_000, CREATION),
  inodeDelete: fitted(7700, DELETION),
  fileOpen: fitted(550, NAMES),
  blockAllocate: fitted(13_600, CREATION),
  blockFree: fitted(3000, DELETION),
  pageInsert: fitted(4630, CREATION),
  pageFind: assumed(260, "find_get_page: a hash, a chain, a reference"),
  pageRelease: fitted(1700, DELETION),
  journalHandle: fitted(900, CREATION),
  journalJoin: fitted(2200, CREATION),
  journalTouch: fitted(420, CREATION),
  blockRequest: assumed(1200, BLOCKS),
  requestStart: assumed(3000, BLOCKS),
  requestDone: assumed(3000, BLOCKS),
};
