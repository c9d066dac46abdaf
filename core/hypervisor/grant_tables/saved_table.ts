/** A grant table as a snapshot's plain data, and back. The entries are guest memory and saved with it. */

import type { MachineFrame } from "../../abi/ids.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import type { ActiveGrant, GrantMapping, GrantTable } from "./table.ts";
import type { GrantReference } from "../../abi/ids.ts";

type Saved = { readonly [field: string]: SnapshotValue };

/** The state of `table`. */
export function saveTable(table: GrantTable): Saved {
  return {
    id: table.domain.id,
    dying: table.dying,
    frames: [...table.frames],
    active: [...table.active].map(([ref, grant]) => ({ ref, ...grant })),
    mappings: table.mappings.map((mapping) => mapping && { ...mapping }),
  };
}

/** Replaces the state of `table` by what {@link saveTable} made. */
export function loadTable(table: GrantTable, saved: Saved): void {
  table.dying = saved.dying as boolean;
  table.frames.splice(0, table.frames.length, ...saved.frames as unknown as MachineFrame[]);
  table.active.clear();
  for (const each of saved.active as unknown as (ActiveGrant & { ref: GrantReference })[]) {
    const { ref, ...grant } = each;
    table.active.set(ref, { ...grant });
  }
  const mappings = saved.mappings as unknown as (GrantMapping | null)[];
  const copies = mappings.map((mapping) => mapping && { ...mapping });
  table.mappings.splice(0, table.mappings.length, ...copies);
}
