import { assertEquals, assertThrows } from "@std/assert";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const SIZES: [text: string, bytes: number][] = [
  ["1B", 1],
  ["4KiB", 4096],
  ["128MiB", 128 * 2 ** 20],
  ["128M", 128 * 2 ** 20],
  ["128mib", 128 * 2 ** 20],
  ["1.5GiB", 1.5 * 2 ** 30],
  [" 2 GiB ", 2 ** 31],
  ["1.44MB", 1_440_000],
];
for (const [text, bytes] of SIZES) {
  Deno.test(`the size ${text} is ${bytes} bytes`, () => assertEquals(parseSize(text), bytes));
}

const TIMES: [text: string, ns: number][] = [
  ["1ns", 1],
  ["2us", 2000],
  ["1.1s", 1_100_000_000],
  ["60s", 60e9],
  ["2min", 120e9],
  ["1h", 3600e9],
];
for (const [text, ns] of TIMES) {
  Deno.test(`the time ${text} is ${ns} ns`, () => assertEquals(parseDuration(text), ns));
}

const BAD: [text: string, error: new () => Error, message: string][] = [
  ["12xyz", SyntaxError, "expected a size such as 128MiB, found the unit xyz in 12xyz"],
  ["128", SyntaxError, "found 128 without a unit"],
  ["", SyntaxError, 'found ""'],
  ["-1MiB", SyntaxError, 'found "-1MiB"'],
  ["0MiB", RangeError, "expected more than zero bytes, found 0MiB"],
  ["0.3B", RangeError, "expected a whole number of bytes"],
  ["9999999TiB", RangeError, "expected a whole number of bytes"],
];
for (const [text, error, message] of BAD) {
  Deno.test(`the size ${JSON.stringify(text)} is refused`, () => {
    assertThrows(() => parseSize(text), error, message);
  });
}

Deno.test("a time is no size", () => {
  assertThrows(() => parseSize("60s"), SyntaxError, "units: B, KiB, MiB");
});

Deno.test("quantities are written in a unit that keeps them short", () => {
  assertEquals(formatSize(128 * 2 ** 20), "128MiB");
  assertEquals(formatSize(1), "1B");
  assertEquals(formatDuration(1_500_000_000), "1.5s");
  assertEquals(formatDuration(0), "0ns");
});
