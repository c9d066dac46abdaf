import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, type Cycles, MachineClock } from "../../clock/clock.ts";
import type { DomainId, PhysicalCpuId, VcpuId } from "../../lib/brand.ts";
import { SnapshotError, type SnapshotRecord } from "../../lib/snapshot.ts";
import { test } from "../../lib/testing.ts";
import { CpuDispatcher } from "./dispatcher.ts";
import type { Executor, SchedulableVcpu } from "./ports.ts";
import { LoadedMachine } from "./testing/load.ts";

const cycle = (value: number) => value as Cycle;
const QUANTUM = 100;

/**
 * An executor that cannot tell ahead what its guest will do, as that of machine code: one instruction is three cycles, and
 * `at(cycle)` is called at the instruction boundary before each.
 */
class Instructions implements Executor {
  readonly name = "instructions";
  cycle = cycle(0);
  #interrupted = false;

  constructor(private readonly at: (vcpu: SchedulableVcpu, now: Cycle) => void) {}

  run(vcpu: SchedulableVcpu, _cpu: PhysicalCpuId, from: Cycle, until: Cycle): Cycle {
    this.cycle = from;
    this.#interrupted = false;
    while (this.cycle < until && !this.#interrupted) {
      this.at(vcpu, this.cycle);
      this.cycle = cycle(this.cycle + 3);
    }
    return this.cycle;
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  visibleAt(_vcpu: SchedulableVcpu, from: Cycle): Cycle {
    return cycle(from + QUANTUM);
  }

  save(): SnapshotRecord {
    return { kind: "instructions", version: 1, state: {} };
  }

  restore(): void {}
}

/** A machine whose domains are run by {@link Instructions}; all are on line. */
function machine(
  cpus: number,
  domains: number,
  at: (vcpu: SchedulableVcpu, now: Cycle) => void = () => {},
  cost = 0,
) {
  const clock = new MachineClock(1_000_000_000);
  const dispatcher = new CpuDispatcher({
    clock,
    cpus,
    scheduler: "credit2",
    switchCost: () => cost as Cycles,
  });
  const executor = new Instructions((vcpu, now) => at(vcpu, now));
  const vcpus = Array.from({ length: domains }, (_, i) => {
    const vcpu = dispatcher.add({ domain: i + 1 as DomainId, id: 0 as VcpuId, executor });
    dispatcher.online(vcpu);
    return vcpu;
  });
  return { clock, dispatcher, vcpus };
}

test("a timer that a guest sets within its quantum fires at its cycle, before the next instruction", () => {
  const fired: number[] = [];
  const { clock, dispatcher } = machine(1, 1, (_vcpu, now) => {
    if (now === 30) timer.armAt(cycle(40));
  });
  const timer = clock.createTimer(
    "guest",
    () => fired.push(dispatcher.now, dispatcher.cpus[0].at),
  );
  dispatcher.advance(cycle(1000));
  assertEquals(fired, [40, 42]);
});

test("a virtual CPU that another one wakes begins on an idle physical CPU at that very cycle", () => {
  const began: number[] = [];
  const { dispatcher, vcpus } = machine(2, 2, (vcpu, now) => {
    if (vcpu.domain === 2 as DomainId) {
      if (now === 0) dispatcher.block(vcpu);
      else if (began.length === 0) began.push(now, vcpu.cpu);
    } else if (now === 141) dispatcher.wake(vcpus[1]);
  });
  dispatcher.advance(cycle(1000));
  assertEquals(began, [141, 1]);
});

test("whoever blocks gives its physical CPU away at the next instruction boundary", () => {
  const { dispatcher, vcpus } = machine(1, 2, (vcpu, now) => {
    if (vcpu.domain === 1 as DomainId && now === 9) dispatcher.block(vcpu);
  });
  dispatcher.advance(cycle(300));
  const [first, second] = vcpus.map((vcpu) => dispatcher.runstate(vcpu));
  assertEquals([first.state, first.since, first.times.running], ["blocked", 9, 9] as never);
  assertEquals([second.state, second.since, second.times.runnable], ["running", 12, 12] as never);
});

test("a switch costs what the machine says, except back after idling", () => {
  const { dispatcher, vcpus: [one, two] } = machine(1, 2, () => {}, 50);
  dispatcher.offline(two);
  dispatcher.advance(cycle(500));
  dispatcher.offline(one);
  dispatcher.advance(cycle(600));
  dispatcher.online(one);
  dispatcher.advance(cycle(1000));
  assertEquals([dispatcher.cpus[0].switches, dispatcher.cpus[0].switchCycles], [1, 50]);
  dispatcher.offline(one);
  dispatcher.online(two);
  dispatcher.advance(cycle(2000));
  assertEquals([dispatcher.cpus[0].switches, dispatcher.cpus[0].switchCycles], [2, 100]);
});

/** Operations on one virtual CPU in order, and the state after each. */
const STATES:
  readonly (readonly [operation: "online" | "offline" | "block" | "wake", state: string])[] = [
    ["offline", "offline"],
    ["wake", "offline"],
    ["online", "runnable"],
    ["block", "blocked"],
    ["block", "blocked"],
    ["offline", "offline"],
    ["online", "blocked"],
    ["offline", "offline"],
    ["wake", "offline"],
    ["online", "runnable"],
    ["wake", "runnable"],
  ];

test("a wake-up during a pause counts when the pause ends", () => {
  const { dispatcher, vcpus: [vcpu] } = machine(1, 1);
  for (const [operation, state] of STATES) {
    dispatcher[operation](vcpu);
    assertEquals(vcpu.state, state, operation);
  }
});

test("advancing stops when it is asked to, at the instruction boundary", () => {
  const { dispatcher } = machine(1, 1, (_vcpu, now) => {
    if (now === 300) dispatcher.stop();
  });
  dispatcher.advance(cycle(10_000));
  assertEquals([dispatcher.now, dispatcher.cpus[0].at], [300, 303]);
  dispatcher.advance(cycle(400));
  assertEquals(dispatcher.cpus[0].at, 402);
});

test("an idle machine jumps to its end, and one without an end returns at once", () => {
  const { dispatcher } = machine(4, 0);
  dispatcher.advance(cycle(1e15));
  assertEquals(dispatcher.now, 1e15);
  dispatcher.advance(cycle(Infinity));
  assertEquals(dispatcher.now, 1e15);
});

test("a virtual CPU paused while it runs elsewhere has run as far as its physical CPU has come", () => {
  const { dispatcher, vcpus } = machine(2, 2, (vcpu, now) => {
    if (vcpu.domain === 2 as DomainId && now === 30) dispatcher.offline(vcpus[0]);
  });
  dispatcher.advance(cycle(1000));
  const { state, times } = dispatcher.runstate(vcpus[0]);
  assertEquals([state, times.running], ["offline", 102] as never);
  assertEquals(dispatcher.busyCycles(vcpus[0].cpu), 102 as Cycles);
});

test("a yield lets the next one go first", () => {
  const { dispatcher, vcpus } = machine(1, 2, (vcpu, now) => {
    if (now === 1500) dispatcher.yield(vcpu);
  });
  dispatcher.advance(cycle(2000));
  assertEquals(vcpus.map(({ state }) => state), ["runnable", "running"]);
});

test("removing a virtual CPU frees its name and its physical CPU", () => {
  const { dispatcher, vcpus: [one] } = machine(1, 1);
  dispatcher.advance(cycle(100));
  dispatcher.remove(one);
  assertEquals([dispatcher.vcpus.length, dispatcher.cpus[0].current], [0, null]);
  dispatcher.add({ domain: one.domain, id: one.id, executor: one.executor });
});

/** What callers of cpupools get wrong. */
const REFUSED: readonly [
  claim: string,
  act: (dispatcher: CpuDispatcher) => void,
  message: string,
][] = [
  ["two of one name", ({ pools }) => pools.create("Pool-0", "null"), "a cpupool Pool-0 already"],
  [
    "an unknown scheduler",
    ({ pools }) => pools.create("x", "lottery" as never),
    "no scheduler lottery",
  ],
  ["the first one destroyed", ({ pools }) => pools.destroy(pools.all[0]), "cannot be destroyed"],
  ["an unknown name", ({ pools }) => pools.named("Pool-7"), "no cpupool Pool-7; there are Pool-0"],
  ["the last CPU taken", ({ pools }) => pools.moveCpu(0 as PhysicalCpuId, null), "the last one"],
  ["a CPU that is not there", ({ pools }) => pools.moveCpu(9 as PhysicalCpuId, null), "CPU 9"],
  [
    "a domain into an empty one",
    ({ pools }) => pools.moveDomain(1 as DomainId, pools.create("y", "null")),
    "cpupool y has no physical CPU",
  ],
];

for (const [claim, act, message] of REFUSED) {
  test(`cpupools refuse ${claim}`, () => {
    const { dispatcher } = machine(1, 1);
    assertThrows(() => act(dispatcher), RangeError, message);
    dispatcher.advance(cycle(100));
    assertEquals(dispatcher.busyCycles(0 as PhysicalCpuId), 102 as Cycles);
  });
}

test("affinity to no physical CPU of the cpupool is refused", () => {
  const { dispatcher, vcpus: [vcpu] } = machine(2, 1);
  const nowhere = new Set([7 as PhysicalCpuId]);
  assertThrows(
    () => dispatcher.setAffinity(vcpu, nowhere),
    RangeError,
    "no physical CPU of cpupool",
  );
});

test("a snapshot keeps cpupools, their policies, and who is where", () => {
  const make = () => new LoadedMachine("credit", 4, new Array(3).fill({ load: { kind: "spins" } }));
  const original = make();
  const pool = original.dispatcher.pools.create("real time", "rtds");
  for (const cpu of [2, 3]) original.dispatcher.pools.moveCpu(cpu as PhysicalCpuId, pool);
  original.dispatcher.pools.moveDomain(2 as DomainId, pool);
  pool.policy.adjustDomain(2 as DomainId, { budget: 1000, flags: 0 }, original.dispatcher.now);
  original.run(33);
  const copy = make();
  copy.restore(JSON.parse(JSON.stringify(original.save())));
  for (const each of [original, copy]) each.run(1033);
  assertEquals(copy.save(), original.save());
  assertEquals(copy.ran(2), original.ran(2));
  assertEquals(copy.dispatcher.pools.named("real time").policy.domainParameters(2 as DomainId), {
    period: 10_000,
    budget: 1000,
    flags: 0,
  });
});

test("a snapshot of another machine is refused", () => {
  const [two, one] = [2, 1].map((cpus) => new LoadedMachine("bvt", cpus, []));
  assertThrows(() => one.restore(two.save()), SnapshotError, "2 physical CPUs, this machine has 1");
  const other = new LoadedMachine("bvt", 1, [{ load: { kind: "idles" } }]);
  assertThrows(() => other.restore(one.save()), SnapshotError, "no virtual CPU, here are d1v0");
});
