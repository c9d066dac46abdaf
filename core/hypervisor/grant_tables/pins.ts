/** Taking a grant into use, and letting it go. */

import { GNTST, type GrantStatus } from "../../abi/grant_table.ts";
import type { DomainId, GrantReference, MachineFrame } from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import type { GrantPorts } from "./ports.ts";
import type { ActiveGrant, GrantTable } from "./table.ts";

/** Who wants to use which grant, and how. */
export interface PinRequest {
  readonly ref: GrantReference;
  readonly by: DomainId;
  readonly writable: boolean;
  readonly use: "map" | "copy";
}

/** Uses that one entry can have at once. */
const MAX_USES = 1 << 16;

/** Pins a grant: the entry admits the user, and the frame is referenced. */
export function pinGrant(
  table: GrantTable,
  ports: GrantPorts,
  { ref, by, writable, use }: PinRequest,
): { readonly frame: MachineFrame } | GrantStatus {
  if (!table.has(ref)) return GNTST.bad_gntref;
  const before = table.active.get(ref);
  const taken = before && (before.domid !== by || before.readers + before.writers >= MAX_USES);
  if (taken) return GNTST.general_error;
  if (!before || (writable && before.writers === 0)) {
    const status = table.admit(ref, by, writable, use);
    if (status !== GNTST.okay) return status;
  }
  const grant = before ?? newGrant(table, ports, ref, by);
  if (!grant) {
    table.disclaim(ref);
    return GNTST.bad_page;
  }
  const held = ports.takeFrame(table.domain.id, grant.frame, writable);
  table.active.set(ref, grant);
  if (writable) grant.writers++;
  else grant.readers++;
  if (held) return { frame: grant.frame };
  table.release(ref, writable);
  return GNTST.general_error;
}

/** Ends one use that {@link pinGrant} began. */
export function unpinGrant(
  table: GrantTable,
  ports: GrantPorts,
  { ref, writable }: Pick<PinRequest, "ref" | "writable">,
): void {
  const grant = table.active.get(ref);
  invariant(grant, `grant ${ref} of domain ${table.domain.id} is let go but not in use`);
  ports.dropFrame(table.domain.id, grant.frame, writable);
  table.release(ref, writable);
}

function newGrant(
  table: GrantTable,
  ports: GrantPorts,
  ref: GrantReference,
  domid: DomainId,
): ActiveGrant | null {
  const frame = ports.resolveFrame(table.domain.id, table.read(ref).frame);
  return frame === null ? null : { domid, frame, readers: 0, writers: 0 };
}
