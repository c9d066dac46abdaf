import { assertEquals } from "@std/assert";
import {
  NETIF_ENTRY_BYTES,
  NETIF_RX_REQUEST,
  NETIF_RX_RESPONSE,
  NETIF_TX_REQUEST,
  NETIF_TX_RESPONSE,
} from "../../../core/abi/io/netif.ts";
import { SRING } from "../../../core/abi/io/ring.ts";
import { GTF } from "../../../core/abi/grant_table.ts";
import { test } from "../../../core/lib/testing.ts";
import { PageReferences } from "../../rings/page_references.ts";
import { FRONT, FrontRig, FrontRing } from "../testing/front_rig.ts";
import { ReferenceNetBackEnd, type SizedFrame } from "./reference_netback.ts";

const packet = (frameBytes: number): SizedFrame => ({ frameBytes });

/** A front end by hand, and a card that keeps packets until told that they have left. */
function rig(room = 1000) {
  const front = new FrontRig();
  const pages = new PageReferences<SizedFrame>();
  const card: SizedFrame[] = [];
  const back = new ReferenceNetBackEnd<SizedFrame>({
    host: front.host,
    frontDomain: FRONT,
    name: "netback.1",
    pages,
    mayLeave: () => card.length < room,
    leave(frame) {
      card.push(frame);
      return false;
    },
  });
  const [txFrame, rxFrame] = [front.frame(), front.frame()];
  const tx = new FrontRing(front.memory, txFrame, 256, NETIF_ENTRY_BYTES.tx);
  const rx = new FrontRing(front.memory, rxFrame, 256, NETIF_ENTRY_BYTES.rx);
  const port = front.port();
  const rings = [front.grant(txFrame), front.grant(rxFrame)];
  const connected = back.connect({ domain: FRONT, eventPort: port, rings });
  const notify = () => front.host.events.send(FRONT, port);
  const send = (id: number, gref: number) => {
    const request = { gref, offset: 0, flags: 0, id, size: 60 };
    if (tx.push(NETIF_TX_REQUEST.toBytes(request))) notify();
  };
  const post = (id: number, gref: number) => {
    if (rx.push(NETIF_RX_REQUEST.toBytes({ id, pad: 0, gref }))) notify();
  };
  const sent = () => tx.take().map((bytes) => NETIF_TX_RESPONSE.read(bytes));
  const received = () => rx.take().map((bytes) => NETIF_RX_RESPONSE.read(bytes));
  const finish = () => {
    card.shift();
    back.completed();
    return back.settle();
  };
  return { front, pages, card, back, connected, txFrame, send, post, sent, received, finish };
}

test("what a granted page stands for goes to the card, and is answered when it has left", () => {
  const { front, pages, card, back, connected, send, sent, finish } = rig();
  assertEquals(connected, true);
  const frame = front.frame();
  pages.put(frame, packet(1514));
  send(7, front.grant(frame, GTF.readonly));
  assertEquals([card, sent()], [[packet(1514)], []]);
  assertEquals([finish(), sent()], [1, [{ id: 7, status: 0 }]]);
  assertEquals([back.counters.txPackets, back.counters.txBytes], [1, 1514]);
});

test("a request without a grant, or whose page stands for nothing, is an error to its guest only", () => {
  const { front, card, back, send, sent } = rig();
  send(1, 400);
  send(2, front.grant(front.frame()));
  assertEquals([card, sent()], [[], [{ id: 1, status: -1 }, { id: 2, status: -1 }]]);
  assertEquals(back.counters.txDropped, 2);
});

test("requests wait in the ring while the card is full, and no event is asked for", () => {
  const { front, pages, card, send, finish, txFrame } = rig(1);
  for (const id of [1, 2]) {
    const frame = front.frame();
    pages.put(frame, packet(100 + id));
    send(id, front.grant(frame));
  }
  assertEquals(card, [packet(101)]);
  assertEquals(front.memory.read32(txFrame, SRING.reqEvent), 2);
  finish();
  assertEquals(card, [packet(102)]);
});

test("a packet for the guest stands for the page that it posted; without pages it waits", () => {
  const { front, pages, back, post, received } = rig();
  back.deliver(packet(60));
  back.deliver(packet(61));
  assertEquals([back.show(), received()], [0, []]);
  const frame = front.frame();
  post(9, front.grant(frame));
  assertEquals(received(), [{ id: 9, offset: 0, flags: 0, status: 60 }]);
  assertEquals([pages.take(frame), pages.take(frame)], [packet(60), null]);
  post(10, front.grant(front.frame()));
  assertEquals(received(), [{ id: 10, offset: 0, flags: 0, status: 61 }]);
});

test("a posted page that may not be written, or none, loses one packet", () => {
  const { front, back, post, received } = rig();
  post(3, front.grant(front.frame(), GTF.readonly));
  back.deliver(packet(60));
  back.show();
  assertEquals(received(), [{ id: 3, offset: 0, flags: 0, status: -1 }]);
  assertEquals([back.counters.rxPackets, back.counters.rxDropped], [0, 1]);
});

test("more packets than the queue holds are dropped and counted", () => {
  const { back } = rig();
  for (let n = 0; n < 260; n++) back.deliver(packet(60));
  assertEquals(back.counters.rxDropped, 4);
});

test("a counter that cannot be true stops the ring, and nothing else", () => {
  const { front, back, txFrame, card } = rig();
  front.memory.write32(txFrame, SRING.reqProd, 5000);
  assertEquals([back.step(), card], [0, []]);
});

test("pages stay mapped until the back end goes, and then nothing is held", () => {
  const { front, pages, back, send, finish, post } = rig();
  const frame = front.frame();
  const ref = front.grant(frame);
  for (const id of [1, 2]) {
    pages.put(frame, packet(60));
    send(id, ref);
    finish();
  }
  post(1, front.grant(front.frame()));
  back.deliver(packet(60));
  assertEquals(front.grantRig.held.length, 4);
  back.disconnect();
  assertEquals(front.grantRig.held, []);
});
