/**
 * A driver domain: a domain whose kernel is a model that does nothing but run back ends, on its own virtual CPU and at its own
 * expense. Tools ask it to go as they ask any other: `control/shutdown`.
 */

import { isErrno } from "../../core/abi/errno.ts";
import type { ShutdownReason } from "../../core/abi/operations.ts";
import type { Domain, DomainShape } from "../../core/hypervisor/domain.ts";
import type { StoreSession } from "../../devices/xenstore/mod.ts";
import type { Stepper, StepResult } from "../../devices/work.ts";
import { type PlaceParts, VcpuPlace } from "./back_end_place.ts";

/** What a driver domain is made from. */
export interface DriverDomainOptions {
  readonly name: string;
  readonly pages: number;
  readonly maxPages: number;
}

/** A driver domain, and where its back ends run. */
export interface DriverDomain {
  readonly domain: Domain;
  readonly place: VcpuPlace;
}

/** Makes one that is paused. Throws `RangeError` for lack of memory. */
export function createDriverDomain(parts: PlaceParts, options: DriverDomainOptions): DriverDomain {
  const { hypervisor } = parts;
  const { name, pages, maxPages } = options;
  let domain: Domain;
  const place = new VcpuPlace(parts, (executor) => {
    domain = hypervisor.createDomain({ name, vcpus: 1, maxPages, privileged: false, executor });
    return domain.vcpus[0].sched;
  });
  if (isErrno(hypervisor.reservations.reserve(domain!, pages))) {
    hypervisor.destroyDomain(domain!);
    place.close();
    throw new RangeError(`the machine has not the ${pages} pages that ${name} needs`);
  }
  hypervisor.bringUp(domain!.vcpus[0]);
  return { domain: domain!, place };
}

/** Makes that of a snapshot, whose state is to be restored. */
export function adoptDriverDomain(parts: PlaceParts, shape: DomainShape): DriverDomain {
  let domain: Domain;
  const place = new VcpuPlace(parts, (executor) => {
    domain = parts.hypervisor.adoptDomain(shape, executor);
    return domain.vcpus[0].sched;
  });
  return { domain: domain!, place };
}

/** What tools may write into `control/shutdown`, and what then becomes of a driver domain. */
const ENDS: Readonly<Record<string, ShutdownReason>> = {
  poweroff: "poweroff",
  halt: "poweroff",
  reboot: "reboot",
};
const REQUEST = "control/shutdown";

/** Does what tools ask of a driver domain. */
export class DriverControl implements Stepper {
  /** `session` is the domain's, and wakes whoever runs this. */
  constructor(
    private readonly session: StoreSession,
    private readonly end: (reason: ShutdownReason) => void,
  ) {
    session.watch(REQUEST, "control");
  }

  step(): StepResult {
    let storeOperations = 0;
    while (this.session.takeEvent()) storeOperations++;
    const reason = ENDS[this.session.readText(REQUEST) ?? ""];
    if (reason) {
      this.session.write(REQUEST, "");
      this.end(reason);
    }
    return { done: { storeOperations }, more: false };
  }
}
