import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { formatIpv4, formatMac, type Ipv4Address, parseIpv4, parseMac } from "./addresses.ts";
import { EthernetSwitch } from "./ethernet_switch.ts";
import { parseIpv4 as parseIpv4Frame, parseUdp, type UdpDatagram } from "./packets.ts";
import { pcapHeader, PcapWriter } from "./pcap.ts";
import { ScriptedHost } from "./scripted_host.ts";

const FIRST = parseIpv4("10.0.0.1");
const SECOND = parseIpv4("10.0.0.2");

function pair() {
  const clock = new MachineClock();
  const lan = new EthernetSwitch({ name: "lan", clock });
  const host = (name: string, mac: string, address: Ipv4Address, dhcp = false) =>
    new ScriptedHost({
      clock,
      port: lan.attach(name),
      mac: parseMac(mac),
      address,
      dhcp: dhcp
        ? { first: parseIpv4("10.0.0.100"), count: 2, netmask: parseIpv4("255.255.255.0") }
        : undefined,
    });
  const first = host("first", "02:00:00:00:00:01", FIRST, true);
  const second = host("second", "02:00:00:00:00:02", SECOND);
  const settle = () => {
    while (clock.nextDeadline !== Infinity) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  return { clock, lan, first, second, settle };
}

test("a ping resolves the address first and is answered once", () => {
  const { first, second, settle } = pair();
  const pongs: number[] = [];
  first.onPong = ({ sequence }) => pongs.push(sequence);
  first.ping(SECOND);
  settle();
  first.ping(SECOND);
  settle();
  assertEquals(pongs, [1, 2]);
  // 5 us and 84 bytes' time for ARP, 5 us and 122 bytes' time for ICMP, each way.
  assertEquals(first.pings.map(({ answeredNs, sentNs }) => answeredNs! - sentNs), [
    2 * 5672 + 2 * 5976,
    2 * 5976,
  ]);
  assertEquals(second.received.length, 3);
  assertEquals(first.received.length, 3);
});

test("a ping to nobody stays unanswered", () => {
  const { first, settle } = pair();
  const ping = first.ping(parseIpv4("10.0.0.77"));
  settle();
  assertEquals(ping.answeredNs, null);
});

test("a datagram arrives with its ports and payload", () => {
  const { first, second, settle } = pair();
  const heard: [UdpDatagram, string][] = [];
  second.onDatagram = (datagram, from) => heard.push([datagram, formatIpv4(from)]);
  const datagram = { sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array([1, 2, 3]) };
  first.sendDatagram(SECOND, datagram);
  settle();
  assertEquals(heard, [[datagram, "10.0.0.1"]]);
});

function dhcpRequest(message: number, client: number, extra: number[] = []): Uint8Array {
  const payload = new Uint8Array(300);
  payload.set([1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44]);
  payload.set([2, 0, 0, 0, 0, client], 28);
  payload.set([0x63, 0x82, 0x53, 0x63, 53, 1, message, ...extra, 255], 236);
  return payload;
}

test("DHCP offers, acknowledges what it offered and refuses what it did not", () => {
  const { first, second, settle } = pair();
  const send = (payload: Uint8Array) => {
    const before = second.received.length;
    const datagram = { sourcePort: 68, destinationPort: 67, payload };
    second.sendDatagram(FIRST, datagram);
    settle();
    return second.received.slice(before).map(({ frame }) => {
      const udp = parseUdp(parseIpv4Frame(frame)!)?.payload;
      return udp
        ? [
          udp[242],
          formatIpv4(new DataView(udp.buffer, udp.byteOffset).getUint32(16) as Ipv4Address),
        ]
        : [];
    });
  };
  first.ping(SECOND);
  settle(); // both know each other's MAC address now
  // The replies go to the client's hardware address, which the switch floods.
  assertEquals(send(dhcpRequest(1, 9)), [[2, "10.0.0.100"]]);
  assertEquals(send(dhcpRequest(3, 9, [50, 4, 10, 0, 0, 100])), [[5, "10.0.0.100"]]);
  assertEquals(send(dhcpRequest(3, 9, [50, 4, 10, 0, 0, 50])), [[6, "0.0.0.0"]]);
  assertEquals(send(dhcpRequest(1, 8)), [[2, "10.0.0.101"]]);
  assertEquals(send(dhcpRequest(1, 7)), []);
  assertEquals(send(dhcpRequest(3, 9, [54, 4, 1, 2, 3, 4])), []);
});

test("malformed frames are heard and ignored", () => {
  const { first, second, settle } = pair();
  const good = new Uint8Array(60).fill(0xff);
  good.set([0x08, 0x00, 0x45, 0x00, 0xff, 0xff], 12);
  for (const length of [14, 15, 20, 34, 60]) second.sendFrame(good.slice(0, length));
  const arp = new Uint8Array(60).fill(0xff);
  arp.set([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 9], 12);
  second.sendFrame(arp);
  settle();
  assertEquals([first.received.length, second.received.length], [6, 0]);
});

test("a snapshot keeps neighbours, pings and what was heard", () => {
  const one = pair();
  one.first.ping(SECOND);
  one.settle();
  const record = one.first.save();
  const two = pair();
  two.first.restore(record);
  assertEquals(two.first.save(), record);
  two.first.ping(SECOND);
  two.settle();
  assertEquals(two.second.received.length, 1); // no ARP needed
});

test("a capture is a pcap file with simulated time stamps", () => {
  const { first, lan, settle } = pair();
  const pieces: Uint8Array[] = [];
  lan.ports[0].tap = new PcapWriter((bytes) => pieces.push(bytes)).tap;
  first.ping(SECOND);
  settle();
  assertEquals(pieces[0], pcapHeader());
  const header = new DataView(pieces[0].buffer);
  assertEquals([header.getUint32(0, true), header.getUint32(20, true)], [0xa1b23c4d, 1]);
  const records = pieces.slice(1).map((bytes) => {
    const view = new DataView(bytes.buffer);
    return [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  });
  assertEquals(records, [
    [0, 0, 60, 60],
    [0, 2 * 5672, 60, 60],
    [0, 2 * 5672, 98, 98],
    [0, 2 * 5672 + 2 * 5976, 98, 98],
  ]);
});

test("addresses are read and written, and bad ones are SyntaxErrors", () => {
  assertEquals(formatMac(parseMac("52:54:00:12:34:fF")), "52:54:00:12:34:ff");
  assertEquals(formatIpv4(parseIpv4("255.0.10.1")), "255.0.10.1");
  for (const bad of ["", "52:54:00:12:34", "52-54-00-12-34-56"]) {
    assertThrows(() => parseMac(bad), SyntaxError);
  }
  for (const bad of ["", "1.2.3", "1.2.3.256", "1.2.3.-4"]) {
    assertThrows(() => parseIpv4(bad), SyntaxError);
  }
});
