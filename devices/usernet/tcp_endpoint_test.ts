import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock, type Nanoseconds } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { type Ipv4Address, parseIpv4 as parseAddress } from "../net/mod.ts";
import { TcpEndpoint, type TcpService, type TcpStream } from "./tcp_endpoint.ts";
import { parseTcp, TCP_FLAG, tcpBytes, type TcpSegment } from "./tcp_segment.ts";

const A = parseAddress("10.0.0.1");
const B = parseAddress("10.0.0.2");
const DELAY_NS = 1e6 as Nanoseconds;
const LETTERS: [number, string][] = [
  [TCP_FLAG.SYN, "S"],
  [TCP_FLAG.FIN, "F"],
  [TCP_FLAG.RST, "R"],
  [TCP_FLAG.PSH, "P"],
  [TCP_FLAG.ACK, "."],
];

/** Two endpoints with a millisecond between them; `drop` decides about the segment of that number. */
function rig(drop: (index: number) => boolean = () => false) {
  const clock = new MachineClock();
  const wire: string[] = [];
  const log: string[] = [];
  const queue: { at: number; deliver: () => void }[] = [];
  const timer = clock.createTimer("wire", () => {
    const { deliver } = queue.shift()!;
    if (queue.length > 0) timer.armAt(queue[0].at as Cycle);
    deliver();
  });
  let sent = 0;
  const send = (segment: TcpSegment, from: Ipv4Address, to: Ipv4Address) => {
    const flags = LETTERS.filter(([bit]) => segment.flags & bit).map(([, letter]) => letter).join(
      "",
    );
    const lost = drop(sent++);
    wire.push(`${from === A ? "a" : "b"} ${flags} ${segment.data.length}${lost ? " lost" : ""}`);
    if (lost) return;
    const payload = tcpBytes(segment, from, to);
    const packet = { source: from, destination: to, protocol: 6, payload };
    queue.push({
      at: clock.now + DELAY_NS,
      deliver: () => (to === A ? a : b).receive(parseTcp(packet)!, from, to),
    });
    if (queue.length === 1) timer.armAt(queue[0].at as Cycle);
  };
  const a = new TcpEndpoint({ clock, name: "a", send });
  const b = new TcpEndpoint({ clock, name: "b", send });
  const settle = (untilNs = Infinity) => {
    while (clock.nextDeadline !== Infinity && clock.nextDeadline <= untilNs) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  /** A service that logs what happens under a letter. */
  const logged = (letter: string, service: Omit<TcpService, "name"> = {}): TcpService => ({
    name: letter,
    connected(stream) {
      log.push(`${letter} connected`);
      service.connected?.(stream);
    },
    data(stream, bytes) {
      stream.locals.bytes = (stream.locals.bytes as number | undefined ?? 0) + bytes.length;
      log.push(`${letter} data ${bytes.length}`);
      service.data?.(stream, bytes);
    },
    ended(stream) {
      log.push(`${letter} ended`);
      if (service.ended) service.ended(stream);
      else stream.close();
    },
    closed: (_stream, why) => void log.push(`${letter} closed ${why}`),
  });
  return { clock, a, b, wire, log, settle, logged };
}

const text = (length: number) => Uint8Array.from({ length }, (_, index) => index & 0xff);

test("a connection opens, carries data both ways and closes", () => {
  const { a, b, wire, log, settle, logged, clock } = rig();
  b.listen({ address: B, port: 80 }, logged("b", { data: (stream, bytes) => stream.write(bytes) }));
  const stream = a.connect(
    A,
    { address: B, port: 80 },
    logged("a", {
      connected: (stream) => stream.write(text(5)),
      data: (stream) => stream.close(),
    }),
  );
  settle(30e9);
  assertEquals(wire, [
    "a S 0",
    "b S. 0",
    "a P. 5",
    "b P. 5",
    "a F. 0",
    "b F. 0",
    "a . 0",
  ]);
  assertEquals(log, [
    "a connected",
    "b connected",
    "b data 5",
    "a data 5",
    "b ended",
    "a ended",
    "b closed done",
  ]);
  assertEquals([stream.state, b.streams.length], ["timeWait", 0]);
  settle();
  assertEquals([log.at(-1), a.streams.length, clock.nowNs >= 60e9], ["a closed done", 0, true]);
});

test("a connection to a closed port is reset", () => {
  const { a, log, settle, logged } = rig();
  a.connect(A, { address: B, port: 81 }, logged("a"));
  settle();
  assertEquals(log, ["a closed reset"]);
});

test("a connection to nobody times out after nine tries, each waiting twice as long", () => {
  const { a, log, wire, settle, logged, clock } = rig(() => true);
  a.connect(A, { address: B, port: 80 }, logged("a"));
  settle();
  assertEquals([log, wire.length], [["a closed timeout"], 9]);
  assertEquals(clock.nowNs, 200e6 * (2 ** 9 - 1) as Nanoseconds);
});

test("much data arrives whole, in segments that both sides agree on", () => {
  const { a, b, wire, settle, logged } = rig();
  let received = 0;
  const service = logged("b", { data: (_stream, bytes) => void (received += bytes.length) });
  b.listen({ address: B, port: 80 }, service);
  a.connect(
    A,
    { address: B, port: 80 },
    logged("a", {
      connected(stream) {
        stream.write(text(200_000));
        stream.close();
      },
    }),
  );
  settle();
  assertEquals(received, 200_000);
  assertEquals(wire.filter((line) => line === "a . 1460").length > 100, true);
});

for (const modulus of [3, 4, 5, 7]) {
  test(`with every segment number ${modulus} lost, everything arrives once and in order`, () => {
    const { a, b, settle, logged } = rig((index) => index % modulus === modulus - 1);
    const chunks: number[] = [];
    const service = logged("b", { data: (_stream, bytes) => void chunks.push(...bytes) });
    b.listen({ address: B, port: 80 }, service);
    a.connect(
      A,
      { address: B, port: 80 },
      logged("a", {
        connected(stream) {
          stream.write(text(20_000));
          stream.close();
        },
      }),
    );
    settle();
    assertEquals(chunks, [...text(20_000)]);
    assertEquals([a.streams.length, b.streams.length], [0, 0]);
  });
}

test("an aborted connection resets its peer", () => {
  const { a, b, log, settle, logged } = rig();
  b.listen({ address: B, port: 80 }, logged("b", { data: (stream) => stream.abort() }));
  a.connect(A, { address: B, port: 80 }, logged("a", { connected: (s) => s.write(text(1)) }));
  settle();
  assertEquals(log.slice(-3), ["b data 1", "b closed reset", "a closed reset"]);
});

test("what cannot be done is a RangeError", () => {
  const { a, b, settle, logged } = rig();
  const service = logged("b");
  b.listen({ address: B, port: 80 }, service);
  assertThrows(() => b.listen({ address: B, port: 80 }, service), RangeError, "10.0.0.2:80");
  assertThrows(() => b.listen({ address: B, port: 81 }, logged("b")), RangeError, "service b");
  const stream = a.connect(A, { address: B, port: 80 }, logged("a"));
  settle();
  stream.close();
  assertThrows(() => stream.write(text(1)), RangeError);
});

test("a snapshot in the middle of a transfer goes on as if nothing had happened", () => {
  const run = (restored: boolean) => {
    const { a, b, log, settle, logged, wire } = rig((index) => index === 9);
    const service = logged("b");
    const client = logged("a", {
      connected(stream: TcpStream) {
        stream.write(text(9000));
        stream.close();
      },
    });
    b.listen({ address: B, port: 80 }, service);
    a.connect(A, { address: B, port: 80 }, client);
    settle(5.5e6);
    if (restored) {
      a.restore(a.save());
      b.restore(b.save());
    }
    settle();
    return { log, wire };
  };
  assertEquals(run(true), run(false));
});

test("segments from nowhere are answered with a reset, and resets with nothing", () => {
  const { b, wire, settle } = rig();
  const segment = { sourcePort: 1, destinationPort: 2, sequence: 7, acknowledgment: 9, window: 0 };
  b.receive({ ...segment, flags: TCP_FLAG.ACK, data: text(3) }, A, B);
  b.receive({ ...segment, flags: TCP_FLAG.SYN, data: text(0) }, A, B);
  b.receive({ ...segment, flags: TCP_FLAG.RST, data: text(0) }, A, B);
  assertEquals(wire, ["b R 0", "b R. 0"]);
  settle();
});
