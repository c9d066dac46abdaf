/** What a host is made of: the options of `Host.boot`. */

import type { Policy } from "../../core/hypervisor/policy.ts";
import type { SchedulerName } from "../../core/hypervisor/scheduling/ports.ts";
import type { EngineName } from "../../core/x86/engine.ts";
import type { BackEndsChoice } from "./back_ends_choice.ts";

/** What a host is made of. */
export interface HostOptions {
  readonly cpus?: number;
  /** RAM with its unit, for example `1GiB`. */
  readonly memory: string;
  readonly scheduler?: SchedulerName;
  readonly cpuModel?: string;
  readonly engine?: EngineName;
  /** Name of the cost profile that prices the work of hypervisor and domain 0; default `free`. */
  readonly profile?: string;
  /** Cycles per second; default 1 GHz. */
  readonly frequencyHz?: number;
  /** What domains may do to each other; default: all that the ABI says. */
  readonly policy?: Policy;
  /** Where back ends run whose device names no driver domain; default `domain-0`. */
  readonly backEnds?: BackEndsChoice;
}
