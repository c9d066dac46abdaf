import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { DK32EJ, PERC_3_DI } from "../../devices/scsi/mod.ts";
import { SharedDisk } from "./shared_disk.ts";

function rig() {
  const clock = new MachineClock(1_000_000_000);
  const shared = new SharedDisk({ clock, name: "sda", model: DK32EJ, controller: PERC_3_DI });
  const done: string[] = [];
  const part = (name: string) => shared.part(1_000_000, (tag) => done.push(`${name}${tag}`));
  const settle = () => {
    while (clock.nextDeadline < Infinity) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  return { clock, shared, done, part, settle };
}

Deno.test("each system has a part of its own, and hears of its own requests only", () => {
  const { part, done, settle } = rig();
  const [a, b] = [part("a"), part("b")];
  a.submit({ tag: 1, sector: 0, count: 8, write: true });
  b.submit({ tag: 1, sector: 0, count: 8, write: true });
  settle();
  assertEquals(done.sort(), ["a1", "b1"]);
});

Deno.test("a system that floods the disk does not keep another from its turn", () => {
  const { part, done, settle } = rig();
  const [hog, other] = [part("hog"), part("other")];
  // The disk itself has room for 16 reads; the hog has twice as many waiting.
  for (let tag = 0; tag < 48; tag++) {
    hog.submit({ tag, sector: tag * 5000, count: 8, write: false });
  }
  assertEquals(hog.room, 0);
  other.submit({ tag: 0, sector: 0, count: 8, write: false });
  settle();
  assertEquals(done.length, 49);
  assertEquals(done.indexOf("other0") < 40, true, `${done.indexOf("other0")}`);
});

Deno.test("each command that is done interrupts, and starts those that waited for room", () => {
  const clock = new MachineClock(1_000_000_000);
  const interrupts: number[] = [];
  const shared = new SharedDisk({
    clock,
    name: "sda",
    model: DK32EJ,
    controller: PERC_3_DI,
    interrupted: (started) => interrupts.push(started),
  });
  const part = shared.part(1_000_000, () => {});
  const { room } = shared.disk;
  for (let tag = 0; tag < room + 5; tag++) {
    part.submit({ tag, sector: tag * 5000, count: 8, write: false });
  }
  while (clock.nextDeadline < Infinity) {
    clock.advanceTo(clock.nextDeadline as Cycle);
    clock.runDue();
  }
  assertEquals(interrupts.length, room + 5);
  assertEquals(interrupts.reduce((sum, each) => sum + each, 0), 5);
});

Deno.test("parts beyond the end of the disk are refused", () => {
  const { shared, part } = rig();
  part("a");
  assertThrows(() => shared.part(2 ** 40, () => {}), RangeError, "no room");
});

Deno.test("the sectors of a system that is gone are the next one's", () => {
  const { shared, part } = rig();
  const half = Math.floor(shared.disk.geometry.sectorCount / 2);
  const first = shared.part(half, () => {});
  shared.part(half - 1, () => {});
  assertThrows(() => part("none left"), RangeError);
  first.release();
  part("a");
});

Deno.test("a disk saved in the middle and restored goes on as the one that was never saved", () => {
  const [one, other] = [rig(), rig()];
  const [a, b, gone] = ["a", "b", "gone"].map(one.part);
  gone.submit({ tag: 7, sector: 900_000, count: 8, write: false });
  gone.release();
  for (let tag = 0; tag < 40; tag++) {
    a.submit({ tag, sector: tag * 7919 % 1_000_000, count: 8, write: tag % 2 === 0 });
  }
  for (const tag of [1, 2, 3]) b.submit({ tag, sector: tag * 4999, count: 16, write: false });
  for (let n = 0; n < 9; n++) {
    one.clock.advanceTo(one.clock.nextDeadline as Cycle);
    one.clock.runDue();
  }
  const [disk, clock] = structuredClone([one.shared.save(), one.clock.save()]);
  const before = one.done.length;
  assertEquals(before > 0 && before < 43, true, `${before} done`);
  one.settle();

  for (const name of ["a", "b"]) other.part(name);
  other.shared.restore(disk);
  other.clock.restore(clock);
  assertEquals(other.shared.save(), disk);
  other.settle();
  assertEquals(other.done, one.done.slice(before));
  assertEquals(one.done.length, 43);
  assertEquals(other.clock.now, one.clock.now);
});

Deno.test("a record of a disk with other parts is refused", () => {
  const [one, other] = [rig(), rig()];
  one.part("a");
  assertThrows(() => other.shared.restore(one.shared.save()), SnapshotError, "1000000 from 0");
});
