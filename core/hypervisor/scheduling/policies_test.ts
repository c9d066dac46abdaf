/** What is particular to each policy, as time lines: who holds the physical CPU in each unit of time. */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../clock/clock.ts";
import type { DomainId } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import type { SchedulerName, SchedulerParameters } from "./ports.ts";
import { type Load, type LoadedDomain, LoadedMachine, ms } from "./testing/load.ts";

const SPINS: Load = { kind: "spins" };

/** Works for `workMs` and then sleeps for `pauseMs`, over and over, to the cycle. */
function sleeps(workMs: number, pauseMs: number): Load {
  return { kind: "sleeps", work: ms(workMs) - 1 as Cycles, pause: ms(pauseMs) + 1 as Cycles };
}

/** A letter for each `unitMs` of time (domain 1 is A, `.` idle) up to `untilMs`, seen just after its start. */
function timeline(machine: LoadedMachine, unitMs: number, untilMs: number): string {
  let line = "";
  for (let at = 0; at < untilMs; at += unitMs) {
    machine.run(at + 0.01);
    const { current } = machine.dispatcher.cpus[0];
    line += current ? String.fromCharCode(64 + current.domain) : ".";
  }
  return line;
}

interface Line {
  readonly claim: string;
  readonly scheduler: SchedulerName;
  readonly domains: readonly LoadedDomain[];
  readonly global?: SchedulerParameters;
  readonly unitMs: number;
  readonly line: string;
}

const spins = (parameters?: SchedulerParameters): LoadedDomain => ({ load: SPINS, parameters });

const LINES: readonly Line[] = [
  {
    claim: "two of one weight alternate by twice the context switch allowance",
    scheduler: "bvt",
    domains: [spins(), spins()],
    unitMs: 5,
    line: "ABBAABBAABBAABBA",
  },
  {
    claim: "three of one weight each get the allowance, the last one of a round twice",
    scheduler: "bvt",
    domains: [spins(), spins(), spins()],
    unitMs: 5,
    line: "ABCCABBCAABCCABBCAAB",
  },
  {
    claim: "the allowance is a parameter",
    scheduler: "bvt",
    global: { ctx_allow: 1e6 },
    domains: [spins(), spins()],
    unitMs: 1,
    line: "ABBAABBAABB",
  },
  {
    claim: "twice the weight gets twice the time",
    scheduler: "bvt",
    domains: [spins({ mcu_adv: 5 }), spins({ mcu_adv: 10 })],
    unitMs: 2.5,
    line: "AABBBAAAAAABBBAAAAAABBB",
  },
  {
    claim: "slices of 30 ms go round",
    scheduler: "credit",
    domains: [spins(), spins(), spins()],
    unitMs: 10,
    line: "AAABBBCCCAAABBBCCC",
  },
  {
    claim: "the slice is a parameter",
    scheduler: "credit",
    global: { tslice_ms: 5 },
    domains: [spins(), spins()],
    unitMs: 5,
    line: "ABABABABAB",
  },
  {
    claim: "one that computes runs on while nobody else wants to",
    scheduler: "credit2",
    domains: [spins()],
    unitMs: 10,
    line: "AAAAAAAAAA",
  },
  {
    claim: "the earliest deadline goes first",
    scheduler: "rtds",
    domains: [
      spins({ period: 40_000, budget: 20_000, flags: 0 }),
      spins({ period: 20_000, budget: 5_000, flags: 0 }),
    ],
    unitMs: 5,
    line: "BAAAAB..BAAAAB..",
  },
  {
    claim: "a domain without a slice has what is left",
    scheduler: "sedf",
    domains: [
      spins({ slice: 10e6, period: 20e6, extratime: 0 }),
      spins(),
    ],
    unitMs: 5,
    line: "AABBAABBAABB",
  },
];

for (const { claim, scheduler, domains, global, unitMs, line } of LINES) {
  test(`${scheduler}: ${claim}`, () => {
    const machine = new LoadedMachine(scheduler, 1, domains);
    if (global) machine.policy.adjust(global, machine.dispatcher.now);
    assertEquals(timeline(machine, unitMs, line.length * unitMs), line);
  });
}

/** The worst times of a sleeper beside others that compute, in ms: until it began to work, and until it was done. */
function worstMs(
  scheduler: SchedulerName,
  load: Load,
  others: number,
  parameters?: SchedulerParameters,
): { delay: number; response: number } {
  const machine = new LoadedMachine(scheduler, 1, [
    { load, parameters },
    ...Array.from({ length: others }, () => spins()),
  ]);
  machine.run(10_000);
  const [{ locals }] = machine.executor.tasks(machine.vcpu(1));
  return {
    delay: locals.delay as number / ms(1),
    response: locals.response as number / ms(1),
  };
}

test("credit boosts one that wakes: it waits for the rate limit at most", () => {
  assert(worstMs("credit", sleeps(0.5, 500), 4).delay <= 1);
});

test("credit boosts nobody who has overdrawn", () => {
  assert(worstMs("credit", sleeps(40, 1), 4).delay >= 30);
});

test("bvt lets one that wakes wait for the context switch allowance at most", () => {
  assert(worstMs("bvt", sleeps(0.5, 20), 4).delay <= 5);
});

test("bvt's warp lets a burst that is longer than the allowance go through", () => {
  const burst = sleeps(8, 60);
  const plain = worstMs("bvt", burst, 4).response;
  const warped = worstMs("bvt", burst, 4, { warpback: 1, warpvalue: 1000 }).response;
  assert(plain > 20, `${plain} ms`);
  assert(warped <= 13, `${warped} ms`);
});

test("bvt's warp gives lower latency, not more time", () => {
  const machine = new LoadedMachine("bvt", 1, [
    spins({ warpback: 1, warpvalue: 100 }),
    spins(),
    spins(),
  ]);
  machine.run(30_000);
  for (const domain of [1, 2, 3]) assert(Math.abs(machine.ran(domain) - 10_000) < 100);
});

test("bvt ends a warp at its limit and allows the next one after the unwarp time", () => {
  const warp = { warpback: 1, warpvalue: 1_000_000, warpl: 10e6, warpu: 100e6 };
  const machine = new LoadedMachine("bvt", 1, [spins(warp), spins()]);
  const line = timeline(machine, 10, 1000);
  // Without the limit the warp is so large that B would never run; with it A leads by a warp of 10 ms in each 110.
  const ran = [...line].filter((letter) => letter === "A").length;
  assert(ran >= 40 && ran <= 62, line);
});

test("credit2 lets one that wakes wait for the rate limit at most", () => {
  assert(worstMs("credit2", sleeps(0.5, 20), 4).delay <= 1);
});

test("a rate limit of nothing lets it go at once", () => {
  for (const scheduler of ["credit", "credit2"] as const) {
    const machine = new LoadedMachine(scheduler, 1, [{ load: sleeps(0.5, 20) }, spins()]);
    machine.policy.adjust({ ratelimit_us: 0 }, machine.dispatcher.now);
    machine.run(3000);
    const [task] = machine.executor.tasks(machine.vcpu(1));
    assertEquals(task.locals.delay, 0, scheduler);
  }
});

test("the null scheduler leaves those waiting for whom there is no physical CPU, until there is", () => {
  const machine = new LoadedMachine("null", 2, [spins(), spins(), spins()]);
  machine.run(100);
  assertEquals([1, 2, 3].map((domain) => machine.ran(domain)), [100, 100, 0]);
  machine.dispatcher.remove(machine.vcpu(1));
  machine.run(200);
  assertEquals([2, 3].map((domain) => machine.ran(domain)), [200, 100]);
});

test("sedf's latency hint is kept", () => {
  const { policy, dispatcher } = new LoadedMachine("sedf", 1, []);
  policy.adjustDomain(5 as DomainId, { latency: 1000 }, dispatcher.now);
  assertEquals(policy.domainParameters(5 as DomainId).latency, 1000);
});
