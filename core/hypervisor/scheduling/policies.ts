/** The scheduling policies by name. */

import { BvtPolicy } from "./bvt.ts";
import { Credit2Policy } from "./credit2.ts";
import { CreditPolicy } from "./credit.ts";
import { NullPolicy } from "./null_policy.ts";
import type { PolicyPorts, SchedulerName, SchedulingPolicy } from "./ports.ts";
import { RtdsPolicy } from "./rtds.ts";
import { SedfPolicy } from "./sedf.ts";

const POLICIES: Readonly<Record<SchedulerName, new (ports: PolicyPorts) => SchedulingPolicy>> = {
  bvt: BvtPolicy,
  sedf: SedfPolicy,
  credit: CreditPolicy,
  credit2: Credit2Policy,
  rtds: RtdsPolicy,
  null: NullPolicy,
};

/** A policy without physical CPUs; throws `RangeError` if there is none of that name. */
export function createPolicy(name: SchedulerName, ports: PolicyPorts): SchedulingPolicy {
  const Policy = POLICIES[name];
  if (!Policy) {
    const names = Object.keys(POLICIES).join(", ");
    throw new RangeError(`there is no scheduler ${name}; there are ${names}`);
  }
  return new Policy(ports);
}
