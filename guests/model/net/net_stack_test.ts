import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../core/lib/random.ts";
import { test } from "../../../core/lib/testing.ts";
import { hostAddress } from "./packet.ts";
import { NetRig, OPTIONS } from "./testing/net_rig.ts";

const texts = (rig: NetRig) => rig.log.map((line) => line.slice(line.indexOf(" ") + 1));

test("a connection opens with three segments, says something each way and closes with four", () => {
  const rig = new NetRig();
  const { near, far } = rig.open();
  rig.a.write(near, 300, "GET /");
  rig.run();
  const says: never[] = [];
  assertEquals(rig.b.read(far, 8192, says), 300);
  assertEquals(says, ["GET /"] as never[]);
  rig.b.write(far, 100, "200 OK");
  rig.b.close(far);
  rig.run();
  rig.a.close(near);
  rig.run();
  assertEquals(texts(rig), [
    "a: S 0+0",
    "b: S 0+0 ack 1",
    "a: . 1+0 ack 1",
    "a: P 1+300 ack 1",
    "b: . 1+0 ack 301",
    "b: P 1+100 ack 301",
    "b: F 101+0 ack 301",
    "a: . 301+0 ack 102",
    "a: F 301+0 ack 102",
    "b: . 102+0 ack 302",
  ]);
  assertEquals([rig.a.connections, rig.b.connections], [0, 0]);
});

test("slow start sends 2, then one more for each acknowledgment", () => {
  const rig = new NetRig();
  const { near, far } = rig.open();
  rig.log.length = 0;
  rig.transfer(near, far, 14480);
  const sent = rig.log.filter((line) => line.includes(" a: ")).map((line) => line.split("ms")[0]);
  // Each second segment is acknowledged: the window grows to 3, 4 and 6.
  assertEquals(sent, ["3", "3", "5", "5", "5", "7", "7", "7", "9", "9"]);
});

test("a segment without company is acknowledged after 40 ms", () => {
  const rig = new NetRig();
  const { near } = rig.open();
  rig.run(5e6);
  rig.log.length = 0;
  rig.a.write(near, 100);
  rig.run();
  assertEquals(rig.log, ["5ms a: P 1+100 ack 1", "46ms b: . 1+0 ack 101"]);
});

test("a segment that is lost is sent again after three acknowledgments alike, and the rest is not", () => {
  // 0..2 open the connection; the tenth data segment is lost.
  let data = 0;
  const rig = new NetRig(1e6, (_, { payloadBytes }) => payloadBytes > 0 && ++data === 10);
  const { near, far } = rig.open();
  const { read, says } = rig.transfer(near, far, 60_000);
  assertEquals([read, says], [60_000, ["all"]]);
  const again = rig.log.filter((line) => line.includes(`a: . ${1 + 9 * 1448}+1448`));
  assertEquals(again.map((line) => line.endsWith("LOST")), [true, false]);
  assertEquals(rig.a.counters.RetransSegs, 0);
  assert(rig.now < 100e6, `${rig.now}`);
});

test("a last segment that is lost waits for the time-out", () => {
  let data = 0;
  const rig = new NetRig(1e6, (_, { payloadBytes }) => payloadBytes > 0 && ++data === 2);
  const { near, far } = rig.open();
  assertEquals(rig.transfer(near, far, 2000).read, 2000);
  assertEquals(rig.a.counters.RetransSegs, 1);
  // 200 ms after the first segment's acknowledgment, which was delayed; and the way.
  assert(rig.now > 200e6 && rig.now < 260e6, `${rig.now}`);
});

test("a reader who does not read shuts the window, and a probe finds it open again", () => {
  const rig = new NetRig();
  const { near, far } = rig.open({ ...OPTIONS, receiveBufferBytes: 4096, nagle: false });
  assertEquals(rig.a.write(near, 10_000, "end"), 10_000);
  rig.run(1e9);
  assertEquals(far.expected - far.readEnd, 4096);
  const says: never[] = [];
  let read = 0;
  for (let at = 1; read < 10_000 && at < 50; at++) {
    read += rig.b.read(far, 4096, says);
    rig.run(1e9 + at * 1e9);
  }
  assertEquals([read, says], [10_000, ["end"] as never[]]);
});

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`seed ${seed}: whatever one packet in ten loses, all bytes and words arrive once and in order`, () => {
    const random = new Random(seed);
    const rig = new NetRig(1e6, () => random.unit() < 0.1);
    const { near, far } = rig.open();
    const says: never[] = [];
    const words: string[] = [];
    let written = 0;
    let read = 0;
    for (let word = 0; word < 40;) {
      const bytes = random.between(1, 9000);
      if (rig.a.write(near, bytes, `word ${word}`) === bytes) words.push(`word ${word++}`);
      written = near.writtenEnd - 1;
      for (let i = 0; i < 20 && rig.step(); i++) read += rig.b.read(far, 5000, says);
    }
    rig.a.close(near);
    while (rig.step()) read += rig.b.read(far, 5000, says);
    assertEquals(read, written);
    assertEquals(says, words as never[]);
  });
}

test("nobody at a port answers with a reset, which closes the connection", () => {
  const rig = new NetRig();
  const tcb = rig.a.connect(hostAddress(0x0a000002), 81, OPTIONS);
  rig.run();
  assertEquals(texts(rig), ["a: S 0+0", "b: R 0+0 ack 1"]);
  assertEquals([tcb.state, rig.events], ["closed", ["a: closed 1"]]);
});

test("a port whose backlog is full takes no more until somebody accepts", () => {
  const rig = new NetRig();
  rig.b.listen(80, 2, OPTIONS);
  for (let i = 0; i < 3; i++) rig.a.connect(hostAddress(0x0a000002), 80, OPTIONS);
  rig.run(2.9e9);
  // All three SYNs came before the first was accepted: the limit is on those that wait.
  assertEquals(rig.b.waitingAt(80), 3);
  rig.a.connect(hostAddress(0x0a000002), 80, OPTIONS);
  rig.run(5.8e9);
  assertEquals([rig.b.waitingAt(80), rig.b.counters.ListenOverflows], [3, 1]);
  for (let i = 0; i < 3; i++) rig.b.accept(80);
  rig.run(9e9);
  assertEquals(rig.b.waitingAt(80), 1);
});

test("datagrams wait at their port, bounded", () => {
  const rig = new NetRig();
  rig.b.bindDatagrams(7);
  for (let i = 0; i < 130; i++) rig.a.sendDatagram(5000, hostAddress(0x0a000002), 7, 64, i);
  rig.a.sendDatagram(5000, hostAddress(0x0a000002), 8, 64);
  rig.run();
  const { InDatagrams, RcvbufErrors, NoPorts } = rig.b.counters;
  assertEquals([InDatagrams, RcvbufErrors, NoPorts], [128, 2, 1]);
  assertEquals(rig.b.receiveDatagram(7)?.marks[0].says, 0);
});

test("a stack that was saved in the middle of a transfer goes on in another", () => {
  const rig = new NetRig();
  const { near, far } = rig.open();
  rig.a.write(near, 50_000, "over");
  for (let i = 0; i < 20; i++) rig.step();
  const record = JSON.stringify(rig.b.save(), (_, value) => value === Infinity ? "inf" : value);
  const other = new NetRig();
  other.b.restore(JSON.parse(record, (_, value) => value === "inf" ? Infinity : value));
  assertEquals(other.b.save(), rig.b.save());
  assertEquals(other.b.connection(far.id)?.expected, far.expected);
});
