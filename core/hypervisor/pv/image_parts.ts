/** What saving and restoring a suspended domain needs of the hypervisor. */

import type { FrameMemory } from "../frame_memory.ts";
import type { FrameTable } from "../memory/frame_table.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { Reservations } from "../memory/reservations.ts";
import type { UpcallWords } from "../upcall_words.ts";
import type { Vcpu } from "../vcpu.ts";
import type { GuestTables } from "./guest_tables.ts";

/** The mechanisms; the hypervisor is one. */
export interface ImageParts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly map: MachineMap;
  readonly tables: GuestTables;
  readonly reservations: Reservations;
  readonly upcalls: UpcallWords;
  bringUp(vcpu: Vcpu): void;
}
