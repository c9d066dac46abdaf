import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { LoadedMachine, ms } from "../scheduling/testing/load.ts";
import { ScheduleTrace } from "./schedule_trace.ts";

/** Two domains that compute in turns of 10 ms on one physical CPU. */
function recorded(untilMs: number, limit?: number) {
  const machine = new LoadedMachine("bvt", 1, [{ load: { kind: "spins" } }, {
    load: { kind: "spins" },
  }]);
  const trace = new ScheduleTrace(machine.dispatcher, limit);
  machine.run(untilMs);
  return { machine, trace };
}

test("a recording has each stay in each state, to the cycle", () => {
  const { trace } = recorded(20);
  trace.stop();
  const rows = trace.spans.map(({ vcpu, state, cpu, from, to }) =>
    `${vcpu.name} ${state}${state === "running" ? ` on ${cpu}` : ""} ${from / ms(1)}-${to / ms(1)}`
  );
  assertEquals(rows, [
    "d1v0 running on 0 0-5",
    "d2v0 runnable 0-5",
    "d2v0 running on 0 5-15",
    "d1v0 runnable 5-15",
    "d1v0 running on 0 15-20",
    "d2v0 runnable 15-20",
  ]);
});

test("a recording's running spans add up to what was accounted", () => {
  const { machine, trace } = recorded(333);
  trace.stop();
  for (const domain of [1, 2]) {
    const ran = trace.spans
      .filter(({ vcpu, state }) => vcpu.domain === domain as never && state === "running")
      .reduce((sum, { from, to }) => sum + to - from, 0);
    assertEquals(ran / ms(1), machine.ran(domain));
  }
});

test("recording changes nothing", () => {
  const plain = new LoadedMachine("bvt", 1, [{ load: { kind: "spins" } }, {
    load: { kind: "spins" },
  }]);
  plain.run(100);
  assertEquals(recorded(100).machine.save(), plain.save());
});

test("a recording keeps the latest spans and counts those it forgets", () => {
  const { trace } = recorded(1000, 10);
  assertEquals(trace.spans.length, 10);
  assertEquals(trace.dropped > 150, true);
  assertThrows(() => recorded(1, 0), RangeError, "found a limit of 0");
});

test("the export names processors, domains and virtual CPUs, and counts in microseconds", () => {
  const { trace } = recorded(15);
  trace.stop();
  assertEquals(trace.toChrome().traceEvents, [
    { ph: "M", pid: 1, tid: 0, name: "process_name", args: { name: "physical CPUs" } },
    { ph: "M", pid: 1, tid: 0, name: "thread_name", args: { name: "CPU 0" } },
    { ph: "M", pid: 3, tid: 0, name: "process_name", args: { name: "domain 1" } },
    { ph: "M", pid: 3, tid: 0, name: "thread_name", args: { name: "d1v0" } },
    { ph: "X", pid: 3, tid: 0, ts: 0, dur: 5000, name: "running" },
    { ph: "X", pid: 1, tid: 0, ts: 0, dur: 5000, name: "d1v0" },
    { ph: "M", pid: 4, tid: 0, name: "process_name", args: { name: "domain 2" } },
    { ph: "M", pid: 4, tid: 0, name: "thread_name", args: { name: "d2v0" } },
    { ph: "X", pid: 4, tid: 0, ts: 0, dur: 5000, name: "runnable" },
    { ph: "X", pid: 4, tid: 0, ts: 5000, dur: 10000, name: "running" },
    { ph: "X", pid: 1, tid: 0, ts: 5000, dur: 10000, name: "d2v0" },
    { ph: "X", pid: 3, tid: 0, ts: 5000, dur: 10000, name: "runnable" },
  ]);
});

test("a stay that goes on is open, and has ended when the recording stops", () => {
  const { machine, trace } = recorded(17);
  const running = trace.open.filter(({ state }) => state === "running");
  assertEquals(running.map(({ vcpu, from, to }) => [vcpu.name, from / ms(1), to / ms(1)]), [
    ["d1v0", 15, 17],
  ]);
  assertEquals(machine.dispatcher.now, ms(17));
  trace.stop();
  assertEquals(trace.open, []);
});
