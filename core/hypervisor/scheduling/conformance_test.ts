/** What holds for every policy, tried with random machines. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Cycle, Cycles } from "../../clock/clock.ts";
import type { DomainId, PhysicalCpuId } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import { type SchedulerName, type SchedulerParameters, SCHEDULERS } from "./ports.ts";
import { type Load, type LoadedDomain, LoadedMachine, ms } from "./testing/load.ts";

const NAMES = Object.keys(SCHEDULERS) as SchedulerName[];

/** Policies that leave no physical CPU idle while somebody may run there; the null scheduler never moves anybody. */
const WORK_CONSERVING = NAMES.filter((name) => name !== "null");

/** By when everybody who wants to has run, with up to 12 competitors for one physical CPU. */
const PATIENCE_MS: Readonly<Record<SchedulerName, number>> = {
  bvt: 1000,
  sedf: 1000,
  credit: 1000,
  credit2: 1000,
  rtds: 1000,
  null: 1,
};

const RUNS = { numRuns: 20 };

const load: fc.Arbitrary<Load> = fc.oneof(
  fc.constant<Load>({ kind: "spins" }),
  fc.record({
    kind: fc.constant("sleeps" as const),
    work: fc.integer({ min: ms(0.3), max: ms(30) }).map((cycles) => cycles as Cycles),
    pause: fc.integer({ min: ms(0.3), max: ms(60) }).map((cycles) => cycles as Cycles),
  }),
  fc.constant<Load>({ kind: "idles" }),
);

/** Weights from 1 to 8, in each policy's words. */
function parameters(scheduler: SchedulerName, weight: number): SchedulerParameters | undefined {
  switch (scheduler) {
    case "bvt":
      return { mcu_adv: Math.round(80 / weight) };
    case "credit":
    case "credit2":
      return { weight: 64 * weight };
    case "sedf":
    case "rtds":
    case "null":
      return undefined;
  }
}

/** A machine of up to four physical CPUs and twelve virtual ones. */
function machines(scheduler: SchedulerName, withAffinity: boolean) {
  return fc.integer({ min: 1, max: 4 }).chain((cpus) => {
    const affinity = fc.uniqueArray(fc.integer({ min: 0, max: cpus - 1 }), { minLength: 1 });
    const domain = fc.record({
      load,
      vcpus: fc.integer({ min: 1, max: 2 }),
      weight: fc.integer({ min: 1, max: 8 }),
      affinity: withAffinity ? affinity : fc.constant(undefined),
    }).map(({ weight, ...rest }): LoadedDomain => ({
      ...rest,
      parameters: parameters(scheduler, weight),
    }));
    const domains = fc.array(domain, { minLength: 1, maxLength: 6 });
    return fc.record({ cpus: fc.constant(cpus), domains });
  });
}

/** Whoever waits although a physical CPU idles on which it may run. */
function neglected({ dispatcher }: LoadedMachine): string[] {
  const idle = dispatcher.cpus.filter((cpu) => !cpu.current && !cpu.reschedule);
  return dispatcher.vcpus
    .filter((vcpu) => vcpu.state === "runnable" && idle.some(({ id }) => vcpu.hardAffinity.has(id)))
    .map((vcpu) => vcpu.name);
}

for (const scheduler of NAMES) {
  test(`${scheduler}: whoever runs may run there, is running, and runs nowhere else`, () => {
    fc.assert(
      fc.property(machines(scheduler, true), ({ cpus, domains }) => {
        const machine = new LoadedMachine(scheduler, cpus, domains);
        for (let step = 1; step <= 40; step++) {
          machine.run(step * 7.3);
          const held = machine.dispatcher.cpus.flatMap(({ current, id }) =>
            current ? [{ current, id }] : []
          );
          for (const { current, id } of held) {
            assert(current.hardAffinity.has(id), `${current.name} on ${id}`);
            assertEquals([current.state, current.cpu], ["running", id]);
          }
          assertEquals(new Set(held.map(({ current }) => current)).size, held.length);
          const running = machine.dispatcher.vcpus.filter(({ state }) => state === "running");
          assertEquals(running.length, held.length);
        }
      }),
      RUNS,
    );
  });

  test(`${scheduler}: time in all states adds up, and physical CPUs' time is that of who ran`, () => {
    fc.assert(
      fc.property(machines(scheduler, true), ({ cpus, domains }) => {
        const machine = new LoadedMachine(scheduler, cpus, domains);
        machine.run(333);
        let ran = 0;
        for (const vcpu of machine.dispatcher.vcpus) {
          const { times } = machine.dispatcher.runstate(vcpu);
          ran += times.running;
          assertEquals(Object.values(times).reduce((a, b) => a + b, 0), ms(333), vcpu.name);
        }
        const busy = machine.dispatcher.cpus.map(({ id }) => machine.dispatcher.busyCycles(id));
        assertEquals(busy.reduce((a, b) => a + b, 0), ran);
      }),
      RUNS,
    );
  });

  test(`${scheduler}: nobody who wants to run starves`, () => {
    fc.assert(
      fc.property(machines(scheduler, false), ({ cpus, domains }) => {
        const wanting = domains.flatMap(({ load, vcpus = 1 }, i) =>
          load.kind === "spins" ? Array.from({ length: vcpus }, (_, id) => [i + 1, id]) : []
        );
        if (scheduler === "null" && domains.length * 2 > cpus) return;
        const machine = new LoadedMachine(scheduler, cpus, domains);
        const ranOf = ([domain, id]: number[]) =>
          machine.dispatcher.runstate(machine.vcpu(domain, id)).times.running;
        for (let round = 1; round <= 3; round++) {
          const before = wanting.map(ranOf);
          machine.run(round * PATIENCE_MS[scheduler]);
          wanting.forEach((each, i) => assert(ranOf(each) > before[i], `d${each.join("v")}`));
        }
      }),
      RUNS,
    );
  });

  test(`${scheduler}: a snapshot in the middle goes on like the original`, () => {
    fc.assert(
      fc.property(
        machines(scheduler, true),
        fc.integer({ min: 1, max: ms(400) }),
        (options, at) => {
          const make = () => new LoadedMachine(scheduler, options.cpus, options.domains, ms(0.02));
          const original = make();
          original.dispatcher.advance(at as Cycle);
          const copy = make();
          copy.restore(JSON.parse(JSON.stringify(original.save())));
          assertEquals(copy.save(), original.save());
          for (const later of [0.1, 5, 50, 500]) {
            for (const machine of [original, copy]) {
              machine.dispatcher.advance(at + ms(later) as Cycle);
            }
            assertEquals(copy.save(), original.save());
          }
        },
      ),
      RUNS,
    );
  });

  test(`${scheduler}: time advanced in pieces is the same as in one go`, () => {
    fc.assert(
      fc.property(machines(scheduler, true), ({ cpus, domains }) => {
        const [whole, pieces] = [1, 2].map(() => new LoadedMachine(scheduler, cpus, domains));
        whole.run(100);
        for (let step = 1; step <= 50; step++) pieces.run(step * 2);
        assertEquals(pieces.save(), whole.save());
      }),
      RUNS,
    );
  });

  test(`${scheduler}: 100 domains that wait need no attention for an hour`, () => {
    const idle = new Array<LoadedDomain>(100).fill({ load: { kind: "idles" } });
    const machine = new LoadedMachine(scheduler, 2, idle);
    machine.run(1000);
    assertEquals([machine.clock.nextDeadline, machine.policy.deadline], [Infinity, Infinity]);
    machine.run(3_600_000);
    assertEquals(machine.dispatcher.now, ms(3_600_000));
  });

  test(`${scheduler}: a change of affinity moves whoever runs or waits`, () => {
    const machine = new LoadedMachine(scheduler, 2, [{ load: { kind: "spins" } }]);
    const vcpu = machine.vcpu(1);
    for (const [round, cpu] of [1, 0, 1].entries()) {
      machine.dispatcher.setAffinity(vcpu, new Set([cpu as PhysicalCpuId]));
      machine.run((round + 1) * 10);
      assertEquals([vcpu.state, vcpu.cpu], ["running", cpu]);
    }
    assertEquals(machine.ran(1), 30);
  });

  test(`${scheduler}: a domain moves to it and away from it without losing time`, () => {
    const machine = new LoadedMachine("credit", 2, [{ load: { kind: "spins" }, vcpus: 2 }]);
    const { dispatcher } = machine;
    const other = dispatcher.pools.create("other", scheduler);
    dispatcher.pools.moveCpu(1 as PhysicalCpuId, other);
    machine.run(1000);
    assertEquals(machine.ran(1), 1000);
    dispatcher.pools.moveDomain(1 as DomainId, other);
    machine.run(2000);
    assertEquals(machine.ran(1), 2000);
    assertEquals(dispatcher.busyCycles(0 as PhysicalCpuId), ms(1000));
    dispatcher.pools.moveCpu(0 as PhysicalCpuId, other);
    machine.run(3000);
    assertEquals(machine.ran(1), 4000);
    dispatcher.pools.moveDomain(1 as DomainId, other);
  });
}

for (const scheduler of WORK_CONSERVING) {
  test(`${scheduler}: nobody waits while a physical CPU idles on which it may run`, () => {
    fc.assert(
      fc.property(machines(scheduler, true), ({ cpus, domains }) => {
        const machine = new LoadedMachine(scheduler, cpus, domains);
        for (let step = 1; step <= 60; step++) {
          machine.run(step * 4.7);
          assertEquals(neglected(machine), []);
        }
      }),
      RUNS,
    );
  });
}
