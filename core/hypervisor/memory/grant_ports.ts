/** How grant tables reach frames, page tables and memory accounts. */

import { GNTST } from "../../abi/grant_table.ts";
import type { DomainId, MachineFrame } from "../../abi/ids.ts";
import type { Domain } from "../domain.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { GrantPorts } from "../grant_tables/mod.ts";
import { type FrameTable, FrameType } from "./frame_table.ts";
import { GrantMappings } from "./grant_mappings.ts";
import type { GuestSpace } from "./guest_space.ts";
import type { MachineMap } from "./machine_map.ts";
import type { PageTypes } from "./page_types.ts";

/** The mechanisms that grants use. */
export interface GrantPortParts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly types: PageTypes;
  readonly map: MachineMap;
  readonly domains: ReadonlyMap<DomainId, Domain>;
  spaceOf(domain: DomainId): GuestSpace;
}

const EMPTY_FRAME = new Uint8Array(4096);

/** The ports of {@link GrantTables}. */
export function grantPorts(parts: GrantPortParts): GrantPorts {
  const { memory, frames, types, map, domains } = parts;
  const mappings = new GrantMappings(
    memory,
    frames,
    types,
    (id) => currentRoot(domains.get(id)),
    (id) => parts.spaceOf(id),
  );
  return {
    memory,
    mapHost: (caller, mapping) =>
      domains.has(caller) ? mappings.map(caller, mapping) : GNTST.bad_domain,
    unmapHost: (caller, mapping) => mappings.unmap(caller, mapping),
    replaceHost: (caller, mapping, by) => mappings.replace(caller, mapping, by),
    resolveFrame: (owner, frame) =>
      frames.ownerOf(frame) === owner ? frame as number as MachineFrame : null,
    takeFrame(owner, frame, writable) {
      return writable
        ? types.get(frame, FrameType.writable, owner) === 0
        : frames.get(frame, owner);
    },
    dropFrame(owner, frame, writable) {
      if (writable) types.put(frame, owner);
      else frames.put(frame);
    },
    allocateTableFrame(owner) {
      const frame = frames.allocateShared(owner);
      if (frame === null) return null;
      types.flushStale(frame);
      memory.writeBytes(frame, 0, EMPTY_FRAME);
      return frame;
    },
    freeTableFrame: (_, frame) => frames.releaseShared(frame),
    stealFrame(owner, frame) {
      const domain = domains.get(owner);
      if (!domain || frames.ownerOf(frame) !== owner) return false;
      if (!frames.isUnused(frame)) return false;
      map.clearPfn(frame);
      domain.pages--;
      return true;
    },
    assignFrame(owner, frame) {
      const domain = domains.get(owner);
      if (!domain || domain.pages >= domain.maxPages) return false;
      if (!frames.transfer(frame, owner)) return false;
      types.flushStale(frame);
      domain.pages++;
      return true;
    },
    freeStolenFrame: (frame) => void frames.releaseAllocation(frame),
  };
}

/** The kernel's tables of the virtual CPU that runs, or of the first one. */
function currentRoot(domain: Domain | undefined): MachineFrame | null {
  const running = domain?.vcpus.find(({ sched }) => sched.state === "running");
  return (running ?? domain?.vcpus[0])?.root ?? null;
}
