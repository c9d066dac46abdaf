import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { MmioBus, MmioDevice } from "../../core/memory/ports.ts";
import { HpetDevice } from "./hpet_device.ts";

const config = 0x10;
const status = 0x20;
const counter = 0xf0;
const timer = (index: number) => 0x100 + 0x20 * index;
const comparator = (index: number) => timer(index) + 8;

/** A board whose clock runs at 1 GHz: ten cycles to a tick. */
function board() {
  const clock = new MachineClock();
  let device: MmioDevice | undefined;
  let attached: PhysicalAddress | undefined;
  const memory: MmioBus = {
    attachMmio: (base, _size, _name, mmio) => {
      device = mmio;
      attached = base;
    },
    detachMmio: () => {},
  };
  const rises: Record<string, number[]> = { irq0: [], irq8: [], gsi20: [] };
  const levels: Record<string, boolean> = { irq0: false, irq8: false, gsi20: false };
  const line = (name: string) => ({
    setLevel(high: boolean) {
      if (high && !levels[name]) rises[name].push(clock.ticks(100_000_000));
      levels[name] = high;
    },
  });
  const hpet = new HpetDevice({
    clock,
    memory,
    irq0: line("irq0"),
    irq8: line("irq8"),
    inputs: new Map([[20, line("gsi20")]]),
  });
  const runTo = (tick: number) => {
    const cycle = tick * 10;
    while (clock.nextDeadline <= cycle) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(cycle as Cycle);
  };
  const read = (offset: number) => device!.readMmio(offset, 4);
  const write = (offset: number, value: number) => device!.writeMmio(offset, 4, value);
  return { clock, hpet, rises, levels, runTo, read, write, base: () => attached };
}

test("HPET describes itself: 64 bits, three timers, legacy replacement, 10 ns", () => {
  const { read, base } = board();
  assertEquals(base(), 0xfed00000);
  assertEquals(read(0x000) >>> 0, 0x8086a201);
  assertEquals(read(0x004), 10_000_000);
  assertEquals(read(timer(0)), 0x30, "periodic and 64 bits");
  assertEquals(read(timer(2) + 4), 1 << 20, "routable to input 20");
  assertEquals(read(0x400), 0);
});

test("HPET counts only while enabled and is written only while halted", () => {
  const { read, write, runTo } = board();
  write(counter, 0xffff_fff0);
  write(counter + 4, 7);
  runTo(1000);
  assertEquals([read(counter), read(counter + 4)], [0xffff_fff0, 7]);
  write(config, 1);
  runTo(1020);
  assertEquals([read(counter), read(counter + 4)], [4, 8]);
  write(counter, 0);
  assertEquals(read(counter), 4);
  write(config, 0);
  runTo(2000);
  assertEquals(read(counter), 4);
});

/** Timer 2 on input 20: configuration, writes to the comparator, end of the run, and the rises seen. */
const matches:
  readonly (readonly [string, number, readonly number[], number, readonly number[]])[] = [
    ["one-shot", 0x2804, [500], 10_000, [500]],
    ["disabled", 0x2800, [500], 10_000, []],
    ["periodic, first value and period", 0x284c, [300, 1000], 3500, [300, 1300, 2300, 3300]],
    ["periodic without a set value", 0x280c, [1000], 3500, []],
    ["32-bit one-shot", 0x2904, [70], 200, [70]],
    ["periodic level stays high until cleared", 0x284e, [300, 1000], 3500, [300]],
  ];

for (const [name, configuration, values, end, expected] of matches) {
  test(`HPET ${name}`, () => {
    const { write, runTo, rises } = board();
    write(timer(2), configuration);
    write(comparator(2), values[0]);
    write(comparator(2) + 4, 0);
    if (values.length > 1) write(comparator(2), values[1]);
    write(config, 1);
    runTo(end);
    assertEquals(rises.gsi20, expected);
  });
}

test("HPET level interrupt follows its status bit", () => {
  const { write, read, runTo, levels, rises } = board();
  write(timer(2), 0x2846);
  write(timer(2), 0x284e);
  write(comparator(2), 100);
  write(comparator(2) + 4, 0);
  write(comparator(2), 100);
  write(config, 1);
  runTo(150);
  assertEquals([read(status), levels.gsi20], [4, true]);
  write(status, 3);
  assertEquals(levels.gsi20, true);
  write(status, 4);
  assertEquals([read(status), levels.gsi20], [0, false]);
  runTo(250);
  assertEquals(rises.gsi20, [100, 200]);
});

test("HPET keeps a period exact when matches are seen late", () => {
  const { write, read, runTo } = board();
  write(timer(1), 0x48); // periodic, no interrupt: nothing is armed
  write(comparator(1), 10);
  write(comparator(1) + 4, 0);
  write(comparator(1), 7);
  write(config, 1);
  runTo(1000);
  assertEquals(read(comparator(1)), 10 + 7 * 142);
});

test("HPET sets comparator and period through a 64-bit write in one instruction", () => {
  const { write, read } = board();
  write(timer(0), 0x4c);
  write(comparator(0), 0x10);
  write(comparator(0) + 4, 1);
  assertEquals([read(comparator(0)), read(comparator(0) + 4)], [0x10, 1]);
});

test("HPET ignores a route that the timer does not have", () => {
  const { write, read } = board();
  write(timer(0), 5 << 9);
  assertEquals(read(timer(0)), 0x30);
  write(timer(0), 20 << 9);
  assertEquals(read(timer(0)), 0x30 | (20 << 9));
});

test("HPET legacy replacement takes IRQ 0 and IRQ 8 from the 8254 and the RTC", () => {
  const { hpet, write, runTo, rises, levels } = board();
  const pit = hpet.legacyInput(0);
  const rtc = hpet.legacyInput(8);
  pit.setLevel(true);
  assertEquals(levels.irq0, true);
  write(timer(0), 0x4c);
  write(comparator(0), 100);
  write(comparator(0) + 4, 0);
  write(comparator(0), 100);
  write(timer(1), 0x04);
  write(comparator(1), 250);
  write(comparator(1) + 4, 0);
  rises.irq0.length = 0;
  write(config, 3);
  assertEquals(levels.irq0, false);
  rtc.setLevel(true);
  assertEquals(levels.irq8, false);
  runTo(320);
  assertEquals([rises.irq0, rises.irq8], [[100, 200, 300], [250]]);
  write(config, 0);
  assertEquals([levels.irq0, levels.irq8], [true, true], "the old chips' levels come back");
});

test("HPET continues from a snapshot", () => {
  const first = board();
  first.write(timer(0), 0x4c);
  first.write(comparator(0), 100);
  first.write(comparator(0) + 4, 0);
  first.write(comparator(0), 333);
  first.write(config, 3);
  first.runTo(5000);
  const second = board();
  second.clock.restore(first.clock.save());
  second.hpet.restore(first.hpet.save());
  first.rises.irq0.length = 0;
  first.runTo(9000);
  second.runTo(9000);
  assertEquals(second.rises.irq0, first.rises.irq0);
  assertEquals(second.hpet.save(), first.hpet.save());
});
