import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../lib/testing.ts";
import { type CodePosition, SampleLog } from "./sample_log.ts";

const AT: CodePosition = { ring: 0, addresses: [0x1000n] };

test("a sample is due at the next multiple of the distance", () => {
  const log = new SampleLog(100);
  assertEquals([0, 99, 100, 101].map((cycle) => log.nextAfter(cycle)), [100, 100, 200, 200]);
});

test("samples keep their CPU, instant and position", () => {
  const log = new SampleLog(100);
  log.add(1, 203, AT);
  log.add(0, 300, { ring: 3, addresses: [1n, 2n] });
  assertEquals([...log], [
    { cpu: 1, cycle: 200, position: AT },
    { cpu: 0, cycle: 300, position: { ring: 3, addresses: [1n, 2n] } },
  ]);
});

test("a full log forgets every second instant and doubles its distance", () => {
  const log = new SampleLog(10, 4);
  for (const cycle of [10, 20, 30, 40, 50]) log.add(0, cycle, AT);
  assertEquals([log.everyCycles, log.nextAfter(50)], [20, 60]);
  assertEquals([...log].map(({ cycle }) => cycle), [20, 40]);
});

test("a distance below one cycle is a RangeError", () => {
  assertThrows(() => new SampleLog(0), RangeError, "found 0");
});
