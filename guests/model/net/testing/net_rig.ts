/** Two modelled stacks on a wire of which a test says what it loses. */

import type { SnapshotValue } from "../../../../core/lib/snapshot.ts";
import { NetStack } from "../net_stack.ts";
import { FLAG, hostAddress, type Packet } from "../packet.ts";
import type { TcpBlock, TcpOptions } from "../tcp_block.ts";

/** Usual options: an Ethernet's segment with timestamps, 64 KiB each way. */
export const OPTIONS: TcpOptions = {
  mss: 1448,
  sendBufferBytes: 65536,
  receiveBufferBytes: 65536,
  nagle: true,
};

const A = hostAddress(0x0a000001);
const B = hostAddress(0x0a000002);

interface Flight {
  readonly at: number;
  readonly to: NetStack;
  readonly packet: Packet;
}

/** See the module comment. */
export class NetRig {
  now = 0;
  /** What passed, as `12.5ms a: S 0+0 ack 0`; lost packets end in `LOST`. */
  readonly log: string[] = [];
  readonly events: string[] = [];
  readonly a: NetStack;
  readonly b: NetStack;
  readonly #flights: Flight[] = [];
  readonly #alarms = { a: Infinity, b: Infinity };
  #sent = 0;

  /** `loses` is asked about the n-th packet, counted from 0. */
  constructor(
    private readonly delayNs = 1e6,
    private readonly loses: (index: number, packet: Packet) => boolean = () => false,
  ) {
    this.a = this.#stack("a", A);
    this.b = this.#stack("b", B);
  }

  /** A connection from a to b's port 80, which listens; both ends, when it stands. */
  open(options: TcpOptions = OPTIONS): { near: TcpBlock; far: TcpBlock } {
    this.b.listen(80, 8, options);
    const near = this.a.connect(B, 80, options);
    for (let rounds = 0; this.b.waitingAt(80) === 0 && rounds < 100; rounds++) this.step();
    return { near, far: this.b.accept(80)! };
  }

  /** Lets the next thing happen; whether there was one. */
  step(untilNs = Infinity): boolean {
    const flight = this.#flights.reduce(
      (first: Flight | null, each) => (!first || each.at < first.at ? each : first),
      null,
    );
    const { a, b } = this.#alarms;
    const at = Math.min(flight?.at ?? Infinity, a, b);
    if (at === Infinity || at > untilNs) return false;
    this.now = Math.max(this.now, at);
    if (flight && flight.at === at) {
      this.#flights.splice(this.#flights.indexOf(flight), 1);
      flight.to.receive(flight.packet);
    } else {
      const name = a === at ? "a" : "b";
      this.#alarms[name] = Infinity;
      this[name].onAlarm();
    }
    return true;
  }

  run(untilNs = Infinity): void {
    for (let steps = 0; this.step(untilNs); steps++) {
      if (steps > 1e6) throw new Error("the rig does not come to rest");
    }
    if (untilNs !== Infinity) this.now = untilNs;
  }

  /** Moves `bytes` from one end to the other, both reading and writing whenever they can; what was said. */
  transfer(
    from: TcpBlock,
    to: TcpBlock,
    bytes: number,
    said: SnapshotValue = "all",
  ): { read: number; says: SnapshotValue[] } {
    const says: SnapshotValue[] = [];
    let left = bytes;
    let read = 0;
    do {
      if (left > 0) left -= this.a.write(from, left, said);
      read += this.b.read(to, 1 << 20, says);
    } while (read < bytes && this.step());
    return { read, says };
  }

  #stack(name: "a" | "b", address: typeof A): NetStack {
    return new NetStack(address, {
      now: () => this.now,
      send: (packet) => this.#send(name, packet),
      notify: (tcb, event) => void this.events.push(`${name}: ${event} ${tcb.id}`),
      notifyDatagram: (port) => void this.events.push(`${name}: datagram ${port}`),
      alarm: (at) => void (this.#alarms[name] = at),
    });
  }

  #send(name: "a" | "b", packet: Packet): void {
    const lost = this.loses(this.#sent++, packet);
    this.log.push(`${this.now / 1e6}ms ${name}: ${segmentText(packet)}${lost ? " LOST" : ""}`);
    const to = name === "a" ? this.b : this.a;
    if (!lost) this.#flights.push({ at: this.now + this.delayNs, to, packet });
  }
}

/** As tcpdump would say it, in short. */
export function segmentText(packet: Packet): string {
  const { flags, sequence, payloadBytes, acknowledgment } = packet;
  const letters = [[FLAG.SYN, "S"], [FLAG.FIN, "F"], [FLAG.RST, "R"], [FLAG.PSH, "P"]] as const;
  const named = letters.filter(([bit]) => flags & bit).map(([, letter]) => letter).join("") || ".";
  const ack = flags & FLAG.ACK ? ` ack ${acknowledgment}` : "";
  return `${named} ${sequence}+${payloadBytes}${ack}`;
}
