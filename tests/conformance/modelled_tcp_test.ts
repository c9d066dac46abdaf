/**
 * The modelled systems' TCP against another one, which knows nothing of it: devices/usernet's, whose segments are bytes.
 *
 * Between them stands a translation of sequence numbers, and a network that loses what a seed says.
 */

import { assertEquals } from "@std/assert";
import { Random } from "../../core/lib/random.ts";
import { TcpConnection, type TcpEvent } from "../../devices/usernet/tcp_connection.ts";
import type { TcpSegment } from "../../devices/usernet/tcp_segment.ts";
import { NetStack } from "../../guests/model/net/net_stack.ts";
import { FLAG, hostAddress, type Packet, PROTOCOL } from "../../guests/model/net/packet.ts";
import type { TcpBlock } from "../../guests/model/net/tcp_block.ts";

const MODEL = hostAddress(1);
const OTHER = hostAddress(2);
/** The model's numbers begin at 0; on the wire they wrap soon. */
const MODEL_ISN = 0xffff_f000;
const OTHER_ISN = 0x7fff_ff00;
const OPTIONS = {
  mss: 1448,
  sendBufferBytes: 65536,
  receiveBufferBytes: 65535,
  nagle: true,
};
const DELAY_NS = 1e6;

type Wire =
  & { readonly at: number }
  & ({ readonly packet: Packet } | { readonly segment: TcpSegment });

/** A modelled stack at port 80 and the other's connection to it. */
class Twins {
  now = 0;
  readonly stack: NetStack;
  readonly other: TcpConnection;
  readonly heard: TcpEvent[] = [];
  readonly #wire: Wire[] = [];
  #alarm = Infinity;

  constructor(private readonly loses: () => boolean) {
    this.stack = new NetStack(MODEL, {
      now: () => this.now,
      send: (packet) => this.#put({ at: this.now + DELAY_NS, segment: segmentOf(packet) }),
      notify() {},
      notifyDatagram() {},
      alarm: (at) => void (this.#alarm = at),
    });
    this.other = new TcpConnection({
      now: () => this.now,
      emit: (segment) => this.#put({ at: this.now + DELAY_NS, packet: packetOf(segment) }),
      event: (event) => void this.heard.push(event),
    }, OTHER_ISN);
    this.stack.listen(80, 8, OPTIONS);
    this.other.open();
  }

  get received(): number {
    return this.heard.reduce(
      (sum, event) => sum + (event.what === "data" ? event.bytes.length : 0),
      0,
    );
  }

  /** Lets the next thing happen. */
  step(): boolean {
    const wireAt = this.#wire[0]?.at ?? Infinity;
    const timer = this.other.deadlineNs ?? Infinity;
    const at = Math.min(wireAt, timer, this.#alarm);
    if (at === Infinity || at > 600e9) return false;
    this.now = Math.max(this.now, at);
    if (at === wireAt) {
      const next = this.#wire.shift()!;
      if ("packet" in next) this.stack.receive(next.packet);
      else this.other.receive(next.segment);
    } else if (at === timer) this.other.onTimer();
    else {
      this.#alarm = Infinity;
      this.stack.onAlarm();
    }
    return true;
  }

  accept(): TcpBlock {
    while (this.stack.waitingAt(80) === 0 && this.step());
    return this.stack.accept(80)!;
  }

  #put(wire: Wire): void {
    if (!this.loses()) this.#wire.push(wire);
  }
}

function segmentOf(packet: Packet): TcpSegment {
  return {
    sourcePort: packet.fromPort,
    destinationPort: packet.toPort,
    sequence: (packet.sequence + MODEL_ISN) >>> 0,
    acknowledgment: (packet.acknowledgment + OTHER_ISN) >>> 0,
    flags: packet.flags,
    window: Math.min(65535, packet.window),
    data: new Uint8Array(packet.payloadBytes),
    mss: packet.flags & FLAG.SYN ? OPTIONS.mss : undefined,
  };
}

function packetOf(
  segment: Pick<TcpSegment, "sequence" | "acknowledgment" | "flags" | "data">,
): Packet {
  const { flags } = segment;
  return {
    from: OTHER,
    to: MODEL,
    protocol: PROTOCOL.TCP,
    fromPort: 5000,
    toPort: 80,
    flags,
    sequence: (segment.sequence - OTHER_ISN) >>> 0,
    acknowledgment: flags & FLAG.ACK ? (segment.acknowledgment - MODEL_ISN) >>> 0 : 0,
    window: 65535,
    payloadBytes: segment.data.length,
    marks: [],
    frameBytes: 66 + segment.data.length,
  };
}

for (const [percent, seed] of [[0, 1], [2, 2], [5, 3], [10, 4], [20, 5]] as const) {
  Deno.test(`with ${percent} % lost (seed ${seed}) both send 100 kB and close, and each has all of it`, () => {
    const random = new Random(seed);
    const twins = new Twins(() => random.unit() * 100 < percent);
    const tcb = twins.accept();
    const bytes = 100_000;
    twins.other.write(new Uint8Array(bytes));
    twins.other.close();
    let [left, read] = [bytes, 0];
    do {
      left -= twins.stack.write(tcb, left);
      if (left === 0) twins.stack.close(tcb);
      read += twins.stack.read(tcb, 1 << 20, []);
    } while (twins.step());
    assertEquals([read, twins.received], [bytes, bytes]);
    assertEquals(twins.heard.filter(({ what }) => what === "ended").length, 1);
    assertEquals([tcb.state, twins.other.state === "closed"], ["closed", true]);
  });
}

Deno.test("a reset from the other closes the modelled end", () => {
  const twins = new Twins(() => false);
  const tcb = twins.accept();
  twins.other.abort();
  while (twins.step());
  assertEquals(tcb.state, "closed");
});
