/** The trace hash of a box without a machine's own trace: who entered which state when. */

import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import { RUNSTATES } from "../../core/hypervisor/scheduling/ports.ts";
import { Digest } from "../../core/trace/trace.ts";

/** Observes `dispatcher` from now on. */
export function digestSchedule(dispatcher: CpuDispatcher): { readonly hash: string } {
  const digest = new Digest();
  dispatcher.observe(({ domain, id, state }, now) => {
    digest.add(domain << 16 | id << 4 | RUNSTATES[state]);
    digest.add(now % 2 ** 32);
  });
  return {
    get hash() {
      return digest.toString();
    },
  };
}
