import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { PitDevice, pitFrequencyHz } from "./pit_device.ts";

function board() {
  const clock = new MachineClock();
  const ports = new IoSpace();
  const rises: number[] = [];
  let level = false;
  const pit = new PitDevice({
    clock,
    ports,
    irq0: {
      setLevel(high) {
        if (high && !level) rises.push(clock.ticks(pitFrequencyHz));
        level = high;
      },
    },
  });
  const runTo = (cycle: number) => {
    while (clock.nextDeadline <= cycle) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(cycle as Cycle);
  };
  return { clock, ports, pit, rises, runTo, armed: () => clock.nextDeadline !== Infinity };
}

test("PIT raises IRQ 0 at exact pulses of 1193182 Hz in rate generator mode", () => {
  const { ports, rises, runTo } = board();
  ports.write(0x43, 1, 0x34);
  ports.write(0x40, 1, 11932 & 0xff);
  ports.write(0x40, 1, 11932 >> 8);
  rises.length = 0; // the control word itself raised OUT
  runTo(1_000_000_000);
  assertEquals(rises.length, 99);
  assertEquals(rises.slice(0, 3), [11933, 23865, 35797]);
  assertEquals(rises[98], 1 + 99 * 11932);
});

test("PIT one-shot in mode 0 costs one event and leaves no timer armed", () => {
  const { ports, rises, runTo, armed } = board();
  ports.write(0x43, 1, 0x30);
  ports.write(0x40, 1, 0xe8);
  ports.write(0x40, 1, 0x03);
  runTo(10_000_000);
  assertEquals(rises, [1001]);
  assertEquals(armed(), false);
});

test("PIT channel 2 counts while port 0x61 holds its gate high and shows OUT in bit 5", () => {
  const { ports, runTo } = board();
  ports.write(0x61, 1, 0x01);
  ports.write(0x43, 1, 0xb0);
  ports.write(0x42, 1, 0xff);
  ports.write(0x42, 1, 0x0f);
  assertEquals(ports.read(0x61, 1) & 0x20, 0);
  runTo(3_432_000);
  assertEquals(ports.read(0x61, 1) & 0x21, 0x01);
  runTo(3_434_000);
  assertEquals(ports.read(0x61, 1) & 0x21, 0x21);
});

test("Port 0x61 toggles the refresh bit every 18 pulses", () => {
  const { ports, runTo } = board();
  const seen: number[] = [];
  for (let step = 0; step < 6; step++) {
    runTo(step * 15_086);
    seen.push((ports.read(0x61, 1) >> 4) & 1);
  }
  assertEquals(seen, [0, 1, 0, 1, 0, 1]);
});

test("PIT speaker plays channel 2's square wave while gate and data are enabled", () => {
  const { ports, pit } = board();
  ports.write(0x43, 1, 0xb6);
  ports.write(0x42, 1, 1193 & 0xff);
  ports.write(0x42, 1, 1193 >> 8);
  assertEquals(pit.speakerHz, 0);
  ports.write(0x61, 1, 3);
  assertEquals(Math.floor(pit.speakerHz), 1000);
});

test("PIT continues from a snapshot at the same pulse", () => {
  const first = board();
  first.ports.write(0x43, 1, 0x34);
  first.ports.write(0x40, 1, 0x00);
  first.ports.write(0x40, 1, 0x10);
  first.runTo(5_000_000);
  const second = board();
  second.clock.restore(first.clock.save());
  second.pit.restore(first.pit.save());
  first.rises.length = 0;
  first.runTo(20_000_000);
  second.runTo(20_000_000);
  assertEquals(second.rises, first.rises);
  assertEquals(second.ports.read(0x40, 1), first.ports.read(0x40, 1));
});
