/** What the paper printed of SPECweb99 (SOSP 2003, Figures 3 and 4), in conforming connections. */

import type { PlatformName } from "../../guests/model/platforms/platforms.ts";

/** Figure 4, two CPUs: instances, then native Linux with all of them, then Xen with a domain for each. */
export const FIGURE_4: readonly {
  readonly instances: number;
  readonly native: number;
  readonly "xen-pv": number;
}[] = [
  { instances: 1, native: 662, "xen-pv": 554 },
  { instances: 2, native: 1001, "xen-pv": 924 },
  { instances: 4, native: 887, "xen-pv": 896 },
  { instances: 8, native: 842, "xen-pv": 906 },
  { instances: 16, native: 880, "xen-pv": 874 },
];

/** Figure 3, one CPU and one instance: the column WEB99. */
export const FIGURE_3_WEB99: Readonly<Record<string, WebFigure>> = {
  Linux: { platform: "native", published: 518 },
  Xen: { platform: "xen-pv", published: 514 },
  VMware: { platform: "full-virtualization", published: 150 },
  UML: { platform: "user-mode-linux", published: 172 },
};

/** A system's figure. */
export interface WebFigure {
  readonly platform: PlatformName;
  readonly published: number;
}
