import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { DK32EJ } from "../../devices/scsi/mod.ts";
import { SharedDisk } from "./shared_disk.ts";

function rig() {
  const clock = new MachineClock(1_000_000_000);
  const shared = new SharedDisk({ clock, name: "sda", model: DK32EJ, writeCache: false });
  const done: string[] = [];
  const part = (name: string) => shared.part(1_000_000, (tag) => done.push(`${name}${tag}`));
  const settle = () => {
    while (clock.nextDeadline < Infinity) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  return { shared, done, part, settle };
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
  // The disk itself takes 32; the hog has as many waiting again.
  for (let tag = 0; tag < 64; tag++) hog.submit({ tag, sector: tag * 5000, count: 8, write: true });
  assertEquals(hog.room, 0);
  other.submit({ tag: 0, sector: 0, count: 8, write: true });
  settle();
  assertEquals(done.length, 65);
  assertEquals(done.indexOf("other0") < 50, true, `${done.indexOf("other0")}`);
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
