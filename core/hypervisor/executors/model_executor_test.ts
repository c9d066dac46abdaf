import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, type Cycles, MachineClock } from "../../clock/clock.ts";
import type { DomainId, VcpuId } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import { CpuDispatcher } from "../scheduling/dispatcher.ts";
import type { SchedulableVcpu } from "../scheduling/ports.ts";
import { ModelExecutor } from "./model_executor.ts";
import { type Locals, type Next, type Program, ProgramRegistry } from "./model_program.ts";

/** What programs of these tests may do: note something, and signal another domain. */
interface Port {
  note(what: string): void;
  signal(domain: number, event: string): void;
}

const cycles = (value: number) => value as Cycles;
const cycle = (value: number) => value as Cycle;

/** A program of one step after the other; each notes its name, and `next` says how it goes on. */
function script(
  name: string,
  steps: Readonly<Record<string, (locals: Locals, now: Cycle, port: Port) => Next>>,
): Program<Port> {
  const entries = Object.entries(steps).map(([step, next]) => [
    step,
    (
      { now, locals, port, timedOut }: {
        now: Cycle;
        locals: Locals;
        port: Port;
        timedOut: boolean;
      },
    ) => {
      port.note(`${step}${timedOut ? "!" : ""}`);
      return next(locals, now, port);
    },
  ]);
  return { name, steps: Object.fromEntries(entries) };
}

const exit: Next = { does: "exit" };
const PROGRAMS: readonly Program<Port>[] = [
  script("compute", {
    begin: () => ({ does: "compute", cycles: cycles(100), then: "end" }),
    end: () => exit,
  }),
  script("two", {
    a: () => ({ does: "yield", then: "b" }),
    b: () => ({ does: "compute", cycles: cycles(10), then: "c" }),
    c: () => exit,
  }),
  script("sleep", {
    lie: (_, now) => ({ does: "sleep", until: cycle(now + 500), then: "rise" }),
    rise: () => exit,
  }),
  script("listen", {
    wait: () => ({ does: "wait", event: "bell", then: "heard" }),
    heard: () => ({ does: "wait", event: "bell", then: "again" }),
    again: () => exit,
  }),
  script("patience", {
    wait: (_, now) => ({ does: "wait", event: "bell", until: cycle(now + 50), then: "done" }),
    done: () => exit,
  }),
  script("ring", {
    work: () => ({ does: "compute", cycles: cycles(70), then: "pull" }),
    pull: (_l, _n, port) => {
      port.signal(2, "bell");
      return { does: "compute", cycles: cycles(30), then: "work" };
    },
  }),
  script("counter", {
    count: (locals, now) => {
      locals.count = (locals.count as number ?? 0) + 1;
      return locals.count as number % 3 === 0
        ? { does: "sleep", until: cycle(now + 40), then: "count" }
        : { does: "compute", cycles: cycles(7), then: "count" };
    },
  }),
  script("nonsense", { step: () => ({ does: "compute", cycles: cycles(NaN), then: "step" }) }),
];

class Room {
  readonly clock = new MachineClock(1_000_000_000);
  readonly dispatcher: CpuDispatcher;
  readonly executor: ModelExecutor<Port>;
  /** `cycle domain step`. */
  readonly notes: string[] = [];
  readonly vcpus: SchedulableVcpu[] = [];

  constructor(cpus: number, domains: number) {
    this.dispatcher = new CpuDispatcher({ clock: this.clock, cpus, scheduler: "bvt" });
    this.executor = new ModelExecutor<Port>({
      clock: this.clock,
      dispatcher: this.dispatcher,
      programs: new ProgramRegistry(PROGRAMS),
      port: ({ domain }) => ({
        note: (what) => this.notes.push(`${this.dispatcher.now} d${domain} ${what}`),
        signal: (target, event) => {
          this.executor.charge(cycles(5));
          this.executor.signal(this.vcpus[target - 1], event);
        },
      }),
    });
    for (let domain = 1; domain <= domains; domain++) {
      const vcpu = this.dispatcher.add({
        domain: domain as DomainId,
        id: 0 as VcpuId,
        executor: this.executor,
      });
      this.executor.attach(vcpu);
      this.dispatcher.online(vcpu);
      this.vcpus.push(vcpu);
    }
  }

  spawn(domain: number, program: string, step: string): void {
    this.executor.spawn(this.vcpus[domain - 1], program, step);
  }
}

/** Tasks of one domain (or of two, on two physical CPUs), and all that they note in the first 1000 cycles. */
const TRANSCRIPTS: readonly [claim: string, tasks: [number, string, string][], notes: string[]][] =
  [
    ["a step happens when what was computed before it is done", [[1, "compute", "begin"]], [
      "0 d1 begin",
      "100 d1 end",
    ]],
    ["a task that yields lets the next one go on", [[1, "two", "a"], [1, "two", "a"]], [
      "0 d1 a",
      "1 d1 a",
      "2 d1 b",
      "12 d1 c",
      "13 d1 b",
      "23 d1 c",
    ]],
    ["a task goes on until it waits", [[1, "sleep", "lie"], [1, "compute", "begin"]], [
      "0 d1 lie",
      "1 d1 begin",
      "101 d1 end",
      "500 d1 rise!",
    ]],
    ["whoever waits on another CPU goes on at the very cycle of the signal", [
      [1, "ring", "work"],
      [2, "listen", "wait"],
    ], [
      "0 d1 work",
      "0 d2 wait",
      "70 d1 pull",
      "70 d2 heard",
      "105 d1 work",
      "175 d1 pull",
      "175 d2 again",
    ]],
    ["a wait ends when its time is up", [[1, "patience", "wait"]], ["0 d1 wait", "50 d1 done!"]],
  ];

for (const [claim, tasks, expected] of TRANSCRIPTS) {
  test(claim, () => {
    const room = new Room(2, 2);
    for (const [domain, program, step] of tasks) room.spawn(domain, program, step);
    room.dispatcher.advance(cycle(1000));
    assertEquals(room.notes.slice(0, expected.length), expected);
  });
}

test("a signal that nobody waits for counts for the next wait, once", () => {
  const room = new Room(1, 2);
  for (let times = 0; times < 3; times++) room.executor.signal(room.vcpus[1], "bell");
  room.spawn(2, "listen", "wait");
  room.dispatcher.advance(cycle(100));
  assertEquals(room.notes, ["0 d2 wait", "1 d2 heard"]);
  room.executor.signal(room.vcpus[1], "bell");
  room.dispatcher.advance(cycle(200));
  assertEquals(room.notes.slice(2), ["100 d2 again"]);
});

test("what a step charges is the time of its virtual CPU", () => {
  const room = new Room(2, 2);
  room.spawn(1, "ring", "work");
  room.dispatcher.advance(cycle(105));
  const { times } = room.dispatcher.runstate(room.vcpus[0]);
  assertEquals([times.running, times.runnable], [105, 0] as never);
});

test("a virtual CPU without tasks blocks, and its timer is released with it", () => {
  const room = new Room(1, 1);
  room.dispatcher.advance(cycle(10));
  assertEquals(room.vcpus[0].state, "blocked");
  room.dispatcher.remove(room.vcpus[0]);
  room.executor.detach(room.vcpus[0]);
  room.executor.attach(room.vcpus[0]);
});

test("programs and steps that are not there are named with those that are", () => {
  const room = new Room(1, 1);
  assertThrows(
    () => room.spawn(1, "dance", "a"),
    RangeError,
    "no program dance; there are compute,",
  );
  assertThrows(() => room.spawn(1, "two", "d"), RangeError, "no step d; it has a, b, c");
  assertThrows(() => new ProgramRegistry([...PROGRAMS, PROGRAMS[0]]), RangeError, "already");
});

test("a step that computes for no number of cycles is an error of its author, and the machine goes on", () => {
  const room = new Room(1, 2);
  room.spawn(1, "nonsense", "step");
  assertThrows(
    () => room.dispatcher.advance(cycle(10)),
    RangeError,
    "nonsense.step computes for NaN",
  );
  assertEquals(room.dispatcher.current, null);
  room.dispatcher.remove(room.vcpus[0]);
  room.spawn(2, "compute", "begin");
  room.dispatcher.advance(cycle(2000));
  assertEquals(room.notes.at(-1)?.endsWith("d2 end"), true);
});

test("tasks that were saved and restored go on as those that were not", () => {
  const [original, copy] = [new Room(1, 3), new Room(1, 3)];
  for (const domain of [1, 2, 3]) original.spawn(domain, "counter", "count");
  original.dispatcher.advance(cycle(77));
  const saved = JSON.stringify([original.clock.save(), original.dispatcher.save()]);
  const [clock, dispatcher] = JSON.parse(saved);
  copy.clock.restore(clock);
  copy.dispatcher.restore(dispatcher);
  const before = original.notes.length;
  for (const { dispatcher } of [original, copy]) dispatcher.advance(cycle(5000));
  assertEquals(copy.notes, original.notes.slice(before));
  assertEquals(copy.dispatcher.save(), original.dispatcher.save());
});
