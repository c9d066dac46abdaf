import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { COSTS, CostTable } from "./cost_profile.ts";
import { profileNamed, PROFILES } from "./profiles.ts";
import { XEON_2003 } from "./xeon_2003.ts";

for (const { name, prices } of PROFILES) {
  test(`profile ${name} has a price and a source for each cost`, () => {
    assertEquals(Object.keys(prices).sort(), Object.keys(COSTS).sort());
    for (const [cost, { cycles, source }] of Object.entries(prices)) {
      assert(Number.isFinite(cycles) && cycles >= 0, cost);
      assert(source.length > 0, cost);
    }
  });
}

test("xeon-2003's parts add up to the paper's differences, in cycles at 2.4 GHz", () => {
  const cost = (name: keyof typeof COSTS, count = 1) =>
    new CostTable(XEON_2003, 2.4e9).cost(name, count);
  assertEquals(cost("trapBounce") + cost("hypercall") + cost("pageTableUpdate"), 3144);
  assertEquals(cost("requests") + cost("frames"), 1300);
  const switchUs = (cost("domainSwitch") + cost("cacheRefill")) / 2400;
  assertEquals(Math.round(switchUs), 375);
});

test("each cell that xeon-2003 was fitted to gave a fitted price, and there are at most 12 of them", () => {
  const { fittedCells, prices } = XEON_2003;
  assert(fittedCells.length <= 12);
  for (const { cost } of fittedCells) assertEquals(prices[cost].basis, "fitted", cost);
});

test("a cost table reckons in cycles of the machine's clock", () => {
  const table = new CostTable(XEON_2003, 1e9);
  assertEquals(table.cost("hypercall"), 340);
  assertEquals(table.cost("copiedBytes", 2400), 1000);
  assertEquals(table.cost("copiedBytes", 0), 0);
});

test("a profile that is not there is named with those that are", () => {
  assertThrows(
    () => profileNamed("xeon-2004"),
    RangeError,
    "no cost profile xeon-2004; there are free, xeon-2003",
  );
});
