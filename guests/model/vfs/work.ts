/**
 * What a file system does, in units that a cost profile prices: it counts, and never knows a time.
 *
 * The counts are what the code of a 2.4 kernel with ext3 does; a benchmark's result is their sum (DESIGN.md, 5).
 */

import { FILE_COSTS } from "../../../core/clock/profiles/costs/files.ts";

/** Kinds of work, each with what one unit of it is. */
export const FILE_WORK = FILE_COSTS;

/** See {@link FILE_WORK}. */
export type FileWork = keyof typeof FILE_WORK;

/** Where work is counted, on behalf of whoever asked for it. */
export interface FileMeter {
  /** `count` units of work, 1 by default. */
  work(kind: FileWork, count?: number): void;
}
