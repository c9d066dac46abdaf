import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "../../lib/testing.ts";
import type { Cycles } from "../../clock/clock.ts";
import type { SchedulerName, SchedulerParameters } from "./ports.ts";
import { type LoadedDomain, LoadedMachine, ms } from "./testing/load.ts";

/** How each policy is told that a domain has `weight` times the share of another. */
const WEIGHTS: Partial<Record<SchedulerName, (weight: number) => SchedulerParameters>> = {
  bvt: (weight) => ({ mcu_adv: Math.round(8400 / weight) }),
  credit: (weight) => ({ weight: 64 * weight }),
  credit2: (weight) => ({ weight: 64 * weight }),
};

/** Physical CPUs, and the weights of domains that compute all the time. */
const MIXES: readonly [cpus: number, weights: readonly number[]][] = [
  [1, [1, 1]],
  [1, [1, 2, 3]],
  [1, [1, 8]],
  [2, [1, 1, 1]],
  [2, [1, 1, 2, 2, 3]],
  [4, [1, 1, 1, 2, 2, 3, 3, 4, 4]],
  [4, [1, 1, 1, 1, 1, 1, 1]],
  // More than one physical CPU's worth, which nobody can use: the others share the rest.
  [2, [8, 1, 1]],
  [4, [16, 16, 2, 1, 1, 2]],
];

/** Policy, and the time over which it must be exact. Credit begins to account after some periods. */
const TIMES: readonly [scheduler: SchedulerName, fromMs: number, overMs: number][] = [
  ["bvt", 0, 10_000],
  ["credit2", 0, 10_000],
  ["credit", 2_000, 30_000],
];

/** What each of `weights` can have of `cpus`, as shares of all: by weight, but one physical CPU at most. */
function shares(weights: readonly number[], cpus: number): number[] {
  const full = new Set<number>();
  for (;;) {
    const open = weights.map((weight, i) => full.has(i) ? 0 : weight);
    const sum = open.reduce((a, b) => a + b, 0);
    const each = open.map((weight, i) => full.has(i) ? 1 : weight / sum * (cpus - full.size));
    const over = each.findIndex((share, i) => share > 1 && !full.has(i));
    if (over < 0) return each.map((share) => share / cpus);
    full.add(over);
  }
}

/** Domains that compute for ever, one for each weight. */
function spinners(scheduler: SchedulerName, weights: readonly number[]): LoadedDomain[] {
  return weights.map((weight) => ({
    load: { kind: "spins" },
    parameters: WEIGHTS[scheduler]!(weight),
  }));
}

/** Asserts that domains 1, 2, ... get `share` of what all physical CPUs give, within 1 % and `graceMs`. */
function assertShares(
  machine: LoadedMachine,
  [fromMs, overMs]: readonly [number, number],
  expectedShares: readonly number[],
  graceMs = 0,
): void {
  machine.run(fromMs);
  const before = expectedShares.map((_, i) => machine.ran(i + 1));
  machine.run(fromMs + overMs);
  expectedShares.forEach((share, i) => {
    const expected = share * overMs * machine.dispatcher.cpus.length;
    const found = machine.ran(i + 1) - before[i];
    const error = Math.max(0, Math.abs(found - expected) - graceMs) / expected;
    assert(error <= 0.01, `domain ${i + 1} ran ${found} ms of ${expected}`);
  });
}

for (const [scheduler, fromMs, overMs] of TIMES) {
  for (const [cpus, weights] of MIXES) {
    test(`${scheduler} gives weights ${weights.join(":")} on ${cpus} CPU(s) within 1 % over ${overMs / 1000} s`, () => {
      const machine = new LoadedMachine(scheduler, cpus, spinners(scheduler, weights));
      assertShares(machine, [fromMs, overMs], shares(weights, cpus));
    });
  }

  // Credit's accounting hands credit to sleepers that have no use for it, so that it is lost to the others, as in Xen.
  if (scheduler !== "credit") {
    test(`${scheduler} gives weights within 1 % while others come and go`, () => {
      const machine = new LoadedMachine(scheduler, 1, [
        ...spinners(scheduler, [1, 2, 3]),
        ...Array.from({ length: 4 }, (): LoadedDomain => ({
          load: { kind: "sleeps", work: 1000 as Cycles, pause: ms(7) },
          parameters: WEIGHTS[scheduler]!(1),
        })),
      ]);
      machine.run(fromMs);
      const before = [1, 2, 3].map((domain) => machine.ran(domain));
      machine.run(fromMs + overMs);
      const ran = [1, 2, 3].map((domain, i) => machine.ran(domain) - before[i]);
      const sum = ran.reduce((a, b) => a + b);
      ran.forEach((time, i) => {
        const expected = sum * (i + 1) / 6;
        assert(
          Math.abs(time / expected - 1) <= 0.01,
          `domain ${i + 1} ran ${time} ms of ${expected}`,
        );
      });
    });
  }

  // Credit's slices are too long for 128 domains to be even to 1 %: each may be one slice ahead.
  const graceMs = scheduler === "credit" ? 30 : 0;
  test(`${scheduler} gives 128 domains on two CPUs equal shares within 1 %${graceMs ? ` and ${graceMs} ms` : ""}`, () => {
    const machine = new LoadedMachine(
      scheduler,
      2,
      spinners(scheduler, new Array<number>(128).fill(1)),
    );
    const each = new Array<number>(128).fill(1 / 128);
    assertShares(machine, [fromMs, 3 * overMs], each, graceMs);
  });

  test(`${scheduler} follows a weight that changes while domains run`, () => {
    const machine = new LoadedMachine(scheduler, 1, spinners(scheduler, [1, 1]));
    machine.run(2000);
    machine.policy.adjustDomain(
      machine.vcpu(1).domain,
      WEIGHTS[scheduler]!(3),
      machine.dispatcher.now,
    );
    assertShares(machine, [4000, 30_000], [3 / 4, 1 / 4]);
  });

  test(`${scheduler} gives a domain no more for having slept`, () => {
    const machine = new LoadedMachine(scheduler, 1, [
      ...spinners(scheduler, [1]),
      ...spinners(scheduler, [1]),
    ]);
    machine.dispatcher.offline(machine.vcpu(2));
    machine.run(5000);
    machine.dispatcher.online(machine.vcpu(2));
    machine.run(5000 + 2 * overMs);
    const late = machine.ran(2);
    assert(Math.abs(late / overMs - 1) <= 0.01, `ran ${late} ms of ${overMs}`);
  });
}

/** Small shares cannot be finer than a slice: bvt's is 5 ms. */
for (const [scheduler, graceMs] of [["bvt", 5], ["credit2", 0]] as const) {
  test(`${scheduler} gives any weights from 1 to 8 within 1 % and ${graceMs} ms over 10 s, on one to four CPUs`, () => {
    const weights = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 4, maxLength: 10 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), weights, (cpus, weights) => {
        const machine = new LoadedMachine(scheduler, cpus, spinners(scheduler, weights));
        assertShares(machine, [0, 10_000], shares(weights, cpus), graceMs);
      }),
      { numRuns: 20 },
    );
  });
}

test("switches cost time, which the incoming virtual CPU pays", () => {
  const machine = new LoadedMachine("bvt", 1, spinners("bvt", [1, 1, 1, 1]), ms(0.1));
  machine.run(1000);
  const [cpu] = machine.dispatcher.cpus;
  assertEquals(machine.dispatcher.busyCycles(cpu.id), ms(1000));
  const total = [1, 2, 3, 4].reduce((sum, domain) => sum + machine.ran(domain), 0);
  assertEquals(total, 1000);
});
