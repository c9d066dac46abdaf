import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { dateFromDays, daysFromDate, parseDateTime, weekday } from "./calendar.ts";
import { cmosBytesOf } from "./cmos_setup.ts";
import { Mc146818 } from "./mc146818.ts";
import { RtcDevice, type RtcOptions } from "./rtc_device.ts";

const second = 32_768;

/** Registers as hex: year month day weekday hour minute second, with the century first. */
function shown(chip: Mc146818, tick: number): string {
  return [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) =>
    chip.read(index, tick).toString(16).padStart(2, "0")
  ).join(" ");
}

/** Start, register B, seconds that pass, and the registers afterwards. */
const clocks: readonly (readonly [string, number, number, string])[] = [
  ["2003-10-19T00:00:00Z", 0x02, 0, "20 03 10 19 01 00 00 00"],
  ["2003-10-19T00:00:00Z", 0x02, 59, "20 03 10 19 01 00 00 59"],
  ["2003-12-31T23:59:59Z", 0x02, 1, "20 04 01 01 05 00 00 00"],
  ["1999-12-31T23:59:59Z", 0x02, 1, "20 00 01 01 07 00 00 00"],
  ["2000-02-28T12:00:00Z", 0x02, 86400, "20 00 02 29 03 12 00 00"],
  ["2003-02-28T12:34:56Z", 0x02, 86400, "20 03 03 01 07 12 34 56"],
  ["2003-10-19T11:59:59Z", 0x00, 1, "20 03 10 19 01 92 00 00"],
  ["2003-10-19T23:59:59Z", 0x00, 1, "20 03 10 20 02 12 00 00"],
  ["2003-10-19T12:30:00Z", 0x06, 3600 * 10 + 7, "14 03 0a 13 01 16 1e 07"],
];

for (const [start, b, seconds, expected] of clocks) {
  test(`RTC shows ${expected} ${seconds} s after ${start} with register B = ${b}`, () => {
    const chip = new Mc146818({ ...parseDateTime(start) });
    if (b !== 2) {
      const date = parseDateTime(start);
      chip.write(0x0b, 0x80 | b, 0);
      const bcd = (value: number) => b & 4 ? value : (Math.floor(value / 10) << 4) | (value % 10);
      const hour = b & 2
        ? bcd(date.hour)
        : bcd((date.hour + 11) % 12 + 1) | (date.hour > 11 ? 0x80 : 0);
      chip.write(4, hour, 0);
      chip.write(0x32, bcd(20), 0);
      chip.write(9, bcd(3), 0);
      chip.write(8, bcd(10), 0);
      chip.write(7, bcd(19), 0);
      chip.write(2, bcd(date.minute), 0);
      chip.write(0, bcd(date.second), 0);
      chip.write(0x0b, b, 0);
    }
    assertEquals(shown(chip, seconds * second), expected);
  });
}

test("RTC raises UIP 73 pulses (2228 us) before each update, unless SET", () => {
  const chip = new Mc146818(parseDateTime("2003-10-19T00:00:00Z"));
  const uip = (tick: number) => chip.read(0x0a, tick) >> 7;
  assertEquals([second - 74, second - 73, second - 1, second].map(uip), [0, 1, 1, 0]);
  chip.write(0x0b, 0x82, second);
  assertEquals(uip(2 * second - 1), 0);
});

test("RTC stands still while SET is set and goes on in phase afterwards", () => {
  const chip = new Mc146818(parseDateTime("2003-10-19T00:00:00Z"));
  chip.write(0x0b, 0x92, 10);
  assertEquals(chip.read(0x0b, 10), 0x82, "SET clears UIE");
  chip.write(0, 0x30, 5 * second);
  chip.write(0x0b, 0x02, 5 * second + 100);
  assertEquals(chip.read(0, 6 * second - 1), 0x30);
  assertEquals(chip.read(0, 6 * second), 0x31);
});

test("RTC updates half a second after the divider leaves reset", () => {
  const chip = new Mc146818(parseDateTime("2003-10-19T00:00:00Z"));
  chip.write(0x0a, 0x66, 100);
  assertEquals(chip.read(0, 90 * second), 0);
  chip.write(0x0a, 0x26, 90 * second + 7);
  assertEquals(chip.read(0, 90 * second + 7 + second / 2 - 1), 0);
  assertEquals(chip.read(0, 90 * second + 7 + second / 2), 1);
});

/** Rate select and periodic interrupts per second ("Periodic Interrupt Rate and Square Wave Output"). */
const rates = [
  [1, 256],
  [2, 128],
  [3, 8192],
  [4, 4096],
  [5, 2048],
  [6, 1024],
  [7, 512],
  [8, 256],
  [9, 128],
  [10, 64],
  [11, 32],
  [12, 16],
  [13, 8],
  [14, 4],
  [15, 2],
] as const;

for (const [rate, hz] of rates) {
  test(`RTC rate select ${rate} interrupts ${hz} times a second`, () => {
    const chip = new Mc146818(parseDateTime("2003-10-19T00:00:00Z"));
    chip.write(0x0a, 0x20 | rate, 0);
    chip.write(0x0b, 0x42, 0);
    let tick = 0;
    let count = 0;
    for (;;) {
      const next = chip.nextInterrupt(tick)!;
      if (next > second) break;
      tick = next;
      assertEquals(chip.level(tick), true);
      assertEquals(chip.nextInterrupt(tick), null, "one event until register C is read");
      assertEquals(chip.read(0x0c, tick) & 0xc0, 0xc0);
      count++;
    }
    assertEquals(count, hz);
  });
}

/** Alarm bytes (hours, minutes, seconds) against a start at 10:20:30, and the seconds until it matches. */
const alarms: readonly (readonly [number, number, number, number | null])[] = [
  [0x10, 0x20, 0x31, 1],
  [0x10, 0x20, 0x30, 86400],
  [0x10, 0x20, 0x29, 86399],
  [0xff, 0xff, 0xff, 1],
  [0xff, 0xff, 0x00, 30],
  [0xc0, 0x20, 0x30, 3600],
  [0xff, 0x19, 0xff, 58 * 60 + 30],
  [0x09, 0xff, 0xff, 22 * 3600 + 39 * 60 + 30],
  [0x99, 0x00, 0x00, null],
];

for (const [hours, minutes, seconds, expected] of alarms) {
  test(`RTC alarm ${[hours, minutes, seconds].map((v) => v.toString(16)).join(":")} at 10:20:30 comes after ${expected} s`, () => {
    const chip = new Mc146818(parseDateTime("2003-10-19T10:20:30Z"));
    chip.write(5, hours, 0);
    chip.write(3, minutes, 0);
    chip.write(1, seconds, 0);
    chip.write(0x0b, 0x22, 0);
    assertEquals(chip.nextInterrupt(0), expected === null ? null : expected * second);
    if (expected === null) return;
    assertEquals(chip.read(0x0c, expected * second - 1) & 0x20, 0);
    assertEquals(chip.read(0x0c, expected * second) & 0xa0, 0xa0);
  });
}

function board(options: Partial<RtcOptions> = {}) {
  const clock = new MachineClock();
  const ports = new IoSpace();
  const levels: boolean[] = [];
  const irq8 = { setLevel: (high: boolean) => void (high !== levels.at(-1) && levels.push(high)) };
  const rtc = new RtcDevice({ clock, ports, irq8, ...options });
  const read = (index: number) => {
    ports.write(0x70, 1, index);
    return ports.read(0x71, 1);
  };
  const write = (index: number, value: number) => {
    ports.write(0x70, 1, index);
    ports.write(0x71, 1, value);
  };
  const runTo = (cycle: number) => {
    while (clock.nextDeadline <= cycle) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(cycle as Cycle);
  };
  return { clock, rtc, levels, read, write, runTo, ports };
}

test("RTC holds IRQ 8 high from an update until register C is read", () => {
  const { read, write, runTo, levels } = board();
  write(0x0b, 0x12);
  runTo(999_999_999);
  assertEquals(levels, [false]);
  runTo(1_000_000_000);
  assertEquals(levels, [false, true]);
  assertEquals(read(0x0c), 0x90 | 0x40, "PF is set too: the default rate runs unasked");
  assertEquals(levels, [false, true, false]);
});

test("RTC index port masks NMI with bit 7 and does not read", () => {
  const masks: boolean[] = [];
  const { ports, rtc } = board({ onNmiMask: (masked) => masks.push(masked) });
  ports.write(0x70, 1, 0x8f);
  ports.write(0x71, 1, 0x5a);
  assertEquals(rtc.nmiMasked, true);
  ports.write(0x70, 1, 0x0f);
  assertEquals(ports.read(0x71, 1), 0x5a);
  assertEquals([ports.read(0x70, 1), masks], [0xff, [true, false]]);
});

test("RTC continues from a snapshot", () => {
  const first = board();
  first.write(0x0b, 0x72);
  first.write(0x0c, 0);
  first.runTo(1_234_567_890);
  const second = board({ date: "1980-01-01T00:00:00Z" });
  second.clock.restore(first.clock.save());
  second.rtc.restore(first.rtc.save());
  first.runTo(100_000_000_000);
  second.runTo(100_000_000_000);
  assertEquals(second.rtc.dateTime, first.rtc.dateTime);
  assertEquals(second.rtc.save(), first.rtc.save());
});

test("CMOS tells the firmware memory size, boot order and drives", () => {
  const bytes = new Map(cmosBytesOf({
    memoryBytes: 256 * 1024 * 1024,
    memoryAbove4GBytes: 1024 * 1024 * 1024,
    cpus: 4,
    bootOrder: ["cdrom", "disk", "network"],
    floppies: ["1.44M", "none"],
    disks: [{ cylinders: 2080, heads: 16, sectors: 63 }, null],
  }));
  const expected: readonly (readonly [number, number])[] = [
    [0x15, 0x80],
    [0x16, 0x02],
    [0x17, 0xff],
    [0x18, 0xff],
    [0x30, 0xff],
    [0x31, 0xff],
    [0x34, 0x00],
    [0x35, 0x0f],
    [0x5b, 0x00],
    [0x5c, 0x40],
    [0x5d, 0x00],
    [0x5f, 3],
    [0x3d, 0x23],
    [0x38, 0x41],
    [0x10, 0x40],
    [0x12, 0xf0],
    [0x14, 0x07],
    [0x19, 47],
    [0x1b, 0x20],
    [0x1c, 0x08],
    [0x1d, 16],
    [0x20, 0xc8],
    [0x23, 63],
    [0x39, 1],
  ];
  for (const [index, value] of expected) assertEquals(bytes.get(index), value, index.toString(16));
  let sum = 0;
  for (let index = 0x10; index <= 0x2d; index++) sum += bytes.get(index) ?? 0;
  assertEquals((bytes.get(0x2e)! << 8) | bytes.get(0x2f)!, sum);
});

test("RTC options name what is wrong with a date or a set-up", () => {
  assertThrows(() => board({ date: "yesterday" }), SyntaxError, 'found "yesterday"');
  assertThrows(() => board({ date: "2003-02-29T00:00:00Z" }), RangeError, "no such date");
  assertThrows(() => board({ setup: { memoryBytes: 4096 } }), RangeError, "found 4096 bytes");
});

test("Calendar turns days into dates and back over four centuries", () => {
  assertEquals(daysFromDate(1970, 1, 1), 0);
  assertEquals(daysFromDate(2003, 10, 19), 12344);
  assertEquals(weekday(12344), 1);
  for (let days = -100_000; days < 100_000; days += 97) {
    const { year, month, day } = dateFromDays(days);
    assertEquals(daysFromDate(year, month, day), days);
  }
});
