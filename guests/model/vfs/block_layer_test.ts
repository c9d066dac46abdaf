import { assertEquals } from "@std/assert";
import { test } from "../../../core/lib/testing.ts";
import { BlockLayer } from "./block_layer.ts";
import { SlowDriver, Tally } from "./testing/slow_driver.ts";

/** What is queued in one go (`r` or `w` and a block), and what the driver gets, in sectors. */
const ORDERS: readonly [claim: string, queued: string[], expected: string[]][] = [
  ["neighbours become one request, whichever comes first", ["w5", "w6", "w4"], ["w 32+24"]],
  ["requests are sorted", ["w90", "w10", "w50"], ["w 80+8", "w 400+8", "w 720+8"]],
  ["reads and writes do not mix", ["w5", "r6"], ["w 40+8", "r 48+8"]],
  [
    "a request holds as many blocks as 255 sectors",
    Array.from({ length: 40 }, (_, block) => `w${block}`),
    ["w 0+248", "w 248+72"],
  ],
];

for (const [claim, queued, expected] of ORDERS) {
  test(claim, () => {
    const driver = new SlowDriver();
    const layer = new BlockLayer(driver, () => {});
    const tally = new Tally();
    for (const each of queued) {
      layer.queue(Number(each.slice(1)), each[0] === "w", null, null, tally);
    }
    assertEquals(driver.log, []);
    layer.unplug(tally);
    assertEquals(driver.log, expected);
    assertEquals([tally.counts.blockRequest, tally.counts.requestStart], [
      queued.length,
      expected.length,
    ]);
  });
}

test("the driver gets no more than it takes, and the rest as it finishes", () => {
  const driver = new SlowDriver(1);
  const layer = new BlockLayer(driver, () => {});
  const tally = new Tally();
  for (const block of [30, 10, 20]) layer.queue(block, true, null, null, tally);
  layer.unplug(tally);
  assertEquals(driver.log, ["w 80+8"]);
  layer.complete(driver.pending.pop()!.id, tally);
  assertEquals(driver.log, ["w 80+8", "w 160+8"]);
  assertEquals(layer.outstanding, 2);
});

test("a ticket is done when the last of its blocks is through", () => {
  const driver = new SlowDriver();
  const layer = new BlockLayer(driver, () => {});
  const tally = new Tally();
  const ticket = layer.openTicket();
  layer.queue(1, true, null, ticket, tally);
  layer.queue(9, true, null, ticket, tally);
  layer.unplug(tally);
  const [first, second] = driver.pending;
  assertEquals([layer.complete(first.id, tally), layer.isDone(ticket)], [[], false]);
  assertEquals([layer.complete(second.id, tally), layer.isDone(ticket)], [[ticket], true]);
});

test("a saved layer goes on where it was", () => {
  const driver = new SlowDriver(1);
  const layer = new BlockLayer(driver, () => {});
  const tally = new Tally();
  for (const block of [1, 9, 5]) layer.queue(block, true, null, layer.openTicket(), tally);
  layer.unplug(tally);
  const other = new BlockLayer(new SlowDriver(1), () => {});
  other.restore(layer.save());
  assertEquals(other.save(), layer.save());
  const { id } = driver.pending.pop()!;
  assertEquals(other.complete(id, tally), layer.complete(id, tally));
  assertEquals(other.save(), layer.save());
});
