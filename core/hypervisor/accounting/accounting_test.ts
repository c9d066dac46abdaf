import { assertEquals } from "@std/assert";
import type { DomainId } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import { CostTable } from "../../clock/profiles/cost_profile.ts";
import { XEON_2003 } from "../../clock/profiles/xeon_2003.ts";
import { LoadedMachine, ms } from "../scheduling/testing/load.ts";
import { domainUsage } from "./domain_usage.ts";
import { Ledger } from "./ledger.ts";
import { switchCost } from "./switch_cost.ts";

const TABLE = new CostTable(XEON_2003, XEON_2003.frequencyHz);
const [ONE, TWO] = [1, 2] as DomainId[];

test("the ledger adds up per domain and per cost, and survives a snapshot", () => {
  const ledger = new Ledger(TABLE);
  assertEquals(ledger.charge(ONE, "hypercall"), 816);
  assertEquals(ledger.charge(ONE, "hypercall", 2), 1632);
  assertEquals(ledger.chargeAll(TWO, { requests: 3, frames: 2, events: 0 }), 5 * 650);
  const restored = new Ledger(TABLE);
  restored.restore(JSON.parse(JSON.stringify(ledger.save())));
  for (const each of [ledger, restored]) {
    assertEquals(each.entries(ONE), [{ cost: "hypercall", count: 3, cycles: 2448 }] as never);
    assertEquals(each.entries(TWO).map(({ cost, count }) => [cost, count]), [
      ["requests", 3],
      ["frames", 2],
    ]);
    assertEquals([each.total(ONE), each.total(TWO)], [2448, 3250] as never);
  }
  ledger.forget(ONE);
  assertEquals(ledger.entries(ONE), []);
});

test("a switch costs as much of the caches as others had time to displace", () => {
  const rows: [displacedCycles: number, cost: number][] = [
    [0, 2921],
    [897_079, 2921 + 89_708],
    [8_970_790, 2921 + 897_079],
    [Infinity, 2921 + 897_079],
  ];
  for (const [displaced, cost] of rows) assertEquals(switchCost(TABLE, displaced), cost as never);
});

test("a domain's usage is the sum of its virtual CPUs', with the time that others took", () => {
  const machine = new LoadedMachine("bvt", 1, [
    { load: { kind: "spins" }, vcpus: 2 },
    { load: { kind: "idles" } },
  ]);
  machine.run(100);
  const usage = domainUsage(machine.dispatcher, ONE);
  assertEquals([usage.vcpus, usage.times.running, usage.times.runnable], [2, ms(100), ms(100)]);
  assertEquals(usage.stealShare, 0.5);
  // It had to wait for its turn before it could begin to wait for nothing.
  const { times } = domainUsage(machine.dispatcher, TWO);
  assertEquals([times.runnable, times.running, times.blocked], [ms(10), 0, ms(90)] as never);
});
