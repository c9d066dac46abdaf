import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { DK32EJ } from "./geometry.ts";
import { type ControllerModel, PERC_3_DI, RaidController } from "./raid_controller.ts";

/** A controller, and what it has answered: tag and time in microseconds. */
function rig(controller: ControllerModel = PERC_3_DI) {
  const clock = new MachineClock(1_000_000_000);
  const done: [tag: number, us: number][] = [];
  const raid = new RaidController({
    clock,
    name: "sda",
    model: DK32EJ,
    controller,
    completed: ({ tag }) => done.push([tag, Math.round(clock.now / 1000)]),
  });
  const run = (untilNs: number) => {
    while (clock.nextDeadline <= untilNs) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(untilNs as Cycle);
  };
  const write = (tag: number, sector: number, count = 8) =>
    raid.submit({ tag, sector, count, write: true });
  return { clock, raid, done, run, write };
}

/** A cache of 8 lines that writes back at once what is more than half of it. */
const SMALL: ControllerModel = { ...PERC_3_DI, cacheBytes: 32_768, lingerPart: 1 / 2 };

test("a write is done when the cache has it, and rewrites reach the surface once", () => {
  const { raid, done, run, write } = rig();
  for (let tag = 0; tag < 5; tag++) {
    write(tag, 1000, 16);
    run((tag + 1) * 200_000);
  }
  assertEquals(done, [0, 1, 2, 3, 4].map((tag) => [tag, tag * 200 + 116]));
  assertEquals(raid.cachedBytes, 2 * 4096);
  run(1e9);
  assertEquals([raid.counters.writes, raid.cachedBytes], [1, 0]);
});

test("writes stay in the cache for half a second, and go to the disk in its order, neighbours together", () => {
  const { raid, run, write } = rig();
  for (const [tag, line] of [900, 12, 11, 13, 500].entries()) write(tag, line * 8);
  run(499e6);
  assertEquals(raid.counters.writes, 0);
  run(1e9);
  assertEquals([raid.counters.writes, raid.counters.writtenSectors], [3, 40]);
});

test("what only the cache has is read from there, the rest from the disk", () => {
  const { raid, done, run, write } = rig();
  write(0, 800, 16);
  raid.submit({ tag: 1, sector: 808, count: 8, write: false });
  raid.submit({ tag: 2, sector: 808, count: 16, write: false });
  run(100e6);
  assertEquals(done.map(([tag]) => tag), [0, 1, 2]);
  assertEquals(raid.counters.reads, 1);
  assertEquals(done[2][1] > 1000, true);
});

test("a write for which the cache has no room waits until the disk has taken enough", () => {
  const { raid, done, run, write } = rig(SMALL);
  for (let tag = 0; tag < 9; tag++) write(tag, tag * 80_000);
  run(1e6);
  assertEquals(done.map(([tag]) => tag), [0, 1, 2, 3, 4, 5, 6, 7]);
  run(1e9);
  assertEquals([done.length, raid.counters.writes, raid.cachedBytes], [9, 9, 0]);
  assertEquals(done[8][1] > 1000, true);
});

test("a write that is larger than the cache is taken by an empty one", () => {
  const { raid, done, run, write } = rig(SMALL);
  write(0, 0, 128);
  run(1e9);
  assertEquals([done.length, raid.cachedBytes], [1, 0]);
});

test("sectors that are not there and more commands than it holds are refused", () => {
  const { raid, write } = rig();
  assertThrows(() => write(0, raid.geometry.sectorCount - 4), RangeError, "are not within");
  for (let tag = 0; raid.room > 0; tag++) write(tag, tag * 1000);
  assertThrows(() => write(200, 0), RangeError, "the disk's queue is full: no room for tag 200");
});

test("a controller that is saved in the middle of a sweep and restored goes on as the other does", () => {
  const one = rig(SMALL);
  for (let tag = 0; tag < 12; tag++) one.write(tag, (tag * 77_777_776) % 280_000_000);
  one.run(12e6);
  const other = rig(SMALL);
  other.clock.advanceTo(one.clock.now);
  const [clock, raid] = [one.clock.save(), JSON.parse(JSON.stringify(one.raid.save()))];
  other.clock.restore(clock);
  other.raid.restore(raid);
  const before = one.done.length;
  one.run(1e9);
  other.run(1e9);
  assertEquals(other.done, one.done.slice(before));
  assertEquals(other.raid.save(), one.raid.save());
  assertEquals([one.done.length, one.raid.cachedBytes], [12, 0]);
});
