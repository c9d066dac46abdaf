import { assertEquals } from "@std/assert";
import type { Cycle } from "../../../core/clock/clock.ts";
import { test } from "../../../core/lib/testing.ts";
import { Kernel } from "../kernel/kernel.ts";
import { flatPlatform, primitiveNumber } from "../kernel/primitives.ts";
import { type Adapter, AdapterDriver, IDE_ADAPTER, SCSI_ADAPTER } from "./adapter_driver.ts";

/** A driver whose adapter has room for 8 commands and never ends one by itself. */
function rig(adapter: Adapter) {
  const port = { block: () => {}, wake: () => {}, armTimer: () => {} };
  const kernel = new Kernel({
    name: "test",
    machine: { now: () => 0 as Cycle, frequencyHz: 1e9, cpus: [port] },
    platform: flatPlatform("simple", false, {}),
  });
  const tags: number[] = [];
  const driver: AdapterDriver = new AdapterDriver(kernel, {
    get room() {
      return 8 - tags.length;
    },
    submit: ({ tag }) => tags.push(tag),
  }, adapter);
  kernel.install({ name: "disk", interrupts: { disk: () => {} } });
  const accesses = () =>
    (["deviceAccess", "plainAccess"] as const).map((each) => kernel.counts[primitiveNumber(each)]);
  return { driver, tags, accesses };
}

test("each command and each interrupt makes the adapter's accesses", () => {
  const rows: [Adapter, command: number[], both: number[]][] = [
    [SCSI_ADAPTER, [1, 0], [3, 0]],
    [IDE_ADAPTER, [1, 15], [1, 22]],
  ];
  for (const [adapter, command, both] of rows) {
    const { driver, accesses } = rig(adapter);
    driver.start({ id: 1, sector: 0, count: 8, write: true });
    assertEquals(accesses(), command, adapter.name);
    driver.completed(1);
    assertEquals(driver.takeDone(), [1]);
    assertEquals(accesses(), both, adapter.name);
  }
});

test("IDE takes one command at a time, SCSI as many as its adapter has room for", () => {
  for (const [adapter, room] of [[SCSI_ADAPTER, 7], [IDE_ADAPTER, 0]] as const) {
    const one = rig(adapter).driver;
    one.start({ id: 1, sector: 0, count: 8, write: true });
    assertEquals(one.room, room, adapter.name);
    const other = rig(adapter).driver;
    other.restore(JSON.parse(JSON.stringify(one.save())));
    assertEquals(other.room > 0, adapter === SCSI_ADAPTER);
    one.completed(1);
    assertEquals(one.room > 0, true);
  }
});
