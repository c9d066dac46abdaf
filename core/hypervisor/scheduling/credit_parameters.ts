/** Parameters that both credit schedulers have (Xen 4.17's `public/domctl.h` and `public/sysctl.h`). */

import type { ParameterTable } from "./parameters.ts";

/** Of a domain. */
export const WEIGHT_AND_CAP: ParameterTable = {
  weight: { min: 1, max: 0xffff, initial: 256, about: "share among competitors" },
  cap: {
    min: 0,
    max: 0xffff,
    initial: 0,
    about: "most of one physical CPU, in per cent; 0: none",
  },
};

/** Of the scheduler. */
export const RATE_LIMIT: ParameterTable = {
  ratelimit_us: {
    min: 100,
    max: 500_000,
    initial: 1000,
    orZero: true,
    about: "shortest time before another one preempts",
  },
};
