import { assertEquals } from "@std/assert";
import { test } from "../../../core/lib/testing.ts";
import { PageCache } from "./page_cache.ts";

function filled(limit: number, pages: number): PageCache {
  const cache = new PageCache(limit);
  for (let index = 0; index < pages; index++) cache.add(1, index)!.upToDate = true;
  return cache;
}

const indexes = (cache: PageCache) =>
  cache.pagesOf(1).map(({ index }) => index).sort((a, b) => a - b);

test("the page that was not used for longest goes", () => {
  const cache = filled(4, 4);
  cache.add(1, 4);
  assertEquals(indexes(cache), [1, 2, 3, 4]);
});

test("a page that is used twice outlives those that are used once", () => {
  const cache = filled(4, 4);
  for (let times = 0; times < 2; times++) cache.find(1, 0);
  for (let index = 4; index < 7; index++) cache.add(1, index);
  assertEquals(indexes(cache), [0, 4, 5, 6]);
});

test("pages that are dirty or on their way stay; when there are no others, there is no room", () => {
  const cache = filled(3, 3);
  cache.markDirty(cache.find(1, 0)!, 10);
  cache.find(1, 1)!.transfers = 1;
  assertEquals(cache.add(1, 3)?.index, 3);
  cache.markDirty(cache.find(1, 3)!, 20);
  assertEquals([indexes(cache), cache.add(1, 4)], [[0, 1, 3], null]);
});

test("dirty pages are listed from the oldest on, and each counts once", () => {
  const cache = filled(8, 8);
  for (const [index, now] of [[5, 1], [2, 2], [5, 3]]) cache.markDirty(cache.find(1, index)!, now);
  assertEquals(Array.from(cache.dirtyPages, ({ index, dirtySince }) => [index, dirtySince]), [
    [5, 1],
    [2, 2],
  ]);
  cache.markClean(cache.find(1, 5)!);
  assertEquals(cache.dirtyPagesOf(1).map(({ index }) => index), [2]);
});

test("a saved cache forgets in the same order", () => {
  const cache = filled(6, 6);
  for (const index of [1, 1, 4]) cache.find(1, index);
  cache.markDirty(cache.find(1, 0)!, 7);
  const other = new PageCache(1);
  other.restore(cache.save());
  assertEquals(other.save(), cache.save());
  for (const each of [cache, other]) each.reclaim(3);
  assertEquals(indexes(other), indexes(cache));
});
