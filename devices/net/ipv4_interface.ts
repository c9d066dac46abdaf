/**
 * An IPv4 interface on a switch: it resolves addresses by ARP, answers for its own, and hands packets up.
 *
 * What speaks above it (a scripted host, the outside network) says which addresses are its own and what
 * happens with packets.
 */

import type { SnapshotValue } from "../../core/lib/snapshot.ts";
import { BROADCAST_MAC, type Ipv4Address, type MacAddress, macAt } from "./addresses.ts";
import type { NetPort } from "./net_port.ts";
import {
  arpBytes,
  ethernetFrame,
  ETHERTYPE,
  ipv4Bytes,
  type Ipv4Packet,
  parseArp,
  parseIpv4,
} from "./packets.ts";

/** What an interface is wired to. */
export interface Ipv4InterfaceOptions {
  readonly mac: MacAddress;
  /** Asks for other addresses in this one's name. */
  readonly address: Ipv4Address;
  /** Where frames go out. */
  readonly port: NetPort;
  /** Whether the interface answers for an address; default: for its own. */
  readonly owns?: (address: Ipv4Address) => boolean;
  /** A packet came in a frame for this interface or for everybody. */
  readonly onPacket: (packet: Ipv4Packet) => void;
}

/** A packet to send. */
export interface OutgoingPacket {
  readonly to: Ipv4Address;
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Default: the interface's address. */
  readonly from?: Ipv4Address;
}

interface WaitingPacket {
  readonly to: Ipv4Address;
  readonly bytes: Uint8Array;
}

/** Packets that wait for an ARP answer, and neighbours that are known, at most. */
const WAITING_LIMIT = 64;
const NEIGHBOUR_LIMIT = 1024;

/** See the module comment. */
export class Ipv4Interface {
  readonly #options: Ipv4InterfaceOptions;
  readonly #neighbours = new Map<Ipv4Address, MacAddress>();
  readonly #waiting: WaitingPacket[] = [];
  #identification = 0;

  constructor(options: Ipv4InterfaceOptions) {
    this.#options = options;
  }

  /** A frame arrived. */
  receive(frame: Uint8Array): void {
    const { mac, address, owns = (each) => each === address, onPacket } = this.#options;
    const destination = macAt(frame, 0);
    if (destination !== mac && destination !== BROADCAST_MAC) return;
    const arp = parseArp(frame);
    if (arp) {
      this.#learn(arp.senderAddress, arp.senderMac);
      if (arp.operation === "request" && owns(arp.targetAddress)) {
        this.#sendArp("reply", arp.senderMac, arp.senderAddress, arp.targetAddress);
      }
      return;
    }
    const packet = parseIpv4(frame);
    if (!packet) return;
    if (owns(packet.destination)) this.#learn(packet.source, macAt(frame, 6));
    onPacket(packet);
  }

  /** Sends a packet to a neighbour, whose MAC address is asked for if it is not known. */
  send(packet: OutgoingPacket): void {
    const bytes = this.#bytes(packet);
    const { to } = packet;
    const mac = this.#neighbours.get(to);
    if (mac !== undefined) return this.#sendTo(mac, bytes);
    this.#waiting.push({ to, bytes });
    if (this.#waiting.length > WAITING_LIMIT) this.#waiting.shift();
    this.#sendArp("request", BROADCAST_MAC, to, this.#options.address);
  }

  /** Sends a packet to a MAC address that the caller knows. */
  sendToMac(mac: MacAddress, packet: OutgoingPacket): void {
    this.#sendTo(mac, this.#bytes(packet));
  }

  save(): { readonly [field: string]: SnapshotValue } {
    return {
      neighbours: [...this.#neighbours].map(([address, mac]) => [address, mac]),
      waiting: this.#waiting.map(({ to, bytes }) => ({ to, bytes: bytes.slice() })),
      identification: this.#identification,
    };
  }

  restore(state: { readonly [field: string]: SnapshotValue }): void {
    this.#neighbours.clear();
    for (const [address, mac] of state.neighbours as [Ipv4Address, MacAddress][]) {
      this.#neighbours.set(address, mac);
    }
    this.#waiting.splice(
      0,
      this.#waiting.length,
      ...state.waiting as unknown as WaitingPacket[],
    );
    this.#identification = state.identification as number;
  }

  #bytes({ from = this.#options.address, to, protocol, payload }: OutgoingPacket): Uint8Array {
    this.#identification = (this.#identification + 1) & 0xffff;
    return ipv4Bytes({ source: from, destination: to, protocol, payload }, this.#identification);
  }

  #learn(address: Ipv4Address, mac: MacAddress): void {
    if (address === 0) return;
    this.#neighbours.delete(address);
    this.#neighbours.set(address, mac);
    if (this.#neighbours.size > NEIGHBOUR_LIMIT) {
      this.#neighbours.delete(this.#neighbours.keys().next().value!);
    }
    const ready = this.#waiting.filter(({ to }) => to === address);
    const others = this.#waiting.filter(({ to }) => to !== address);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    for (const { bytes } of ready) this.#sendTo(mac, bytes);
  }

  #sendTo(to: MacAddress, packet: Uint8Array): void {
    const { mac, port } = this.#options;
    port.send(ethernetFrame(to, mac, ETHERTYPE.IPV4, packet));
  }

  #sendArp(
    operation: "request" | "reply",
    to: MacAddress,
    targetAddress: Ipv4Address,
    senderAddress: Ipv4Address,
  ): void {
    const { mac, port } = this.#options;
    const targetMac = operation === "request" ? 0 as MacAddress : to;
    const arp = arpBytes({ operation, senderMac: mac, senderAddress, targetMac, targetAddress });
    port.send(ethernetFrame(to, mac, ETHERTYPE.ARP, arp));
  }
}
