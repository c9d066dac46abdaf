import { assertEquals } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import {
  EthernetSwitch,
  icmpEchoBytes,
  IP_PROTOCOL,
  type Ipv4Address,
  Ipv4Interface,
  type Ipv4Packet,
  parseIcmpEcho,
  parseIpv4,
  parseMac,
  parseUdp,
  udpBytes,
} from "../net/mod.ts";
import { TcpEndpoint } from "./tcp_endpoint.ts";
import { parseTcp, tcpBytes } from "./tcp_segment.ts";
import { UserNetwork } from "./user_network.ts";

const GATEWAY = parseIpv4("10.0.0.1");
const GUEST = parseIpv4("10.0.0.10");
const text = (value: string) => Uint8Array.from(value, (letter) => letter.charCodeAt(0));
const shown = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** An outside network on a bridge, and a guest whose default route is its gateway. */
function rig() {
  const clock = new MachineClock();
  const bridge = new EthernetSwitch({ name: "br0", clock });
  const outside = new UserNetwork({
    clock,
    name: "outside",
    port: bridge.attach("outside"),
    mac: parseMac("00:16:3e:ff:00:01"),
    address: GATEWAY,
    dhcp: { first: GUEST, count: 8, netmask: parseIpv4("255.255.255.0") },
  });
  const port = bridge.attach("guest");
  const mac = parseMac("00:16:3e:00:00:01");
  const heard: Ipv4Packet[] = [];
  const onPacket = (packet: Ipv4Packet) => {
    heard.push(packet);
    const segment = parseTcp(packet);
    if (segment) tcp.receive(segment, packet.source, packet.destination);
  };
  const card = new Ipv4Interface({ mac, address: GUEST, port, onPacket });
  port.connect({ send: (frame) => card.receive(frame) });
  const gatewayMac = parseMac("00:16:3e:ff:00:01");
  const send = (to: Ipv4Address, protocol: number, payload: Uint8Array) =>
    card.sendToMac(gatewayMac, { to, protocol, payload });
  const tcp = new TcpEndpoint({
    clock,
    name: "guest",
    send: (segment, from, to) => send(to, IP_PROTOCOL.TCP, tcpBytes(segment, from, to)),
  });
  const settle = (untilNs = 10e9) => {
    while (clock.nextDeadline !== Infinity && clock.nextDeadline <= untilNs) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  return { clock, bridge, outside, card, heard, send, tcp, settle };
}

test("outside hosts that were made answer pings in their own name, others do not", () => {
  const { outside, heard, send, settle } = rig();
  const host = outside.addHost("www.example.org", "192.0.2.80");
  const echo = { kind: "request", identifier: 1, sequence: 2, data: text("abc") } as const;
  for (const to of [host, GATEWAY, parseIpv4("192.0.2.81")]) {
    send(to, IP_PROTOCOL.ICMP, icmpEchoBytes(echo));
  }
  settle();
  assertEquals(heard.map((packet) => [packet.source, parseIcmpEcho(packet)?.kind]), [
    [host, "reply"],
    [GATEWAY, "reply"],
  ]);
});

test("the gateway is a name server for outside hosts", () => {
  const { outside, heard, send, settle } = rig();
  outside.addHost("a.b", "192.0.2.80");
  const query = new Uint8Array([
    ...[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ...[1, 97, 1, 98, 0, 0, 1, 0, 1],
  ]);
  const datagram = { sourcePort: 4000, destinationPort: 53, payload: query };
  send(GATEWAY, IP_PROTOCOL.UDP, udpBytes(datagram, GUEST, GATEWAY));
  settle();
  const answer = parseUdp(heard[0])!;
  assertEquals([answer.destinationPort, ...answer.payload.slice(-4)], [4000, 192, 0, 2, 80]);
});

test("DHCP names the gateway as router and name server", () => {
  const { heard, send, settle, outside } = rig();
  const discover = new Uint8Array(300);
  discover.set([1, 1, 6, 0]);
  discover.set([0, 0x16, 0x3e, 0, 0, 1], 28);
  discover.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236);
  const datagram = { sourcePort: 68, destinationPort: 67, payload: discover };
  send(GATEWAY, IP_PROTOCOL.UDP, udpBytes(datagram, GUEST, GATEWAY));
  settle();
  const offer = [...parseUdp(heard[0])!.payload.slice(240)].join();
  assertEquals([offer.includes("3,4,10,0,0,1"), offer.includes("6,4,10,0,0,1")], [true, true]);
  assertEquals(outside.dhcp?.leases.size, 1);
});

test("a guest talks to a service of an outside host", () => {
  const { outside, tcp, settle } = rig();
  const host = outside.addHost("www.example.org", "192.0.2.80");
  outside.listen({ address: host, port: 80 }, {
    name: "www",
    data(stream, bytes) {
      stream.write(text(`you said ${shown(bytes)}`));
      stream.close();
    },
  });
  const heard: string[] = [];
  tcp.connect(GUEST, { address: host, port: 80 }, {
    name: "browser",
    connected: (stream) => stream.write(text("hello")),
    data: (_stream, bytes) => void heard.push(shown(bytes)),
  });
  settle();
  assertEquals(heard, ["you said hello"]);
});

test("an outside host opens a connection to a guest", () => {
  const { outside, tcp, settle } = rig();
  const echo = {
    name: "echo",
    data: (s: { write(b: Uint8Array): void }, b: Uint8Array) => s.write(b),
  };
  tcp.listen({ address: GUEST, port: 7 }, echo);
  const heard: string[] = [];
  const stream = outside.connect(parseIpv4("198.51.100.1"), { address: GUEST, port: 7 }, {
    name: "client",
    data: (_stream, bytes) => void heard.push(shown(bytes)),
  });
  stream.write(text("ping"));
  settle();
  assertEquals([heard, stream.state, outside.streams.length], [["ping"], "established", 1]);
});

test("a snapshot keeps names, leases and connections", () => {
  const one = rig();
  const service = { name: "www" };
  const host = one.outside.addHost("www.example.org", "192.0.2.80");
  one.outside.listen({ address: host, port: 80 }, service);
  one.tcp.connect(GUEST, { address: host, port: 80 }, { name: "browser" });
  one.settle();
  const record = one.outside.save();
  const two = rig();
  two.outside.register(service);
  two.outside.restore(record);
  assertEquals(two.outside.save(), record);
  assertEquals(two.outside.streams.map(({ state }) => state), ["established"]);
});
