/**
 * A modelled BSD: the same modules under another kernel's policies. Its processes are scheduled by priorities that fall with
 * CPU use, and a user may have fewer of them.
 */

import { createLinux, type Linux, type LinuxOptions } from "./linux.ts";

/** `maxproc` of a kernel configured for 32 users. */
const MOST_PROCESSES = 532;

/** Throws `RangeError` for memory of less than a page. */
export function createBsd(options: LinuxOptions): Linux {
  const parts = createLinux({ ...options, scheduler: "4.4bsd" });
  parts.kernel.mostProcesses = Math.min(parts.kernel.mostProcesses, MOST_PROCESSES);
  return parts;
}
