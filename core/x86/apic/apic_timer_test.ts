/** The timer to the cycle. Section titles of the Intel SDM, vol. 3, in the names. */

import { assertEquals } from "@std/assert";
import type { Cycle } from "../../clock/clock.ts";
import { test } from "../../lib/testing.ts";
import { divisorOf } from "./apic_timer.ts";
import { type Bench, bench } from "./testing.ts";

const LVT = 0x320;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;
const MASKED = 0x10000;
const PERIODIC = 0x20000;
const TSC_DEADLINE = 0x40000;

/** The cycles up to `until` at which the timer's vector appears. */
function expirations(b: Bench, until: number): number[] {
  const at: number[] = [];
  while (b.clock.nextDeadline <= until) {
    b.runTo(b.clock.nextDeadline);
    if (!b.cpu.pending) continue;
    at.push(b.clock.now);
    b.apic.acknowledge();
    b.write(0xb0, 0);
  }
  b.runTo(until);
  return at;
}

test("APIC Timer: the divide configuration register", () => {
  const codes = [0b0000, 0b0001, 0b0010, 0b0011, 0b1000, 0b1001, 0b1010, 0b1011];
  assertEquals(codes.map(divisorOf), [2, 4, 8, 16, 32, 64, 128, 1]);
});

test("APIC Timer: one-shot counts down to zero, fires once, and stays there", () => {
  const b = bench(1);
  b.runTo(100);
  b.write(LVT, 0x41);
  b.write(DIVIDE, 0b0011);
  b.write(INITIAL, 1000);
  assertEquals(b.read(CURRENT), 1000);
  b.runTo(100 + 15);
  assertEquals(b.read(CURRENT), 1000);
  b.runTo(100 + 16);
  assertEquals(b.read(CURRENT), 999);
  assertEquals(expirations(b, 100_000), [100 + 16_000]);
  assertEquals([b.read(CURRENT), b.read(INITIAL)], [0, 1000]);
});

test("APIC Timer: periodic reloads, without drift", () => {
  const b = bench(1);
  b.write(LVT, PERIODIC | 0x41);
  b.write(INITIAL, 50);
  assertEquals(expirations(b, 350), [100, 200, 300]);
  assertEquals(b.read(CURRENT), 25);
});

test("APIC Timer: a frequency that does not divide the clock's is exact in the long run", () => {
  const b = bench(1, { timerHz: 300_000_000 });
  b.write(LVT, PERIODIC | 0x41);
  b.write(DIVIDE, 0b1011);
  b.write(INITIAL, 1);
  assertEquals(expirations(b, 17), [4, 7, 10, 14, 17]);
});

test("APIC Timer: a masked timer counts but neither fires nor keeps the machine busy", () => {
  const b = bench(1);
  b.write(LVT, PERIODIC | MASKED | 0x41);
  b.write(INITIAL, 50);
  assertEquals(b.clock.nextDeadline, Infinity);
  b.runTo(130);
  assertEquals(b.read(CURRENT), 35);
  b.write(LVT, PERIODIC | 0x41);
  assertEquals(expirations(b, 300), [200, 300]);
});

test("APIC Timer: periods that pass within one slice of the machine are one interrupt", () => {
  const b = bench(1);
  b.write(LVT, PERIODIC | 0x41);
  b.write(INITIAL, 1);
  b.clock.advanceTo(1001 as Cycle);
  b.clock.runDue();
  assertEquals([b.requested(), b.clock.nextDeadline], [[0x41], 1002]);
});

test("APIC Timer: what is due when the entry changes is delivered as it was set up", () => {
  const b = bench(1);
  b.write(LVT, 0x41);
  b.write(INITIAL, 50);
  b.clock.advanceTo(100 as Cycle);
  b.write(LVT, MASKED | 0x42);
  assertEquals([b.requested(), b.clock.nextDeadline], [[0x41], Infinity]);
});

test("APIC Timer: from one-shot to periodic the count goes on, then reloads", () => {
  const b = bench(1);
  b.write(LVT, 0x41);
  b.write(INITIAL, 50);
  b.runTo(40);
  b.write(LVT, PERIODIC | 0x41);
  assertEquals(b.read(CURRENT), 30);
  assertEquals(expirations(b, 250), [100, 200]);
});

test("APIC Timer: a new divisor holds for the rest of the count", () => {
  const b = bench(1);
  b.write(LVT, 0x41);
  b.write(INITIAL, 50);
  b.runTo(40);
  b.write(DIVIDE, 0b1011);
  assertEquals(b.read(CURRENT), 30);
  assertEquals(expirations(b, 250), [70]);
});

test("APIC Timer: an initial count of zero stops it", () => {
  const b = bench(1);
  b.write(LVT, PERIODIC | 0x41);
  b.write(INITIAL, 50);
  b.write(INITIAL, 0);
  assertEquals([b.clock.nextDeadline, b.read(CURRENT)], [Infinity, 0]);
});

test("APIC Timer: disabling the APIC by software masks the timer", () => {
  const b = bench(1);
  b.write(LVT, 0x41);
  b.write(INITIAL, 50);
  b.write(0xf0, 0xff);
  assertEquals(expirations(b, 1000), []);
});

test("TSC-Deadline Mode: fires at the deadline, clears the MSR, and has no counts", () => {
  const b = bench(1);
  b.cpu.tscOffset = 1000;
  b.write(LVT, TSC_DEADLINE | 0x41);
  b.write(INITIAL, 77);
  assertEquals([b.read(INITIAL), b.read(CURRENT)], [0, 0]);
  assertEquals(b.apic.writeMsr(0x6e0, 1500, 0), true);
  assertEquals(b.apic.readMsr(0x6e0), { low: 1500, high: 0 });
  assertEquals(expirations(b, 2000), [500]);
  assertEquals(b.apic.readMsr(0x6e0), { low: 0, high: 0 });
});

test("TSC-Deadline Mode: a deadline in the past fires at once, zero disarms, a far one never comes", () => {
  const b = bench(1);
  b.write(LVT, TSC_DEADLINE | 0x41);
  b.runTo(1000);
  b.apic.writeMsr(0x6e0, 900, 0);
  b.clock.runDue();
  assertEquals(b.apic.acknowledge(), 0x41);
  b.write(0xb0, 0);
  b.apic.writeMsr(0x6e0, 5000, 0);
  b.apic.writeMsr(0x6e0, 0, 0);
  assertEquals(b.clock.nextDeadline, Infinity);
  b.apic.writeMsr(0x6e0, 0xfffffffe, 0xffffffff);
  assertEquals(b.clock.nextDeadline, Infinity);
  assertEquals(b.apic.readMsr(0x6e0), { low: 0xfffffffe, high: 0xffffffff });
});

test("TSC-Deadline Mode: outside it the MSR reads zero and ignores writes; leaving it disarms", () => {
  const b = bench(1);
  b.apic.writeMsr(0x6e0, 900, 0);
  assertEquals(b.apic.readMsr(0x6e0), { low: 0, high: 0 });
  b.write(LVT, TSC_DEADLINE | 0x41);
  b.apic.writeMsr(0x6e0, 900, 1);
  b.write(LVT, 0x41);
  assertEquals([b.apic.readMsr(0x6e0), b.clock.nextDeadline], [{ low: 0, high: 0 }, Infinity]);
});

test("TSC-Deadline Mode: a change of the TSC moves the deadline", () => {
  const b = bench(1);
  b.write(LVT, TSC_DEADLINE | 0x41);
  b.apic.writeMsr(0x6e0, 900, 0);
  b.cpu.tscOffset = 500;
  b.apic.tscChanged();
  assertEquals(expirations(b, 2000), [400]);
});

test("timers are named after their CPU", () => {
  const b = bench(2);
  b.write(LVT, 0x41, 1);
  b.write(INITIAL, 50, 1);
  assertEquals(b.clock.save().state.armed, [{
    name: "cpu1.apic.timer",
    deadline: 100,
    sequence: 0,
  }]);
});
