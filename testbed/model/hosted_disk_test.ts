import { assertEquals } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { DK32EJ, PERC_3_DI } from "../../devices/scsi/mod.ts";
import { GROUP_BLOCKS } from "../../guests/model/vfs/mod.ts";
import { HostedDisk } from "./hosted_disk.ts";

const PROFILE = profileNamed("xeon-2003");

function rig() {
  const clock = new MachineClock(PROFILE.frequencyHz);
  /** What happened, in order: a tag, or whether the guest stalls. */
  const log: (number | boolean)[] = [];
  const disk = new HostedDisk({
    clock,
    costs: new CostTable(PROFILE, PROFILE.frequencyHz),
    name: "host",
    model: DK32EJ,
    controller: PERC_3_DI,
    blocks: GROUP_BLOCKS,
    hostPages: 1000,
    stall: (stalled) => log.push(stalled),
    completed: (tag) => log.push(tag),
  });
  const settle = () => {
    while (clock.nextDeadline < Infinity) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
  };
  return { clock, disk, log, settle };
}

Deno.test("a guest's write is the host's synchronous one: data first, its journal once a second", () => {
  const { disk, log, settle } = rig();
  for (const tag of [1, 2]) disk.submit({ tag, sector: 800, count: 8, write: true });
  assertEquals(log, [true]);
  settle();
  assertEquals(log, [true, 1, false, 2]);
  const { writes } = disk.disk.counters;
  assertEquals(writes >= 2, true, `${writes} writes`);
  assertEquals(disk.takeHostCycles() > 20_000, true);
  assertEquals(disk.takeHostCycles(), 0);
});

Deno.test("what the host's cache has is read without its disk, and still costs the host's call", () => {
  const { disk, log, settle } = rig();
  disk.submit({ tag: 1, sector: 8000, count: 16, write: false });
  settle();
  const { reads } = disk.disk.counters;
  disk.takeHostCycles();
  disk.submit({ tag: 2, sector: 8000, count: 16, write: false });
  assertEquals([log, disk.disk.counters.reads], [[true, false, 1, true, false, 2], reads]);
  assertEquals(disk.takeHostCycles() > 5000, true);
});

Deno.test("a disk saved in the middle of a write and restored goes on as the one that was never saved", () => {
  const [one, other] = [rig(), rig()];
  for (let tag = 1; tag <= 4; tag++) {
    one.disk.submit({ tag, sector: 800 * tag, count: 8, write: tag !== 3 });
  }
  while (!one.log.includes(2)) {
    one.clock.advanceTo(one.clock.nextDeadline as Cycle);
    one.clock.runDue();
  }
  const [disk, clock] = structuredClone([one.disk.save(), one.clock.save()]);
  const before = one.log.length;
  one.settle();

  other.disk.restore(disk);
  other.clock.restore(clock);
  assertEquals(other.disk.save(), disk);
  other.settle();
  assertEquals(other.log, one.log.slice(before));
  assertEquals(one.log, [true, 1, 2, 3, false, 4]);
  assertEquals(other.disk.takeHostCycles(), one.disk.takeHostCycles());
  assertEquals(other.clock.now, one.clock.now);
});
