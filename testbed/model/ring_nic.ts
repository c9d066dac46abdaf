/**
 * Joins a modelled domain's network front end to its back end in the hypervisor: two ring pages and a page for each of their
 * entries, of the domain's own memory and granted to domain 0, and an event channel between the two. What stands in a page is
 * a reference to a packet: nobody here looks at bytes.
 */

import type { DomainId } from "../../core/lib/brand.ts";
import { invariant } from "../../core/lib/assert.ts";
import { FRONT_END_WORK } from "../../guests/model/net/net_work.ts";
import { NET_RING_PAGES, NetFront } from "../../guests/model/net/net_front.ts";
import type { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import type { HostAddress } from "../../guests/model/net/packet.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import type { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import type { HypervisorNic } from "./hypervisor_nic.ts";

const DOM0 = 0 as DomainId;
/** What Linux 2.4 calls its first card. */
const DEVICE = "eth0";

/** What of a place a card needs. */
export type CardPlace = Pick<ModelPlace, "domain" | "shared" | "whenGone">;

/** Makes the front end of a virtual card. Throws `RangeError` for a domain that is too small. */
export function virtualCard(
  host: Host,
  { domain, shared, whenGone }: CardPlace,
  kernel: Kernel,
  nic: HypervisorNic,
  address: HostAddress,
): NetFront {
  const { grants, events, memory } = host.hypervisor;
  const { frames, references } = shared.pages(2 + NET_RING_PAGES);
  const [transmit, receive, ...packets] = frames;
  const [transmitRing, receiveRing, ...packetGrants] = references;
  const interrupt = () => kernel.interrupt(DEVICE);
  const { port, notify } = shared.channel(`netfront.${domain}`, interrupt);
  const back = nic.plug(address, { domain: DOM0, events, grants, memory }, domain);
  const front = new NetFront(kernel, {
    transmit: shared.access(transmit),
    receive: shared.access(receive),
    grants: packetGrants,
    store(page, packet) {
      nic.pages.put(packets[page], packet);
      return packet.frameBytes;
    },
    load: (page) => nic.pages.take(packets[page]),
    notify,
    interrupt,
  });
  const isConnected = back.connect({
    domain,
    eventPort: port,
    rings: [transmitRing, receiveRing],
  });
  invariant(isConnected, `the rings of domain ${domain}'s network card cannot be had`);
  whenGone(() => {
    nic.unplug(address);
    for (const frame of packets) nic.pages.take(frame);
  });
  return front;
}

/** Gives a domain's kernel a virtual card and its driver. Throws as {@link virtualCard}. */
export function installVirtualCard(
  host: Host,
  place: CardPlace,
  kernel: Kernel,
  network: Network,
  nic: HypervisorNic,
  address: HostAddress,
): void {
  const front = virtualCard(host, place, kernel, nic, address);
  kernel.install(front);
  kernel.install(new NicDriver(DEVICE, kernel, network, front, FRONT_END_WORK));
}
