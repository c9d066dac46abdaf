/**
 * Joins a modelled domain's block front end to its back end in the hypervisor: a ring page and data pages of the domain's own
 * memory, granted to domain 0, and an event channel between the two.
 */

import { DOMID, type EventPort, type GrantReference, type GuestFrame } from "../../core/abi/ids.ts";
import { isErrno } from "../../core/abi/errno.ts";
import type { DomainId } from "../../core/lib/brand.ts";
import { ReferenceBlockBackEnd } from "../../devices/pv/mod.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import { BlockFront, RING_GRANTS } from "../../guests/model/vfs/mod.ts";
import type { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import { DISK_SECTORS } from "./attach_disk.ts";
import type { SharedDisk } from "./shared_disk.ts";

const DOM0 = 0 as DomainId;
/** References below are reserved for tools (`GNTTAB_NR_RESERVED_ENTRIES`). */
const FIRST_REFERENCE = 8;

/** The driver of a domain's part of a disk that others use, too. Throws `RangeError` for a domain that is too small. */
export function sharedDisk(
  host: Host,
  { domain, frames, whenGone }: Pick<ModelPlace, "domain" | "frames" | "whenGone">,
  kernel: Kernel,
  disk: SharedDisk,
): BlockFront {
  const { hypervisor, ledger } = host;
  const { grants, events, memory } = hypervisor;
  if (frames.length <= RING_GRANTS) {
    throw new RangeError(`a domain with a disk needs more than ${RING_GRANTS} pages`);
  }
  const references = Array.from(
    { length: RING_GRANTS + 1 },
    (_, place) => FIRST_REFERENCE + place as GrantReference,
  );
  references.forEach((reference, place) => {
    // Frames of a paravirtual domain are the machine's.
    grants.grant(domain, reference, DOM0, frames[place] as number as GuestFrame);
  });
  const [ringReference, ...data] = references;
  const name = `blkfront.${domain}`;
  events.registerConsumer(name, () => kernel.interrupt("disk"));
  const port = events.allocUnbound(domain, DOMID.SELF, DOM0, { consumer: name });
  if (isErrno(port)) throw new RangeError(`domain ${domain} has no event channel left`);
  const part = disk.part(DISK_SECTORS, (tag) => back.completed(tag));
  const back: ReferenceBlockBackEnd = new ReferenceBlockBackEnd({
    host: { domain: DOM0, events, grants, memory },
    frontDomain: domain,
    name: `blkback.${domain}`,
    disk: part,
    sectors: DISK_SECTORS,
  });
  const [ring] = frames;
  const front = new BlockFront(kernel, {
    read32: (offset) => memory.read32(ring, offset),
    write32: (offset, value) => memory.write32(ring, offset, value),
    readBytes: (offset, into) => memory.readBytes(ring, offset, into),
    writeBytes: (offset, bytes) => memory.writeBytes(ring, offset, bytes),
    grants: data,
    notify: () => events.sendAsConsumer(domain, port as EventPort),
    takeWork: () => ledger.chargeAll(domain, back.takeWork()),
  });
  back.connect({ domain, eventPort: port as EventPort, rings: [ringReference] });
  whenGone(() => {
    back.disconnect();
    events.unregisterConsumer(name);
    part.release();
  });
  return front;
}
