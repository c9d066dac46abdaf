/**
 * Joins a modelled domain's block front end to its back end in the hypervisor: a ring page and data pages of the domain's own
 * memory, granted to domain 0, and an event channel between the two.
 */

import type { DomainId } from "../../core/lib/brand.ts";
import { ReferenceBlockBackEnd } from "../../devices/pv/mod.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import { BlockFront, RING_GRANTS } from "../../guests/model/vfs/mod.ts";
import type { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import { DISK_SECTORS } from "./attach_disk.ts";
import type { SharedDisk } from "./shared_disk.ts";

const DOM0 = 0 as DomainId;

/** The driver of a domain's part of a disk that others use, too. Throws `RangeError` for a domain that is too small. */
export function sharedDisk(
  host: Host,
  { domain, shared, whenGone }: Pick<ModelPlace, "domain" | "shared" | "whenGone">,
  kernel: Kernel,
  disk: SharedDisk,
): BlockFront {
  const { hypervisor, ledger } = host;
  const { grants, events, memory } = hypervisor;
  const { frames, references: [ringReference, ...data] } = shared.pages(1 + RING_GRANTS);
  const { port, notify } = shared.channel(`blkfront.${domain}`, () => kernel.interrupt("disk"));
  const part = disk.part(DISK_SECTORS, (tag) => back.completed(tag));
  const back: ReferenceBlockBackEnd = new ReferenceBlockBackEnd({
    host: { domain: DOM0, events, grants, memory },
    frontDomain: domain,
    name: `blkback.${domain}`,
    disk: part,
    sectors: DISK_SECTORS,
  });
  const front = new BlockFront(kernel, {
    ring: shared.access(frames[0]),
    grants: data,
    notify,
    takeWork: () => ledger.chargeAll(domain, back.takeWork()),
  });
  back.connect({ domain, eventPort: port, rings: [ringReference] });
  whenGone(() => {
    back.disconnect();
    part.release();
  });
  return front;
}
