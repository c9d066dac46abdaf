import { assertEquals, assertThrows } from "@std/assert";
import type { ParameterValue } from "../runs/run_record.ts";
import { checkSettings, defaultText, type ParameterTable, valuesOf } from "./parameters.ts";

const TABLE = {
  domains: { kind: "integer", default: 4, min: 1, max: 128, unit: "domains", help: "" },
  load: { kind: "number", default: 0.5, min: 0, max: 1, help: "" },
  counts: { kind: "integers", default: [1, 2], min: 1, max: 16, help: "" },
  slice: { kind: "duration", default: "5ms", min: "1ms", max: "1s", help: "" },
  scheduler: { kind: "choice", default: "bvt", choices: ["bvt", "credit2"], help: "" },
  platforms: { kind: "choices", default: ["native"], choices: ["native", "xen-pv"], help: "" },
  quiet: { kind: "flag", default: false, help: "" },
} as const satisfies ParameterTable;

Deno.test("what is not given has its default; durations become nanoseconds for the scenario only", () => {
  const settings = checkSettings(TABLE, {});
  assertEquals(settings.slice, "5ms");
  const values = valuesOf(TABLE, settings);
  assertEquals(Number(values.slice), 5_000_000);
  assertEquals([values.domains, values.scheduler, values.quiet], [4, "bvt", false]);
});

Deno.test("a default may depend on another parameter, and help says so", () => {
  const counts = {
    ...TABLE.counts,
    instead: { where: "scheduler", is: "credit2", default: [1] },
  } as const;
  const table = { ...TABLE, counts } as const satisfies ParameterTable;
  assertEquals(checkSettings(table, {}).counts, [1, 2]);
  assertEquals(checkSettings(table, { scheduler: "credit2" }).counts, [1]);
  assertEquals(checkSettings(table, { scheduler: "credit2", counts: "3" }).counts, [3]);
  assertEquals(defaultText(counts), "1,2; with scheduler credit2: 1");
});

const ACCEPTED: [name: keyof typeof TABLE, given: ParameterValue, kept: ParameterValue][] = [
  ["domains", "128", 128],
  ["domains", 1, 1],
  ["load", "1e-1", 0.1],
  ["counts", "1, 16", [1, 16]],
  ["counts", [3], [3]],
  ["slice", "50ms", "50ms"],
  ["scheduler", "credit2", "credit2"],
  ["platforms", "xen-pv,native", ["xen-pv", "native"]],
  ["quiet", "yes", true],
  ["quiet", "off", false],
];
for (const [name, given, kept] of ACCEPTED) {
  Deno.test(`${name} may be ${JSON.stringify(given)}`, () => {
    assertEquals(checkSettings(TABLE, { [name]: given })[name], kept);
  });
}

const REFUSED: [name: string, given: ParameterValue, message: string][] = [
  ["domains", "129", 'domains: expected a whole number from 1 to 128, found "129"'],
  ["domains", "0", "found"],
  ["domains", "1.5", "a whole number"],
  ["domains", "", "a whole number"],
  ["domains", "many", "a whole number"],
  ["load", "NaN", "a number from 0 to 1"],
  ["counts", "1,17", "counts: expected whole numbers from 1 to 16"],
  ["counts", "", "counts: expected at least one value"],
  ["slice", "5", "slice: "],
  ["slice", "2s", "slice: expected a duration from 1ms to 1s"],
  ["scheduler", "credit", 'scheduler: "credit" is not accepted: did you mean credit2?'],
  ["platforms", "native,zen", "platforms: "],
  ["quiet", "maybe", "quiet: expected yes or no"],
  ["dmains", "4", "there is no parameter dmains: did you mean domains?"],
];
for (const [name, given, message] of REFUSED) {
  Deno.test(`${name} = ${JSON.stringify(given)} is refused with what is accepted`, () => {
    const error = assertThrows(() => checkSettings(TABLE, { [name]: given }), Error, message);
    assertEquals(["RangeError", "SyntaxError"].includes(error.name), true);
  });
}
