/** `GNTTABOP_transfer`: a frame changes its owner. */

import { GNTST, type GrantStatus, GTF } from "../../abi/grant_table.ts";
import type { DomainId, GrantReference, GuestFrame, MachineFrame } from "../../abi/ids.ts";
import type { TableLookUp } from "./copies.ts";
import type { GrantPorts } from "./ports.ts";

/** Which frame goes where. */
export interface TransferRequest {
  readonly caller: DomainId;
  readonly frame: MachineFrame;
  readonly dom: DomainId;
  readonly ref: GrantReference;
  allowed(of: DomainId): boolean;
}

/** Moves the frame, or frees it if nobody takes it; `bad_page` alone leaves it with the caller. */
export function transferFrame(
  lookUp: TableLookUp,
  ports: GrantPorts,
  request: TransferRequest,
): GrantStatus {
  const { caller, frame } = request;
  if (!ports.stealFrame(caller, frame)) return GNTST.bad_page;
  const status = offer(lookUp, ports, request);
  if (status !== GNTST.okay) ports.freeStolenFrame(frame);
  return status;
}

function offer(
  lookUp: TableLookUp,
  ports: GrantPorts,
  { caller, frame, dom, ref, allowed }: TransferRequest,
): GrantStatus {
  const table = lookUp(dom);
  if (!table) return GNTST.bad_domain;
  if (!allowed(table.domain.id)) return GNTST.permission_denied;
  const entry = table.has(ref) ? table.read(ref) : null;
  if (entry?.flags !== GTF.accept_transfer || entry.domid !== caller) return GNTST.general_error;
  if (!ports.assignFrame(table.domain.id, frame)) return GNTST.general_error;
  const flags = entry.flags | GTF.transfer_committed | GTF.transfer_completed;
  table.write(ref, { ...entry, flags, frame: frame as number as GuestFrame });
  return GNTST.okay;
}
