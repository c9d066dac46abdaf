import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { parseIpv4 as parseAddress, parseMac } from "./addresses.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { finishChecksum, segmentTcp } from "./offload.ts";
import {
  ethernetFrame,
  ETHERTYPE,
  IP_PROTOCOL,
  ipv4Bytes,
  parseIpv4,
  parseUdp,
  udpBytes,
} from "./packets.ts";

const MAC = parseMac("00:16:3e:00:00:01");
const FROM = parseAddress("10.0.0.1");
const TO = parseAddress("10.0.0.2");

function frameOf(protocol: number, payload: Uint8Array): Uint8Array {
  const packet = ipv4Bytes({ source: FROM, destination: TO, protocol, payload }, 7);
  return ethernetFrame(MAC, MAC, ETHERTYPE.IPV4, packet);
}

/** A TCP segment with sequence number FFFFFFF0h, flags PSH|ACK|FIN, and no checksum. */
function tcpFrame(payloadBytes: number): Uint8Array {
  const tcp = new Uint8Array(20 + payloadBytes);
  tcp.set([0, 80, 0x30, 0x39, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 1, 0x50, 0x19, 0x10, 0]);
  for (let i = 0; i < payloadBytes; i++) tcp[20 + i] = i & 0xff;
  return frameOf(IP_PROTOCOL.TCP, tcp);
}

function tcpIsRight(frame: Uint8Array): boolean {
  const packet = parseIpv4(frame)!;
  const { payload } = packet;
  const pseudo = pseudoHeaderSum(packet.source, packet.destination, 6, payload.length);
  return internetChecksum(payload, 0, payload.length, pseudo) === 0;
}

test("a blank TCP or UDP checksum is filled in, whatever stood there and however the frame is padded", () => {
  for (const payloadBytes of [0, 1, 100, 1460]) {
    const frame = tcpFrame(payloadBytes);
    frame[14 + 20 + 16] = 0xaa;
    assertEquals([finishChecksum(frame), tcpIsRight(frame)], [true, true]);
  }
  const payload = new Uint8Array([1, 2, 3]);
  const datagram = udpBytes({ sourcePort: 1, destinationPort: 2, payload }, FROM, TO);
  const right = frameOf(IP_PROTOCOL.UDP, datagram);
  const blank = right.slice();
  blank.set([0x12, 0x34], 14 + 20 + 6);
  assertEquals([finishChecksum(blank), blank], [true, right]);
  assertEquals(parseUdp(parseIpv4(blank)!)?.payload, payload);
});

test("an IPv6 checksum covers its own pseudo-header", () => {
  // An ICMPv6-free example by hand: UDP 1 -> 2, no payload, from ::1 to ::2.
  const ip = new Uint8Array(48);
  ip[0] = 0x60;
  ip.set([0, 8, 17, 64], 4);
  ip[8 + 15] = 1;
  ip[24 + 15] = 2;
  ip.set([0, 1, 0, 2, 0, 8], 40);
  const frame = ethernetFrame(MAC, MAC, ETHERTYPE.IPV6, ip);
  assertEquals(finishChecksum(frame), true);
  // ~(1 + 2 + 17 + 8 + 1 + 2 + 8) = ~39
  assertEquals([...frame.subarray(14 + 46, 14 + 48)], [0xff, 0xd8]);
});

test("other packets are left alone", () => {
  const arp = ethernetFrame(MAC, MAC, ETHERTYPE.ARP, new Uint8Array(28));
  const short = tcpFrame(0).slice(0, 40);
  const icmp = frameOf(IP_PROTOCOL.ICMP, new Uint8Array(8));
  for (const frame of [arp, short, icmp, new Uint8Array(3)]) {
    const before = frame.slice();
    assertEquals([finishChecksum(frame), segmentTcp(frame, 100), frame], [false, [], before]);
  }
});

test("a long TCP packet becomes segments whose sequence numbers and checksums are right", () => {
  const frames = segmentTcp(tcpFrame(3000), 1448);
  const seen = frames.map((frame) => {
    const { payload } = parseIpv4(frame)!;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    return [view.getUint32(4), payload[13], payload.length - 20, payload[20], tcpIsRight(frame)];
  });
  assertEquals(seen, [
    [0xfffffff0, 0x10, 1448, 0, true],
    [0xfffffff0 + 1448 - 2 ** 32, 0x10, 1448, 1448 & 0xff, true],
    [0xfffffff0 + 2896 - 2 ** 32, 0x19, 104, 2896 & 0xff, true],
  ]);
});
