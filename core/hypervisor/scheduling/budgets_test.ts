import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { test } from "../../lib/testing.ts";
import type { Cycle, Cycles } from "../../clock/clock.ts";
import type { SchedulerName, SchedulerParameters } from "./ports.ts";
import { type LoadedDomain, LoadedMachine, ms } from "./testing/load.ts";

/** Domains that compute for ever, one for each set of parameters. */
function spinners(parameters: readonly SchedulerParameters[]): LoadedDomain[] {
  return parameters.map((each) => ({ load: { kind: "spins" }, parameters: each }));
}

/** A row: the domains' parameters, and what each runs in every window, in ms. */
interface Guarantee {
  readonly scheduler: SchedulerName;
  readonly cpus: number;
  readonly windowMs: number;
  readonly domains: readonly (readonly [parameters: SchedulerParameters, ranMs: number])[];
}

const sedf = (sliceMs: number, periodMs: number, extratime = 0): SchedulerParameters => ({
  slice: Math.round(sliceMs * 1e6),
  period: periodMs * 1e6,
  extratime,
});
const rtds = (budgetMs: number, periodMs: number, flags = 0): SchedulerParameters => ({
  budget: Math.round(budgetMs * 1e3),
  period: periodMs * 1e3,
  flags,
});

/** Budgets that earliest deadline first can meet, exactly. */
const GUARANTEES: readonly Guarantee[] = [
  { scheduler: "sedf", cpus: 1, windowMs: 100, domains: [[sedf(10, 100), 10]] },
  {
    scheduler: "sedf",
    cpus: 1,
    windowMs: 100,
    domains: [[sedf(10, 20), 50], [sedf(5, 25), 20], [sedf(30, 100), 30]],
  },
  {
    scheduler: "sedf",
    cpus: 2,
    windowMs: 100,
    domains: [[sedf(15, 20), 75], [sedf(12, 20), 60], [sedf(10, 100), 10], [sedf(10, 50), 20]],
  },
  { scheduler: "rtds", cpus: 1, windowMs: 10, domains: [[rtds(4, 10), 4], [rtds(5, 10), 5]] },
  {
    scheduler: "rtds",
    cpus: 1,
    windowMs: 60,
    domains: [[rtds(5, 20), 15], [rtds(6, 30), 12], [rtds(11, 20), 33]],
  },
  {
    scheduler: "rtds",
    cpus: 4,
    windowMs: 10,
    domains: new Array(8).fill([rtds(4, 10), 4]) as Guarantee["domains"],
  },
];

for (const { scheduler, cpus, windowMs, domains } of GUARANTEES) {
  const list = domains.map(([, ranMs]) => ranMs).join(", ");
  test(`${scheduler} gives ${list} ms in every ${windowMs} ms on ${cpus} CPU(s)`, () => {
    const machine = new LoadedMachine(scheduler, cpus, spinners(domains.map(([each]) => each)));
    for (let window = 1; window <= 100; window++) {
      machine.run(window * windowMs);
      domains.forEach(([, ranMs], i) => {
        const [found, expected] = [machine.ran(i + 1), window * ranMs];
        assert(Math.abs(found - expected) < 1e-6, `domain ${i + 1} ran ${found} of ${expected} ms`);
      });
    }
  });
}

/** Budgets and periods in ms that fit on one physical CPU. */
const feasible = fc.array(
  fc.record({
    period: fc.constantFrom(4, 5, 8, 10, 20, 25, 40),
    part: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 6 },
).map((servers) => {
  const parts = servers.reduce((sum, { part }) => sum + part, 0);
  return servers.map(({ period, part }) => ({
    period,
    budget: period * part / Math.max(parts, 10),
  }));
});

for (const [scheduler, parameters] of [["sedf", sedf], ["rtds", rtds]] as const) {
  test(`${scheduler} meets every deadline of budgets that fit on one CPU, as earliest deadline first must`, () => {
    fc.assert(
      fc.property(feasible, (servers) => {
        // In whole cycles, so that what fits still fits.
        const whole = servers.map(({ budget, period }) => [Math.floor(budget * 100) / 100, period]);
        const machine = new LoadedMachine(
          scheduler,
          1,
          spinners(whole.map(([budget, period]) => parameters(budget, period))),
        );
        for (let at = 1; at <= 400; at++) {
          machine.run(at);
          whole.forEach(([budget, period], i) => {
            if (at % period !== 0) return;
            const [found, expected] = [machine.ran(i + 1), budget * at / period];
            assert(
              Math.abs(found - expected) < 1e-6,
              `d${i + 1} ran ${found} of ${expected} ms at ${at}`,
            );
          });
        }
      }),
      { numRuns: 40 },
    );
  });
}

test("sedf keeps a slice for a domain that sleeps between its turns", () => {
  const machine = new LoadedMachine("sedf", 1, [
    { load: { kind: "spins" }, parameters: sedf(0, 100, 1) },
    // Going to sleep is a step of one cycle: it runs 4 ms of every 25.
    {
      load: { kind: "sleeps", work: ms(4) - 1 as Cycles, pause: ms(21) + 1 as Cycles },
      parameters: sedf(5, 20),
    },
  ]);
  machine.run(10_000);
  assertEquals(machine.ran(2), 1600);
  assertEquals(machine.ran(1), 8400);
});

test("sedf gives time that is left to those with extra time, evenly", () => {
  const machine = new LoadedMachine(
    "sedf",
    1,
    spinners([sedf(20, 100, 0), sedf(0, 100, 1), sedf(0, 100, 1)]),
  );
  machine.run(10_000);
  assertEquals(machine.ran(1), 2000);
  assertEquals(machine.ran(2), 4000);
  assertEquals(machine.ran(3), 4000);
});

test("sedf shares what slices leave by weight, less its safety margin", () => {
  const weight = (value: number) => ({ weight: value, extratime: 0 });
  const machine = new LoadedMachine("sedf", 1, spinners([sedf(25, 100), weight(1), weight(6)]));
  machine.run(1000);
  // The weights of domains 2 and 3 hold from their next periods on.
  const before = [1, 2, 3].map((domain) => machine.ran(domain));
  machine.run(11_000);
  const ran = [1, 2, 3].map((domain, i) => machine.ran(domain) - before[i]);
  assertEquals(ran, [2500, 1000, 6000]);
});

test("sedf gives domain 0 its 15 of 20 ms by default", () => {
  const { policy } = new LoadedMachine("sedf", 1, []);
  const { slice, period, extratime } = policy.domainParameters(0 as never);
  assertEquals([slice, period, extratime], [15e6, 20e6, 1]);
});

test("rtds goes on at a lower level with the flag for extra time", () => {
  const machine = new LoadedMachine("rtds", 1, spinners([rtds(4, 10, 1), rtds(4, 10, 0)]));
  machine.run(1000);
  assertEquals(machine.ran(2), 400);
  assertEquals(machine.ran(1), 600);
});

/** Caps in per cent, of domains that compute all the time. */
const CAPS: readonly [SchedulerName, cpus: number, cap: number, vcpus: number][] = [
  ["credit", 1, 10, 1],
  ["credit", 1, 50, 1],
  ["credit", 2, 75, 1],
  ["credit", 2, 150, 2],
  ["credit2", 1, 10, 1],
  ["credit2", 1, 50, 1],
  ["credit2", 2, 75, 1],
  ["credit2", 2, 150, 2],
  ["credit2", 4, 1, 1],
];

/** The longest slice, in ms: what a cap may be exceeded by in a second. */
const SLICE_MS: Partial<Record<SchedulerName, number>> = { credit: 30, credit2: 10 };

for (const [scheduler, cpus, cap, vcpus] of CAPS) {
  for (const rivals of [0, 3]) {
    test(`${scheduler} holds ${vcpus} VCPU(s) to a cap of ${cap} % on ${cpus} CPU(s) beside ${rivals} others`, () => {
      const capped: LoadedDomain = { load: { kind: "spins" }, vcpus, parameters: { cap } };
      const machine = new LoadedMachine(scheduler, cpus, [
        capped,
        ...Array.from({ length: rivals }, (): LoadedDomain => ({ load: { kind: "spins" } })),
      ]);
      const allowed = cap / 100 * 1000 + SLICE_MS[scheduler]!;
      const history: number[] = [];
      for (let at = 0; at <= 30_000; at += 10) {
        machine.run(at);
        history.push(machine.ran(1));
        const ran = history.at(-1)! - (history.at(-101) ?? 0);
        assert(ran <= allowed, `ran ${ran} ms in the second up to ${at} ms, ${allowed} allowed`);
      }
      if (rivals === 0) {
        const expected = 30 * 1000 * cap / 100;
        const ran = history.at(-1)!;
        assert(Math.abs(ran / expected - 1) < 0.03, `ran ${ran} ms of ${expected}`);
      }
    });
  }
}

test("a cap that is lifted while a domain is parked lets it run again", () => {
  for (const scheduler of ["credit", "credit2"] as const) {
    const machine = new LoadedMachine(scheduler, 1, spinners([{ cap: 1 }]));
    machine.run(5000);
    machine.policy.adjustDomain(machine.vcpu(1).domain, { cap: 0 }, machine.dispatcher.now);
    const before = machine.ran(1);
    machine.run(6000);
    assertEquals(machine.ran(1) - before, 1000, scheduler);
  }
});

/** What each policy refuses. */
const REFUSED: readonly [SchedulerName, SchedulerParameters, message: string][] = [
  ["credit", { weight: 0 }, "weight must be a whole number from 1 to 65535, found 0"],
  ["credit", { cup: 1 }, "cup is no parameter of this scheduler; it has weight, cap"],
  ["credit2", { weight: 65536 }, "weight must be a whole number from 1 to 65535, found 65536"],
  ["bvt", { mcu_adv: 0 }, "mcu_adv must be a whole number from 1 to 65535, found 0"],
  ["rtds", { budget: 20_000 }, "budget must be at most the period of 10000 us, found 20000"],
  ["sedf", { slice: 200e6 }, "slice must be at most the period of 100000000 ns, found 200000000"],
  ["sedf", { slice: 1 }, "slice must be 0 or a whole number from 5000 to 10000000000, found 1"],
  ["null", { weight: 1 }, "weight is no parameter of this scheduler; it has none"],
];

for (const [scheduler, change, message] of REFUSED) {
  test(`${scheduler} refuses ${JSON.stringify(change)} and changes nothing`, () => {
    const { policy, dispatcher } = new LoadedMachine(scheduler, 1, []);
    const before = { ...policy.domainParameters(1 as never) };
    const adjust = () => policy.adjustDomain(1 as never, change, dispatcher.now);
    assertThrows(adjust, RangeError, message);
    assertEquals(policy.domainParameters(1 as never), before);
  });
}

test("a domain's first cycles are charged like all others", () => {
  const machine = new LoadedMachine("rtds", 1, spinners([rtds(4, 10)]));
  machine.dispatcher.advance(1 as Cycle);
  assertEquals(machine.ran(1), 1 / ms(1));
});
