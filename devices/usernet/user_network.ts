/**
 * The outside of a bridge: a gateway with DHCP and a name server, and behind it hosts that a script makes up.
 *
 * All of them are one object on one port of a switch. An outside host answers pings, takes TCP
 * connections to the services that the script registers, and makes those that the script starts.
 * Everything happens in simulated time, and nothing reaches the real network.
 */

import type { Clock } from "../../core/clock/clock.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import {
  DHCP_PORT,
  type DhcpOptions,
  DhcpServer,
  icmpEchoBytes,
  IP_PROTOCOL,
  type Ipv4Address,
  Ipv4Interface,
  type Ipv4Packet,
  type MacAddress,
  parseIcmpEcho,
  parseIpv4,
  parseUdp,
  type SwitchPort,
  udpBytes,
  type UdpDatagram,
} from "../net/mod.ts";
import { answerDns, DNS_PORT } from "./dns.ts";
import {
  type SocketAddress,
  TcpEndpoint,
  type TcpService,
  type TcpStream,
} from "./tcp_endpoint.ts";
import { parseTcp, tcpBytes } from "./tcp_segment.ts";

/** What an outside network is. */
export interface UserNetworkOptions {
  readonly clock: Clock;
  /** Names its timer; unique in the machine room. */
  readonly name: string;
  readonly port: SwitchPort;
  readonly mac: MacAddress;
  /** The gateway's address on the bridge; it is router and name server of those it serves. */
  readonly address: Ipv4Address;
  /** What DHCP hands out; left out, there is no DHCP. */
  readonly dhcp?: Omit<DhcpOptions, "router" | "nameServer">;
}

/** See the module comment. */
export class UserNetwork implements Snapshot {
  readonly dhcp: DhcpServer | null;
  /** Outside hosts by name. */
  readonly #names = new Map<string, Ipv4Address>();
  readonly #addresses = new Set<Ipv4Address>();
  readonly #interface: Ipv4Interface;
  readonly #tcp: TcpEndpoint;
  readonly #address: Ipv4Address;

  constructor(options: UserNetworkOptions) {
    const { clock, name, port, mac, address, dhcp } = options;
    this.#address = address;
    this.dhcp = dhcp
      ? new DhcpServer(address, { ...dhcp, router: address, nameServer: address })
      : null;
    this.#interface = new Ipv4Interface({
      mac,
      address,
      port,
      onPacket: (packet) => this.#receive(packet),
    });
    this.#tcp = new TcpEndpoint({
      clock,
      name,
      send: (segment, from, to) => {
        const payload = tcpBytes(segment, from, to);
        this.#interface.send({ from, to, protocol: IP_PROTOCOL.TCP, payload });
      },
    });
    port.connect({ send: (frame) => this.#interface.receive(frame) });
  }

  /** Makes an outside host; it answers pings, and the name server knows it. */
  addHost(name: string, address: string): Ipv4Address {
    const parsed = parseIpv4(address);
    this.#names.set(name.toLowerCase(), parsed);
    this.#addresses.add(parsed);
    return parsed;
  }

  /** Lets a service of an outside host (or of the gateway) take TCP connections. */
  listen(at: SocketAddress, service: TcpService): void {
    this.#addresses.add(at.address);
    this.#tcp.listen(at, service);
  }

  /** An outside host opens a connection to a guest. */
  connect(from: Ipv4Address, to: SocketAddress, client: TcpService): TcpStream {
    this.#addresses.add(from);
    return this.#tcp.connect(from, to, client);
  }

  /** Makes a service known that only restored connections use. */
  register(service: TcpService): void {
    this.#tcp.register(service);
  }

  /** It is gone: the names of its timers are free again. */
  dispose(): void {
    this.#tcp.dispose();
  }

  /** TCP connections that are open. */
  get streams(): readonly TcpStream[] {
    return this.#tcp.streams;
  }

  save(): SnapshotRecord {
    return {
      kind: "userNetwork",
      version: 1,
      state: {
        names: [...this.#names].map(([name, address]) => [name, address]),
        addresses: [...this.#addresses],
        leases: [...this.dhcp?.leases ?? []].map(([mac, address]) => [mac, address]),
        interface: this.#interface.save(),
        tcp: this.#tcp.save(),
      },
    };
  }

  /** Restores into a network to which the same services were registered. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "userNetwork", 1);
    this.#names.clear();
    for (const [name, address] of state.names as [string, Ipv4Address][]) {
      this.#names.set(name, address);
    }
    this.#addresses.clear();
    for (const address of state.addresses as Ipv4Address[]) this.#addresses.add(address);
    this.dhcp?.leases.clear();
    for (const [mac, address] of state.leases as [MacAddress, Ipv4Address][]) {
      this.dhcp?.leases.set(mac, address);
    }
    this.#interface.restore(state.interface as { readonly [field: string]: SnapshotValue });
    this.#tcp.restore(state.tcp as { readonly [field: string]: SnapshotValue });
  }

  #receive(packet: Ipv4Packet): void {
    const datagram = parseUdp(packet);
    if (datagram) return this.#receiveDatagram(datagram, packet);
    const { source, destination } = packet;
    if (destination !== this.#address && !this.#addresses.has(destination)) return;
    const echo = parseIcmpEcho(packet);
    if (echo?.kind === "request") {
      const payload = icmpEchoBytes({ ...echo, kind: "reply" });
      const protocol = IP_PROTOCOL.ICMP;
      return this.#interface.send({ from: destination, to: source, protocol, payload });
    }
    const segment = parseTcp(packet);
    if (segment) this.#tcp.receive(segment, source, destination);
  }

  #receiveDatagram(datagram: UdpDatagram, { source, destination }: Ipv4Packet): void {
    const { destinationPort, sourcePort, payload } = datagram;
    if (destinationPort === DHCP_PORT.SERVER) return this.#serveDhcp(payload);
    if (destinationPort !== DNS_PORT || destination !== this.#address) return;
    const answer = answerDns(payload, this.#names);
    if (!answer) return;
    const reply = { sourcePort: DNS_PORT, destinationPort: sourcePort, payload: answer };
    const bytes = udpBytes(reply, destination, source);
    this.#interface.send({ to: source, protocol: IP_PROTOCOL.UDP, payload: bytes });
  }

  #serveDhcp(request: Uint8Array): void {
    const answer = this.dhcp?.answer(request);
    if (!answer) return;
    const { destinationAddress: to, destinationMac, payload } = answer;
    const { SERVER, CLIENT } = DHCP_PORT;
    const datagram = { sourcePort: SERVER, destinationPort: CLIENT, payload };
    const bytes = udpBytes(datagram, this.#address, to);
    this.#interface.sendToMac(destinationMac, { to, protocol: IP_PROTOCOL.UDP, payload: bytes });
  }
}
