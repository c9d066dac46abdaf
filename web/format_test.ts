import { assertEquals } from "@std/assert";
import {
  formatAgo,
  formatBytes,
  formatElapsed,
  formatNs,
  formatNumber,
  formatRate,
  formatSigned,
} from "./format.ts";

const CASES: readonly (readonly [actual: string, expected: string])[] = [
  [formatNumber(0), "0"],
  [formatNumber(0.00123456), "0.001235"],
  [formatNumber(12.3456), "12.35"],
  [formatNumber(1234), "1\u202f234"],
  [formatNumber(123456.789), "123\u202f457"],
  [formatNumber(-1234.5), "-1\u202f235"],
  [formatNumber(4.2e-9), "4.200e-9"],
  [formatSigned(3.14), "+3.1"],
  [formatSigned(-3.16), "−3.2"],
  [formatSigned(0.01), "±0.0"],
  [formatBytes(512), "512 B"],
  [formatBytes(128 * 2 ** 20), "128 MiB"],
  [formatRate(12_400_000, "B/s"), "12.4 MB/s"],
  [formatRate(7, "op/s"), "7 op/s"],
  [formatNs(1500), "1.5 µs"],
  [formatNs(2.5e9), "2.5 s"],
  [formatNs(61e9), "1 min 1 s"],
  [formatElapsed(900), "900 ms"],
  [formatElapsed(61_000), "1 min 1 s"],
  [formatAgo(0, 30_000), "just now"],
  [formatAgo(0, 60_000), "1 minute ago"],
  [formatAgo(0, 26 * 3600_000), "1 day ago"],
];

Deno.test("numbers, sizes and times read as written here", () => {
  assertEquals(CASES.map(([actual]) => actual), CASES.map(([, expected]) => expected));
});
