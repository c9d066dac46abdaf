/**
 * The virtual network: a learning switch, hosts that a script drives, captures. Network cards are not
 * here (`devices/e1000`): they meet the switch at {@link NetPort}.
 *
 * ```ts ignore
 * const lan = new EthernetSwitch({ name: "lan0", clock });
 * const host = new ScriptedHost({
 *   clock,
 *   port: lan.attach("script"),
 *   mac: parseMac("52:54:00:00:00:01"),
 *   address: parseIpv4("10.0.0.1"),
 * });
 * ```
 */

export * from "./addresses.ts";
export * from "./net_port.ts";
export * from "./ethernet_switch.ts";
export * from "./pcap.ts";
export { DHCP_PORT, type DhcpOptions, DhcpServer } from "./dhcp_server.ts";
export {
  type HostInput,
  type Ping,
  type ReceivedFrame,
  ScriptedHost,
  type ScriptedHostOptions,
} from "./scripted_host.ts";
export {
  foldSum,
  frameCheckSequence,
  internetChecksum,
  onesComplementSum,
  pseudoHeaderSum,
} from "./checksum.ts";
export {
  type Arp,
  ethernetFrame,
  ETHERTYPE,
  etherTypeOf,
  type IcmpEcho,
  icmpEchoBytes,
  IP_PROTOCOL,
  type Ipv4Packet,
  parseIcmpEcho,
  parseUdp,
  udpBytes,
  type UdpDatagram,
} from "./packets.ts";
export { finishChecksum, segmentTcp } from "./offload.ts";
export { Ipv4Interface, type Ipv4InterfaceOptions, type OutgoingPacket } from "./ipv4_interface.ts";
