import { assertEquals } from "@std/assert";
import { test } from "../../../core/lib/testing.ts";
import { Cache, linesOf } from "./cache.ts";

test("what was fetched is there, and only more of it is fetched", () => {
  const cache = new Cache();
  assertEquals([cache.touch(5, 10), cache.touch(5, 10), cache.touch(5, 64)], [10, 0, 54]);
});

test("eight pages of a colour fit, and the ninth displaces the one that was used least recently", () => {
  const cache = new Cache();
  const page = (n: number) => 3 + 16 * n;
  for (let n = 0; n < 8; n++) assertEquals(cache.touch(page(n), 64), 64);
  assertEquals(cache.touch(page(0), 64), 0);
  assertEquals(cache.touch(page(8), 64), 64);
  assertEquals([cache.touch(page(0), 64), cache.touch(page(1), 64)], [0, 64]);
});

test("pages of other colours do not matter", () => {
  const cache = new Cache();
  for (let frame = 0; frame < 128; frame++) cache.touch(frame, 64);
  for (let frame = 0; frame < 128; frame++) assertEquals(cache.touch(frame, 64), 0);
});

test("a cache that others used for a while keeps what was used last", () => {
  const cache = new Cache();
  for (let n = 0; n < 8; n++) cache.touch(16 * n, 64);
  cache.displace(0.5);
  assertEquals([cache.touch(16 * 7, 64), cache.touch(0, 64)], [0, 64]);
});

test("a restored cache holds what the saved one did", () => {
  const [cache, copy] = [new Cache(), new Cache()];
  for (let n = 0; n < 12; n++) cache.touch(16 * n + n % 3, linesOf(1000 * n));
  copy.restore(cache.save());
  for (let n = 0; n < 12; n++) {
    assertEquals(copy.touch(16 * n + n % 3, 64), cache.touch(16 * n + n % 3, 64));
  }
});
