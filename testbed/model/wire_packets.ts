/**
 * Packets of modelled systems as bytes, where somebody looks at them: on a bridge, where machine code listens too.
 *
 * A datagram's bytes are what its sender says, if that is bytes; what comes from outside is said as bytes. A stream has a length
 * only: its bytes are zeros. A modelled connection counts from 0 and does not wrap; on the wire it does, and the other side begins where
 * it likes.
 */

import {
  FLAG,
  HEADER_BYTES,
  hostAddress,
  NO_MARKS,
  type Packet,
  PROTOCOL,
} from "../../guests/model/net/packet.ts";
import {
  type Ipv4Address,
  type Ipv4Packet,
  type OutgoingPacket,
  parseUdp,
  udpBytes,
} from "../../devices/net/mod.ts";
import { parseTcp, tcpBytes } from "../../devices/usernet/tcp_segment.ts";

/** How one connection's numbers on the wire are the modelled ones. */
interface Numbers {
  /** The peer's initial sequence number. */
  begin: number;
  /** Where the peer was last, and where this side was: what comes next is near. */
  theirs: number;
  ours: number;
}

/** Connections that are remembered at most; the oldest is forgotten first. */
const MOST_CONNECTIONS = 4096;
/** Without window scaling. */
const MOST_WINDOW = 0xffff;
/** Segment sizes are those of Ethernet: 1500 bytes without the headers of IP and TCP. */
const MSS = 1448;

/** See the module comment. */
export class WirePackets {
  readonly #connections = new Map<string, Numbers>();

  /** A packet to put on the wire. */
  outgoing(packet: Packet): OutgoingPacket {
    const [from, to] = [packet.from, packet.to] as number[] as Ipv4Address[];
    const { protocol } = packet;
    return protocol === PROTOCOL.UDP
      ? { from, to, protocol, payload: this.#datagram(packet, from, to) }
      : { from, to, protocol, payload: this.#segment(packet, from, to) };
  }

  /** What came over the wire; `null` if the modelled system would not understand it. */
  incoming(packet: Ipv4Packet): Packet | null {
    const udp = parseUdp(packet);
    if (udp) {
      const payloadBytes = udp.payload.length;
      return {
        ...addresses(packet),
        protocol: PROTOCOL.UDP,
        fromPort: udp.sourcePort,
        toPort: udp.destinationPort,
        flags: 0,
        sequence: 0,
        acknowledgment: 0,
        window: 0,
        payloadBytes,
        marks: [{ end: payloadBytes, says: udp.payload.slice() }],
        frameBytes: HEADER_BYTES.ETHERNET + HEADER_BYTES.IP + HEADER_BYTES.UDP + payloadBytes,
      };
    }
    return this.#fromSegment(packet);
  }

  save() {
    const connections = Array.from(this.#connections, ([key, each]) => ({ key, ...each }));
    return { connections };
  }

  restore({ connections }: ReturnType<WirePackets["save"]>): void {
    this.#connections.clear();
    for (const { key, ...numbers } of connections) this.#connections.set(key, numbers);
  }

  #datagram({ fromPort, toPort, payloadBytes, marks }: Packet, from: Ipv4Address, to: Ipv4Address) {
    const payload = new Uint8Array(payloadBytes);
    const said = marks[0]?.says;
    if (said instanceof Uint8Array) payload.set(said.subarray(0, payloadBytes));
    return udpBytes({ sourcePort: fromPort, destinationPort: toPort, payload }, from, to);
  }

  #segment(packet: Packet, from: Ipv4Address, to: Ipv4Address): Uint8Array {
    const { flags, sequence, acknowledgment } = packet;
    const numbers = this.#numbers(connectionKey(packet.to, packet.toPort, packet.fromPort));
    numbers.ours = Math.max(numbers.ours, sequence);
    return tcpBytes(
      {
        sourcePort: packet.fromPort,
        destinationPort: packet.toPort,
        sequence: sequence % 2 ** 32,
        acknowledgment: flags & FLAG.ACK ? (acknowledgment + numbers.begin) % 2 ** 32 : 0,
        flags,
        window: Math.min(packet.window, MOST_WINDOW),
        data: new Uint8Array(packet.payloadBytes),
        mss: flags & FLAG.SYN ? MSS : undefined,
      },
      from,
      to,
    );
  }

  #fromSegment(packet: Ipv4Packet): Packet | null {
    const segment = parseTcp(packet);
    if (!segment) return null;
    const { flags, sourcePort, destinationPort, data } = segment;
    const key = connectionKey(packet.source, sourcePort, destinationPort);
    if (flags & FLAG.SYN || !this.#connections.has(key)) {
      // A connection that begins anew forgets the old one's numbers, but not its own of a handshake under way.
      const ours = this.#connections.get(key)?.ours ?? 0;
      const begins = { begin: segment.sequence, theirs: 0, ours: flags & FLAG.ACK ? ours : 0 };
      this.#connections.delete(key);
      this.#connections.set(key, begins);
    }
    const numbers = this.#numbers(key);
    numbers.theirs = near(numbers.theirs, segment.sequence - numbers.begin);
    return {
      ...addresses(packet),
      protocol: PROTOCOL.TCP,
      fromPort: sourcePort,
      toPort: destinationPort,
      flags: flags & (FLAG.FIN | FLAG.SYN | FLAG.RST | FLAG.PSH | FLAG.ACK),
      sequence: numbers.theirs,
      acknowledgment: flags & FLAG.ACK ? near(numbers.ours, segment.acknowledgment) : 0,
      window: segment.window,
      payloadBytes: data.length,
      marks: NO_MARKS,
      frameBytes: HEADER_BYTES.ETHERNET + HEADER_BYTES.IP + HEADER_BYTES.TCP + data.length,
    };
  }

  #numbers(key: string): Numbers {
    let numbers = this.#connections.get(key);
    if (!numbers) {
      if (this.#connections.size >= MOST_CONNECTIONS) {
        this.#connections.delete(this.#connections.keys().next().value!);
      }
      this.#connections.set(key, numbers = { begin: 0, theirs: 0, ours: 0 });
    }
    return numbers;
  }
}

function addresses({ source, destination }: Ipv4Packet) {
  return { from: hostAddress(source), to: hostAddress(destination) };
}

function connectionKey(peer: number, peerPort: number, ownPort: number): string {
  return `${peer}:${peerPort}:${ownPort}`;
}

/** The number that is `low` in its low 32 bits and nearest to `reference`, and not negative. */
function near(reference: number, low: number): number {
  return Math.max(0, reference + ((low - reference) | 0));
}
