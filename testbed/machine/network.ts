/** A machine's virtual network: the switch that its card is plugged into, and the host of the script on it. */

import type { Clock } from "../../core/clock/clock.ts";
import type { MachineNetwork } from "../machine_api.ts";
import {
  EthernetSwitch,
  type HostInput,
  parseIpv4,
  parseMac,
  ScriptedHost,
} from "../../devices/net/mod.ts";

/** What a script finds on the network: itself, at this address. */
const HOST = { mac: "52:55:0a:00:02:02", address: "10.0.2.2" } as const;
/** Leases that the host gives. */
const LEASES = { first: "10.0.2.15", count: 64, netmask: "255.255.255.0" } as const;

/** Makes the network called `name`; its time is the machine's, which says when what the script sends is carried out. */
export function makeNetwork(
  name: string,
  clock: Clock,
  onInput: (input: HostInput) => void,
): MachineNetwork {
  const lan = new EthernetSwitch({ name, clock });
  const host = new ScriptedHost({
    clock,
    port: lan.attach("host"),
    mac: parseMac(HOST.mac),
    address: parseIpv4(HOST.address),
    dhcp: {
      first: parseIpv4(LEASES.first),
      count: LEASES.count,
      netmask: parseIpv4(LEASES.netmask),
      router: parseIpv4(HOST.address),
    },
    onInput,
  });
  return { lan, host };
}
