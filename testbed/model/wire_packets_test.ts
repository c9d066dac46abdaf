import { assertEquals } from "@std/assert";
import { type Ipv4Packet, parseIpv4, parseUdp } from "../../devices/net/mod.ts";
import { parseTcp, tcpBytes } from "../../devices/usernet/tcp_segment.ts";
import {
  FLAG,
  hostAddress,
  NO_MARKS,
  type Packet,
  PROTOCOL,
} from "../../guests/model/net/packet.ts";
import { WirePackets } from "./wire_packets.ts";

const [OWN, PEER] = ["10.0.0.1", "10.0.0.2"].map(parseIpv4);
/** Wraps after three bytes. */
const PEER_ISN = 0xffff_fffc;

function sent(fields: Partial<Packet>): Packet {
  return {
    from: hostAddress(OWN),
    to: hostAddress(PEER),
    protocol: PROTOCOL.TCP,
    fromPort: 80,
    toPort: 5000,
    flags: FLAG.ACK,
    sequence: 0,
    acknowledgment: 0,
    window: 1e6,
    payloadBytes: 0,
    marks: NO_MARKS,
    frameBytes: 66,
    ...fields,
  };
}

function received(flags: number, sequence: number, acknowledgment: number, bytes = 0): Ipv4Packet {
  const segment = {
    sourcePort: 5000,
    destinationPort: 80,
    sequence: (PEER_ISN + sequence) % 2 ** 32,
    acknowledgment: acknowledgment % 2 ** 32,
    flags,
    window: 1000,
    data: new Uint8Array(bytes),
  };
  const payload = tcpBytes(segment, PEER, OWN);
  return { source: PEER, destination: OWN, protocol: PROTOCOL.TCP, payload };
}

const onWire = (wire: WirePackets, packet: Packet) => {
  const { from, to, protocol, payload } = wire.outgoing(packet);
  return { source: from!, destination: to, protocol, payload };
};

Deno.test("numbers of a modelled stream wrap on the wire, the peer's do not here, and both go on over a snapshot", () => {
  let wire = new WirePackets();
  assertEquals(wire.incoming(received(FLAG.SYN, 0, 0))?.sequence, 0);
  const answer = parseTcp(onWire(wire, sent({ flags: FLAG.SYN | FLAG.ACK, acknowledgment: 1 })));
  assertEquals([answer?.sequence, answer?.acknowledgment, answer?.window], [
    0,
    PEER_ISN + 1,
    65535,
  ]);
  // In steps of a gigabyte, as no window allows, both ways.
  for (let at = 1; at < 12e9; at += 1e9) {
    const segment = parseTcp(onWire(wire, sent({ sequence: at, acknowledgment: at })));
    assertEquals(
      [segment?.sequence, segment?.acknowledgment],
      [at % 2 ** 32, (at + PEER_ISN) % 2 ** 32],
    );
    const back = wire.incoming(received(FLAG.ACK, at, at, 10));
    assertEquals([back?.sequence, back?.acknowledgment, back?.payloadBytes], [at, at, 10]);
    const saved = structuredClone(wire.save());
    wire = new WirePackets();
    wire.restore(saved);
  }
});

Deno.test("a datagram's bytes are what is said in it, both ways", () => {
  const wire = new WirePackets();
  const says = new Uint8Array([1, 2, 3]);
  const marks = [{ end: 5, says }];
  const packet = sent({ protocol: PROTOCOL.UDP, payloadBytes: 5, marks });
  const bytes = onWire(wire, packet);
  assertEquals(parseUdp(bytes)?.payload, new Uint8Array([1, 2, 3, 0, 0]));
  const back = wire.incoming(bytes);
  assertEquals(back?.marks, [{ end: 5, says: new Uint8Array([1, 2, 3, 0, 0]) }]);
  assertEquals([back?.payloadBytes, back?.frameBytes], [5, 47]);
});

Deno.test("what is neither TCP nor UDP, or has a wrong checksum, is nothing to a modelled system", () => {
  const wire = new WirePackets();
  const good = received(FLAG.SYN, 0, 0);
  const bad = { ...good, payload: good.payload.map((byte, at) => at === 13 ? byte ^ 1 : byte) };
  assertEquals([wire.incoming(bad), wire.incoming({ ...good, protocol: 47 })], [null, null]);
});
