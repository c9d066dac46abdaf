/** Table 6 of SOSP 2003: what ttcp found between a machine outside and each system. */

import type { PlatformName } from "../../guests/model/platforms/platforms.ts";

/** What the paper printed, in Mb/s: frames of 1500 bytes sent and received, then of 500. */
export const TABLE_6: Readonly<Record<string, TtcpRow>> = {
  Linux: { platform: "native", published: [897, 897, 602, 544] },
  Xen: { platform: "xen-pv", published: [897, 897, 516, 467] },
  VMware: { platform: "full-virtualization", published: [291, 615, 101, 137] },
  UML: { platform: "user-mode-linux", published: [165, 203, 61.1, 91.4] },
};

/** The columns of {@link TABLE_6}. */
export const TABLE_6_COLUMNS = [
  { name: "1500 TX", mtu: 1500, direction: "transmit" },
  { name: "1500 RX", mtu: 1500, direction: "receive" },
  { name: "500 TX", mtu: 500, direction: "transmit" },
  { name: "500 RX", mtu: 500, direction: "receive" },
] as const;

/** A system of the table. */
export interface TtcpRow {
  readonly platform: PlatformName;
  readonly published: readonly number[];
}
