import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { DK32EJ, ZonedGeometry } from "./geometry.ts";
import { DiskMechanics } from "./mechanics.ts";
import { type DiskCommand, ScsiDisk } from "./scsi_disk.ts";

const ROTATION_NS = 60e9 / 10_025;

/** A disk, and what it has done: tag and time in microseconds. */
function rig() {
  const clock = new MachineClock(1_000_000_000);
  const done: [tag: number, us: number][] = [];
  const completed = ({ tag }: DiskCommand) => done.push([tag, Math.round(clock.now / 1000)]);
  const disk = new ScsiDisk({ clock, name: "sda", model: DK32EJ, completed });
  const run = (untilNs: number) => {
    while (clock.nextDeadline <= untilNs) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(untilNs as Cycle);
  };
  return { clock, disk, done, run };
}

test("the disk has the capacity that the paper names", () => {
  const { sectorCount } = new ZonedGeometry(DK32EJ);
  assertEquals(Math.round(sectorCount * 512 / 1e9), 146);
});

test("seeks go through the three points of a data sheet, and longer ones never take less", () => {
  const geometry = new ZonedGeometry(DK32EJ);
  const third = geometry.cylinders / 3;
  assertEquals([0, 1, third, geometry.cylinders].map((distance) => geometry.seekNs(distance)), [
    0,
    500_000,
    4_900_000,
    10_500_000,
  ]);
  for (let distance = 1; distance < geometry.cylinders; distance += 97) {
    assertEquals(geometry.seekNs(distance) < geometry.seekNs(distance + 97), true);
  }
});

test("every sector has a place of its own, next to its neighbour or on the next track", () => {
  const geometry = new ZonedGeometry(DK32EJ);
  const edges = [839, 8399, 12_000 * 8400 - 1, geometry.sectorCount - 2];
  for (const edge of edges) {
    const [here, next] = [geometry.place(edge), geometry.place(edge + 1)];
    if (next.index > 0) assertEquals([next.cylinder, next.head], [here.cylinder, here.head]);
    else {assertEquals(
        next.head === 0 ? here.cylinder + 1 : here.head + 1,
        next.head || next.cylinder,
      );}
  }
  assertThrows(() => geometry.place(geometry.sectorCount), RangeError, "is not within");
});

test("writing one sector over and over costs a revolution each time", () => {
  const { disk, done, run } = rig();
  for (let tag = 0; tag < 4; tag++) disk.submit({ tag, sector: 1000, count: 16, write: true });
  run(1e9);
  const gaps = done.slice(1).map(([, us], index) => us - done[index][1]);
  assertEquals(gaps, [5985, 5985, 5985]);
});

test("a stream of reads comes at the speed of the surface", () => {
  const mechanics = new DiskMechanics(new ZonedGeometry(DK32EJ));
  const sectors = 256;
  let now = mechanics.serve(0, 0, sectors, false);
  const start = now;
  for (let index = 1; index <= 400; index++) {
    now = mechanics.serve(now, index * sectors, sectors, false);
  }
  const megabytesPerSecond = 400 * sectors * 512 / ((now - start) / 1e9) / 1e6;
  assertEquals(megabytesPerSecond > 40 && megabytesPerSecond < 72, true, `${megabytesPerSecond}`);
});

test("random reads take the average seek and half a revolution", () => {
  const geometry = new ZonedGeometry(DK32EJ);
  const mechanics = new DiskMechanics(geometry);
  let [now, seed] = [0, 1];
  const count = 2000;
  for (let index = 0; index < count; index++) {
    seed = (seed * 48_271) % 2_147_483_647;
    now = mechanics.serve(
      now,
      Math.floor(seed / 2_147_483_647 * (geometry.sectorCount - 8)),
      8,
      false,
    );
  }
  const meanMs = now / count / 1e6;
  const expected = 4.9 + ROTATION_NS / 2e6 + 0.1;
  assertEquals(Math.abs(meanMs - expected) < 0.5, true, `${meanMs} for ${expected}`);
});

test("commands that wait are served in the order in which the heads reach them", () => {
  const { disk, done, run } = rig();
  const sectors = [0, 200_000_000, 1_000_000, 199_000_000, 2_000_000];
  sectors.forEach((sector, tag) => disk.submit({ tag, sector, count: 8, write: true }));
  run(1e9);
  assertEquals(done.map(([tag]) => tag), [0, 4, 2, 3, 1]);
});

test("a full queue and sectors that are not there are refused", () => {
  const { disk } = rig();
  for (let tag = 0; tag < 32; tag++) disk.submit({ tag, sector: 0, count: 1, write: false });
  assertEquals(disk.room, 0);
  assertThrows(
    () => disk.submit({ tag: 32, sector: 0, count: 1, write: false }),
    RangeError,
    "full",
  );
  assertThrows(() => rig().disk.submit({ tag: 0, sector: -1, count: 1, write: false }), RangeError);
});

test("a snapshot taken in the middle of a queue ends as the original does", () => {
  const one = rig();
  for (let tag = 0; tag < 6; tag++) {
    one.disk.submit({
      tag,
      sector: (tag * 77_777_777) % 280_000_000,
      count: 64,
      write: tag % 2 === 0,
    });
  }
  one.run(12e6);
  const other = rig();
  other.clock.advanceTo(one.clock.now);
  const [clock, disk] = [one.clock.save(), one.disk.save()];
  other.clock.restore(clock);
  other.disk.restore(disk);
  const before = one.done.length;
  one.run(1e9);
  other.run(1e9);
  assertEquals(other.done, one.done.slice(before));
  assertEquals(other.disk.save(), one.disk.save());
});
