/**
 * Joins a modelled domain's block front end to its back end in the hypervisor: a ring page and data pages of the domain's own
 * memory, granted to domain 0, and an event channel between the two.
 */

import {
  DOMID,
  type EventPort,
  type GrantReference,
  type GuestFrame,
  type MachineFrame,
} from "../../core/abi/ids.ts";
import { isErrno } from "../../core/abi/errno.ts";
import type { DomainId } from "../../core/lib/brand.ts";
import { ReferenceBlockBackEnd, type ReferenceDisk } from "../../devices/pv/mod.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import { BlockFront, RING_GRANTS } from "../../guests/model/vfs/mod.ts";
import type { Host } from "../host/host.ts";

/** What is joined. */
export interface RingDiskOptions {
  readonly host: Host;
  readonly domain: DomainId;
  readonly frames: readonly MachineFrame[];
  readonly kernel: Kernel;
  /** Makes the disk behind the back end, which is told of commands that are done. */
  disk(completed: (tag: number) => void): ReferenceDisk;
  readonly sectors: number;
}

const DOM0 = 0 as DomainId;
/** References below are reserved for tools (`GNTTAB_NR_RESERVED_ENTRIES`). */
const FIRST_REFERENCE = 8;

/** Makes both ends; answers the driver for the kernel. Throws `RangeError` for a domain that is too small. */
export function ringDisk(options: RingDiskOptions): BlockFront {
  const { host, domain, frames, kernel, sectors } = options;
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
  const back = new ReferenceBlockBackEnd({
    host: { domain: DOM0, events, grants, memory },
    frontDomain: domain,
    name: `blkback.${domain}`,
    disk: options.disk((tag) => back.completed(tag)),
    sectors,
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
  return front;
}
