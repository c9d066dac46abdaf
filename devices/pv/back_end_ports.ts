/** What a split driver's back end works with: the hypervisor's mechanisms, and who it acts for. */

import type { DomainId, EventPort, GrantHandle, GrantReference } from "../../core/abi/ids.ts";
import type { EventChannels } from "../../core/hypervisor/event_channels/mod.ts";
import type { FrameMemory } from "../../core/hypervisor/frame_memory.ts";
import type { GrantTables } from "../../core/hypervisor/grant_tables/mod.ts";

/** The domain that a back end runs in (domain 0 if it is in the hypervisor), and its means. */
export interface BackEndHost {
  readonly domain: DomainId;
  readonly events: EventChannels;
  readonly grants: GrantTables;
  readonly memory: FrameMemory;
}

/** A ring's page that a back end has mapped. */
export interface MappedRing {
  readonly handle: GrantHandle;
  readonly frame: ReturnType<GrantTables["mapForBackEnd"]>["frame"];
}

/** What a front end must give before its back end can connect. */
export interface FrontEndOffer {
  readonly domain: DomainId;
  readonly eventPort: EventPort;
  readonly rings: readonly GrantReference[];
}

/** A back end's connection to its front end: mapped rings and an event channel. */
export interface Connection {
  readonly rings: readonly MappedRing[];
  readonly port: EventPort;
}

/** Maps the rings and binds the channel; `null`, and nothing is left behind, if the offer is not good. */
export function connect(
  host: BackEndHost,
  offer: FrontEndOffer,
  consumer: string,
): Connection | null {
  const rings: MappedRing[] = [];
  for (const ref of offer.rings) {
    const { status, handle, frame } = host.grants.mapForBackEnd(
      host.domain,
      offer.domain,
      ref,
      "write",
    );
    if (status !== 0) return abandon(host, rings);
    rings.push({ handle, frame });
  }
  const { domain, eventPort } = offer;
  const port = host.events.bindInterdomain(host.domain, domain, eventPort, { consumer });
  return port < 0 ? abandon(host, rings) : { rings, port: port as EventPort };
}

/** Unmaps the rings and closes the channel. */
export function disconnect(host: BackEndHost, { rings, port }: Connection): void {
  host.events.closeAsConsumer(host.domain, port);
  for (const { handle } of rings) host.grants.unmapForBackEnd(host.domain, handle);
}

function abandon(host: BackEndHost, rings: readonly MappedRing[]): null {
  for (const { handle } of rings) host.grants.unmapForBackEnd(host.domain, handle);
  return null;
}
