import { assertEquals } from "@std/assert";
import { SRING } from "../../../core/abi/io/ring.ts";
import { test } from "../../../core/lib/testing.ts";
import { FrontRing } from "./front_ring.ts";

/** A page, a ring of 256 entries of 12 bytes in it, and what the far side does to its counters. */
function rig() {
  const view = new DataView(new ArrayBuffer(4096));
  const page = {
    read32: (offset: number) => view.getUint32(offset, true),
    write32: (offset: number, value: number) => view.setUint32(offset, value, true),
  };
  const put = (ring: FrontRing, count: number) => {
    for (let n = 0; n < count; n++) ring.put();
  };
  return { page, ring: new FrontRing(page, 12), put };
}

test("a new ring is empty, and each side wants to hear of the first entry", () => {
  const { page, ring } = rig();
  const { reqProd, reqEvent, rspProd, rspEvent } = SRING;
  assertEquals([reqProd, reqEvent, rspProd, rspEvent].map(page.read32), [0, 1, 0, 1]);
  assertEquals([ring.entries, ring.room, ring.take(), ring.show()], [256, 256, -1, false]);
});

// RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: an event if req_event is among the counts that were pushed just now.
const PUSHES = [
  { before: 0, pushed: 1, reqEvent: 1, event: true },
  { before: 0, pushed: 5, reqEvent: 3, event: true },
  { before: 0, pushed: 5, reqEvent: 6, event: false },
  { before: 7, pushed: 5, reqEvent: 7, event: false },
  { before: 7, pushed: 5, reqEvent: 12, event: true },
  { before: 7, pushed: 5, reqEvent: 0, event: false },
];

for (const { before, pushed, reqEvent, event } of PUSHES) {
  test(`${pushed} requests after ${before} ${event ? "reach" : "miss"} the event at ${reqEvent}`, () => {
    const { page, ring, put } = rig();
    put(ring, before);
    ring.show();
    page.write32(SRING.reqEvent, reqEvent);
    put(ring, pushed);
    assertEquals([ring.show(), page.read32(SRING.reqProd)], [event, before + pushed]);
  });
}

test("requests and responses go round the page, each in the place of the other", () => {
  const { page, ring, put } = rig();
  put(ring, 255);
  assertEquals([ring.put(), ring.room], [SRING.ring + 255 * 12, 0]);
  page.write32(SRING.rspProd, 2);
  assertEquals([ring.take(), ring.take(), ring.take()], [SRING.ring, SRING.ring + 12, -1]);
  assertEquals([ring.room, ring.put()], [2, SRING.ring]);
});

test("who asks for an event after three responses is told whether there are three already", () => {
  const { page, ring, put } = rig();
  put(ring, 10);
  page.write32(SRING.rspProd, 2);
  assertEquals([ring.ask(3), page.read32(SRING.rspEvent)], [false, 3]);
  page.write32(SRING.rspProd, 3);
  assertEquals([ring.ask(3), ring.ask(4)], [true, false]);
});

test("a ring that is restored goes on where it was", () => {
  const { page, ring, put } = rig();
  put(ring, 9);
  ring.show();
  page.write32(SRING.rspProd, 4);
  ring.take();
  const saved = ring.save();
  const other = rig().ring;
  other.restore(saved);
  assertEquals([other.room, other.save(), other.put()], [248, saved, SRING.ring + 9 * 12]);
});
