import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "./random.ts";
import { test } from "./testing.ts";

test("a seed gives the same numbers again, and another seed others", () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return [1, 2, 3].map(() => random.bits());
  };
  assertEquals(draw(7), draw(7));
  assert(draw(7)[0] !== draw(8)[0]);
  assertThrows(() => new Random(0.5), RangeError, "whole number");
});

test("weights are met, and all of a range is drawn", () => {
  const random = new Random(1);
  const counts = [0, 0, 0];
  for (let i = 0; i < 60_000; i++) counts[random.pick([1, 3, 6])]++;
  [10_000, 20_000, 30_000].forEach((expected, place) => {
    assert(Math.abs(counts[place] - expected) < 500, `${counts}`);
  });
  const drawn = new Set(Array.from({ length: 500 }, () => random.between(5, 15)));
  assertEquals([...drawn].sort((a, b) => a - b), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
});

test("a restored generator goes on as the one that was saved", () => {
  const one = new Random(3);
  one.bits();
  const other = new Random(99);
  other.restore(one.save());
  assertEquals([other.bits(), other.fork().bits()], [one.bits(), one.fork().bits()]);
});
