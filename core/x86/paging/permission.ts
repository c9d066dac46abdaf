/** Which accesses the entries of a walk permit (SDM vol. 3, "Determination of Access Rights"). */

import type { RadixWalk } from "../../memory/radix_walker.ts";
import { Cr0, Cr4 } from "../state/bits.ts";
import { Access } from "./access.ts";
import { View } from "./tlb.ts";

/** Bits of entries, of which all on the way to a page must be set. */
export const Permission = { user: 4, writable: 2 } as const;

/** Whether `view` is one of ring 3's accesses. */
export function isUserView(view: number): boolean {
  return view === View.user || view === View.userAligned;
}

/** Whether the page that `walk` found must not be accessed so; `nxe` is EFER.NXE. */
export function isRefused(
  walk: RadixWalk,
  access: number,
  view: number,
  cr0: number,
  cr4: number,
  nxe: boolean,
): boolean {
  const user = isUserView(view);
  const userPage = (walk.allLow & Permission.user) !== 0;
  const writable = (walk.allLow & Permission.writable) !== 0;
  const noExecute = nxe && walk.anyHigh < 0;
  return (user && !userPage) ||
    (!user && userPage && view === View.supervisorSmap && access !== Access.fetch) ||
    (access === Access.write && !writable && (user || (cr0 & Cr0.WP) !== 0)) ||
    (access === Access.fetch && (noExecute || (!user && userPage && (cr4 & Cr4.SMEP) !== 0)));
}
