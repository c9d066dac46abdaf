import { assertEquals } from "@std/assert";
import {
  NETIF_EXTRA_GSO,
  NETIF_RX_REQUEST,
  NETIF_RX_RESPONSE,
  NETIF_TX_REQUEST,
  NETIF_TX_RESPONSE,
  NETRXF,
  NETTXF,
} from "../../../core/abi/io/netif.ts";
import { GTF } from "../../../core/abi/grant_table.ts";
import type { GrantReference, MachineFrame } from "../../../core/abi/ids.ts";
import { type Cycle, MachineClock } from "../../../core/clock/clock.ts";
import { test } from "../../../core/lib/testing.ts";
import { ethernetFrame, EthernetSwitch, formatMac, macAt, parseMac } from "../../net/mod.ts";
import { FRONT, FrontRig, FrontRing } from "../testing/front_rig.ts";
import { XenbusDevice } from "../xenbus_device.ts";
import { NetBackEnd, type NetBackEndOptions } from "./netback.ts";
import { parseRate } from "./rate_limit.ts";

const GUEST_MAC = parseMac("00:16:3e:00:00:01");
const PEER_MAC = parseMac("00:16:3e:00:00:02");

interface Choices extends Pick<NetBackEndOptions, "rate"> {
  /** Nodes that the front end writes besides the usual ones. */
  readonly nodes?: Record<string, string>;
}

/** A vif on a bridge with one peer, plugged in; `connect` plays xen-netfront. */
function rig({ rate = null, nodes = { "feature-sg": "1" } }: Choices = {}) {
  const front = new FrontRig();
  const clock = new MachineClock();
  const bridge = new EthernetSwitch({ name: "br0", clock });
  const vif = bridge.attach("vif1.0");
  const peer = bridge.attach("peer");
  const heard: { frame: Uint8Array; at: number }[] = [];
  peer.connect({ send: (frame) => heard.push({ frame, at: clock.nowNs }) });
  const paths = front.plug("vif", 0, { mac: formatMac(GUEST_MAC) });
  const { host, store, wake } = front;
  const name = "netback.1.0";
  const driver = new NetBackEnd({ host, frontDomain: FRONT, name, clock, port: vif, rate, wake });
  const device = new XenbusDevice({ store, domain: host.domain, path: paths.back, driver, wake });
  const [txFrame, rxFrame] = [front.frame(), front.frame()];
  const tx = new FrontRing(front.memory, txFrame, 256, 12);
  const rx = new FrontRing(front.memory, rxFrame, 256, 8);
  const port = front.port();
  const connect = (changes: Record<string, string> = {}) => {
    front.run(device);
    const all = {
      "tx-ring-ref": `${front.grant(txFrame)}`,
      "rx-ring-ref": `${front.grant(rxFrame)}`,
      "event-channel": `${port}`,
      "request-rx-copy": "1",
      ...nodes,
      ...changes,
    };
    for (const [name, value] of Object.entries(all)) {
      front.guest.write(`device/vif/0/${name}`, value);
    }
    front.guest.write("device/vif/0/state", "4");
    front.run(device);
    front.eventRig.consume(FRONT);
    front.eventRig.log.length = 0;
  };
  /** Lets the switch deliver and the back end work until nothing is due. */
  const settle = () => {
    front.run(device);
    while (clock.nextDeadline !== Infinity) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
      front.run(device);
    }
  };
  /** Sends requests; answers ids and statuses. */
  const send = (...requests: Uint8Array[]) => {
    if (tx.push(...requests)) front.host.events.send(FRONT, port);
    settle();
    return tx.take().map((bytes) => {
      const { id, status } = NETIF_TX_RESPONSE.read(bytes);
      return [id, status];
    });
  };
  /** Posts pages; answers them. */
  const post = (count: number, flags = 0): MachineFrame[] => {
    const frames = Array.from({ length: count }, () => front.frame());
    rx.push(
      ...frames.map((frame, index) =>
        NETIF_RX_REQUEST.toBytes({ id: index + 1, gref: front.grant(frame, flags) })
      ),
    );
    return frames;
  };
  const received = () => rx.take().map((bytes) => NETIF_RX_RESPONSE.read(bytes));
  const node = (name: string) => front.tools.readText(`${paths.back}/${name}`);
  return {
    ...{ front, clock, bridge, vif, peer, heard, driver, device, tx, rx, rxFrame, txFrame, port },
    ...{ connect, settle, send, post, received, node },
  };
}

interface Piece {
  readonly gref: GrantReference;
  readonly offset?: number;
  readonly size: number;
  readonly flags?: number;
  readonly id?: number;
}
const request = (piece: Piece) => NETIF_TX_REQUEST.toBytes(piece);

/** A frame to the peer, written into a page of the guest. */
function page({ front }: ReturnType<typeof rig>, bytes: Uint8Array, at = 0) {
  const frame = front.frame();
  front.memory.bytes(frame).set(bytes, at);
  return front.grant(frame, GTF.readonly);
}

const payload = (count: number) => Uint8Array.from({ length: count }, (_, index) => index & 0xff);
const frameOf = (count: number) => ethernetFrame(PEER_MAC, GUEST_MAC, 0x88b5, payload(count));

test("the handshake is that of Linux's front end", () => {
  const vif = rig();
  assertEquals(
    ["state", "feature-rx-copy", "feature-sg", "feature-gso-tcpv4", "multi-queue-max-queues"].map(
      vif.node,
    ),
    ["2", "1", "1", "1", "1"],
  );
  vif.connect();
  assertEquals([vif.node("state"), vif.front.grantRig.held.length], ["4", 2]);
  vif.front.guest.write("device/vif/0/state", "6");
  vif.front.run(vif.device);
  assertEquals([vif.node("state"), vif.front.grantRig.held], ["6", []]);
  for (
    const nodes of [{ "request-rx-copy": "0" }, { "tx-ring-ref": "511" }, { "event-channel": "" }]
  ) {
    const other = rig();
    other.connect(nodes as unknown as Record<string, string>);
    assertEquals([other.node("state"), other.front.grantRig.held], ["5", []]);
  }
});

test("a packet in one page reaches the bridge and is answered, with an event that the guest asked for", () => {
  const vif = rig();
  vif.connect();
  const frame = frameOf(100);
  const gref = page(vif, frame, 50);
  assertEquals(vif.send(request({ gref, offset: 50, size: frame.length, id: 7 })), [[7, 0]]);
  assertEquals(vif.heard.map(({ frame }) => frame), [frame]);
  assertEquals(vif.front.eventRig.log, ["upcall 1.0"]);
  const { txPackets, txBytes, txDropped } = vif.driver.counters;
  assertEquals([txPackets, txBytes, txDropped], [1, frame.length, 0]);
  assertEquals(vif.front.grantRig.held.length, 2);
});

test("a packet in pieces is put together", () => {
  const vif = rig();
  vif.connect();
  const frame = frameOf(5000);
  const first = page(vif, frame.subarray(0, 1000), 3096);
  const second = page(vif, frame.subarray(1000, 5000), 96);
  const third = page(vif, frame.subarray(5000));
  const answers = vif.send(
    request({ gref: first, offset: 3096, size: frame.length, flags: NETTXF.more_data, id: 1 }),
    request({ gref: second, offset: 96, size: 4000, flags: NETTXF.more_data, id: 2 }),
    request({ gref: third, size: frame.length - 5000, id: 3 }),
  );
  assertEquals(answers, [[1, 0], [2, 0], [3, 0]]);
  assertEquals(vif.heard.map(({ frame }) => frame), [frame]);
});

test("a blank checksum is computed, a long TCP packet is cut", () => {
  const vif = rig();
  vif.connect();
  const tcp = new Uint8Array(14 + 20 + 20 + 3000);
  tcp.set(frameOf(0).subarray(0, 12));
  tcp.set([
    8,
    0,
    0x45,
    0,
    3040 >> 8,
    3040 & 0xff,
    0,
    1,
    0x40,
    0,
    64,
    6,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
  ], 12);
  tcp.set([0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10], 34);
  const gref = page(vif, tcp);
  const flags = NETTXF.csum_blank | NETTXF.data_validated | NETTXF.extra_info;
  const gso = new Uint8Array(12);
  NETIF_EXTRA_GSO.write(gso, { type: 1, size: 1448, gso_type: 1 });
  assertEquals(vif.send(request({ gref, size: tcp.length, flags, id: 9 }), gso), [[9, 0], [0, 1]]);
  assertEquals(vif.heard.map(({ frame }) => frame.length), [1502, 1502, 158]);
  const { txPackets, txBytes } = vif.driver.counters;
  assertEquals([txPackets, txBytes], [1, tcp.length]);
});

const BAD: [claim: string, pieces: (vif: ReturnType<typeof rig>) => Uint8Array[], ids: number[]][] =
  [
    ["a grant that is none", () => [request({ gref: 400 as GrantReference, size: 100, id: 1 })], [
      1,
    ]],
    ["a piece across its page's end", (vif) => [
      request({ gref: page(vif, frameOf(10)), offset: 4090, size: 100, id: 1 }),
    ], [1]],
    [
      "a frame without a header",
      (vif) => [request({ gref: page(vif, frameOf(10)), size: 13, id: 1 })],
      [1],
    ],
    ["pieces longer than the whole", (vif) => [
      request({ gref: page(vif, frameOf(10)), size: 60, flags: NETTXF.more_data, id: 1 }),
      request({ gref: page(vif, frameOf(10)), size: 60, id: 2 }),
    ], [1, 2]],
    ["a piece that never comes", (vif) => [
      request({ gref: page(vif, frameOf(10)), size: 60, flags: NETTXF.more_data, id: 1 }),
    ], [1]],
    ["nineteen pieces", (vif) => {
      const gref = page(vif, frameOf(10));
      return Array.from(
        { length: 19 },
        (_, index) =>
          request({
            gref,
            size: index === 0 ? 190 : 10,
            flags: index < 18 ? NETTXF.more_data : 0,
            id: index + 1,
          }),
      );
    }, Array.from({ length: 18 }, (_, index) => index + 1)],
  ];

for (const [claim, pieces, ids] of BAD) {
  test(`${claim} is answered with an error, and the next packet is sent`, () => {
    const vif = rig();
    vif.connect();
    const answers = vif.send(...pieces(vif));
    assertEquals(answers.slice(0, ids.length), ids.map((id) => [id, -1]));
    const frame = frameOf(46);
    const good = request({ gref: page(vif, frame), size: frame.length, id: 99 });
    assertEquals(vif.send(good).at(-1), [99, 0]);
    assertEquals(vif.heard.length, 1);
    assertEquals(vif.front.grantRig.held.length, 2);
  });
}

test("an extra that is not understood is an error for its packet", () => {
  const vif = rig();
  vif.connect();
  const frame = frameOf(46);
  const first = request({ gref: page(vif, frame), size: 60, flags: NETTXF.extra_info, id: 1 });
  assertEquals(vif.send(first, new Uint8Array(12)), [[1, -1], [0, 1]]);
});

test("frames from the bridge wait for pages, and fill them in order", () => {
  const vif = rig();
  vif.connect();
  const frames = [frameOf(50), frameOf(1500), frameOf(6000)];
  for (const frame of frames) vif.peer.send(frame);
  vif.settle();
  assertEquals(vif.received(), []);
  const pages = vif.post(5);
  vif.front.host.events.send(FRONT, vif.port);
  vif.settle();
  const more = NETRXF.more_data;
  assertEquals(vif.received().map(({ id, status, flags }) => [id, status, flags]), [
    [1, frames[0].length, 0],
    [2, frames[1].length, 0],
    [3, 4096, more],
    [4, frames[2].length - 4096, 0],
  ]);
  assertEquals(vif.front.memory.bytes(pages[1], 0, frames[1].length), frames[1]);
  assertEquals(
    vif.front.memory.bytes(pages[3], 0, frames[2].length - 4096),
    frames[2].slice(4096),
  );
  assertEquals(vif.driver.counters.rxPackets, 3);
});

test("a front end without scatter-gather gets no packet that spans pages", () => {
  const vif = rig({ nodes: {} });
  vif.connect();
  vif.post(3);
  vif.peer.send(frameOf(6000));
  vif.peer.send(frameOf(60));
  vif.settle();
  assertEquals([vif.received().length, vif.driver.counters.rxDropped], [1, 1]);
});

test("a page that cannot be written is an error, and the next packet uses the next page", () => {
  const vif = rig();
  vif.connect();
  vif.post(1, GTF.readonly);
  vif.post(1);
  vif.peer.send(frameOf(60));
  vif.peer.send(frameOf(60));
  vif.settle();
  assertEquals(vif.received().map(({ status }) => status), [-1, frameOf(60).length]);
});

test("frames beyond the queue are dropped and counted", () => {
  const vif = rig();
  vif.connect();
  for (let i = 0; i < 300; i++) vif.peer.send(frameOf(46));
  vif.settle();
  assertEquals(vif.driver.counters.rxDropped, 44);
});

test("a rate limit spreads packets over intervals, to the cycle", () => {
  // 1000 bytes in each millisecond.
  const vif = rig({ rate: parseRate("1000,1000") });
  vif.connect();
  const frame = frameOf(486);
  const gref = page(vif, frame);
  const requests = [1, 2, 3, 4, 5].map((id) => request({ gref, size: frame.length, id }));
  assertEquals(vif.send(...requests).length, 5);
  // Each arrives 5 us and its 524 bytes' time after its turn; the second follows the first on the wire.
  const wire = 5000 + 524 * 8;
  assertEquals(vif.heard.map(({ at }) => at), [
    wire,
    wire + 524 * 8,
    1_000_000 + wire,
    1_000_000 + wire + 524 * 8,
    2_000_000 + wire,
  ]);
});

test("rates are read as BYTES,USECS", () => {
  assertEquals(parseRate("10240,50000"), { bytes: 10240, intervalNs: 50_000_000 as never });
  assertEquals([null, "", "1", "0,5", "5,0", "a,b", "-1,5"].map(parseRate), Array(7).fill(null));
});

test("impossible counters stop the vif, and nothing else", () => {
  for (const which of ["txFrame", "rxFrame"] as const) {
    const vif = rig();
    vif.connect();
    vif.front.memory.write32(vif[which], 0, 257);
    vif.peer.send(frameOf(46));
    vif.settle();
    const frame = frameOf(46);
    assertEquals(vif.send(request({ gref: page(vif, frame), size: 60, id: 1 })), []);
    assertEquals(vif.node("state"), "4");
  }
});

test("a snapshot keeps rings, waiting frames and counters", () => {
  const vif = rig();
  vif.connect();
  vif.peer.send(frameOf(46));
  vif.settle();
  const record = vif.driver.save();
  vif.driver.dispose();
  const { front, bridge } = vif;
  const other = new NetBackEnd({
    host: front.host,
    frontDomain: FRONT,
    name: "netback.1.0",
    clock: new MachineClock(),
    port: bridge.attach("other"),
    wake: front.wake,
  });
  other.restore(record);
  assertEquals(other.save(), record);
  vif.post(1);
  other.step();
  assertEquals(vif.received().map(({ status }) => status), [60]);
  assertEquals(macAt(frameOf(46), 6), GUEST_MAC);
});
