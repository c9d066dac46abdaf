import { assertEquals } from "@std/assert";
import { test } from "../lib/testing.ts";
import { type CounterReading, CounterStream } from "./counters.ts";

test("counters are read under the name of what counts", () => {
  const stream = new CounterStream();
  const counts = { regions: 1 };
  stream.add("hot", () => counts);
  stream.add("cold", () => ({ modules: 2 }));
  counts.regions = 5;
  assertEquals(stream.read(), { "hot.regions": 5, "cold.modules": 2 });
});

test("a reading goes to those who listen, until they stop", () => {
  const stream = new CounterStream();
  const readings: CounterReading[] = [];
  stream.add("cold", () => ({ modules: readings.length }));
  const stop = stream.listen((reading) => readings.push(reading));
  stream.tell(10);
  stream.tell(20);
  stop();
  stream.tell(30);
  assertEquals(readings, [
    { cycle: 10, counts: { "cold.modules": 0 } },
    { cycle: 20, counts: { "cold.modules": 1 } },
  ]);
});
