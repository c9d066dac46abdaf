/** A grant table as a snapshot's plain data, and back. The entries are guest memory and saved with it. */

import type { MachineFrame } from "../../abi/ids.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { GrantDomain } from "./ports.ts";
import { type ActiveGrant, type GrantMapping, GrantTable } from "./table.ts";
import type { GrantReference } from "../../abi/ids.ts";

type Saved = { readonly [field: string]: SnapshotValue };

/** The state of `table`. */
export function saveTable(table: GrantTable): Saved {
  return {
    domain: { ...table.domain },
    dying: table.dying,
    frames: [...table.frames],
    active: [...table.active].map(([ref, grant]) => ({ ref, ...grant })),
    mappings: table.mappings.map((mapping) => mapping && { ...mapping }),
  };
}

/** The table that {@link saveTable} saved; that of a domain that has gone may still be in use. */
export function loadTable(saved: Saved, memory: FrameMemory): GrantTable {
  const table = new GrantTable(saved.domain as unknown as GrantDomain, memory);
  table.dying = saved.dying as boolean;
  table.frames.push(...saved.frames as unknown as MachineFrame[]);
  for (const each of saved.active as unknown as (ActiveGrant & { ref: GrantReference })[]) {
    const { ref, ...grant } = each;
    table.active.set(ref, { ...grant });
  }
  const mappings = saved.mappings as unknown as (GrantMapping | null)[];
  const copies = mappings.map((mapping) => mapping && { ...mapping });
  table.mappings.push(...copies);
  return table;
}
