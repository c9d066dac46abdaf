import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { VirtualTimeQueue } from "./virtual_time_queue.ts";

/** All, in the order in which they are found. */
function drained(queue: VirtualTimeQueue<string>): string {
  let names = "";
  for (let entry = queue.first(() => true); entry; entry = queue.first(() => true)) {
    names += entry.who;
    queue.remove(entry.who);
  }
  return names;
}

function queueOf(...entries: readonly (readonly [string, number])[]): VirtualTimeQueue<string> {
  const queue = new VirtualTimeQueue<string>();
  for (const [who, time] of entries) queue.insert(who, time);
  return queue;
}

test("the smallest time comes first, of equals who came first", () => {
  assertEquals(drained(queueOf(["c", 3], ["a", 1], ["d", 3], ["b", 2], ["e", 3])), "abcde");
});

test("who does not suit is passed over, who was taken out is not found", () => {
  const queue = queueOf(["a", 1], ["b", 2], ["c", 3]);
  assertEquals(queue.first((who) => who !== "a"), { who: "b", time: 2 });
  assertEquals([queue.remove("b"), queue.remove("b")], [true, false]);
  assertEquals(drained(queue), "ac");
});
