import { assertEquals, assertThrows } from "@std/assert";
import { formatCpuList, parseCpuList } from "./cpu_list.ts";

const LISTS: readonly [text: string, cpus: number[], formatted: string][] = [
  ["all", [0, 1, 2, 3], "all"],
  ["2", [2], "2"],
  ["0-2", [0, 1, 2], "0-2"],
  ["0-3,^1", [0, 2, 3], "0,2-3"],
  ["all,^0", [1, 2, 3], "1-3"],
  ["3, 0", [0, 3], "0,3"],
];
for (const [text, cpus, formatted] of LISTS) {
  Deno.test(`of four CPUs ${text} means ${cpus.join(" ")}`, () => {
    const found = parseCpuList(text, 4);
    assertEquals([...found].sort() as number[], cpus);
    assertEquals(formatCpuList(found, 4), formatted);
  });
}

Deno.test("lists that mean no CPU of the machine are refused", () => {
  assertThrows(() => parseCpuList("4", 4), RangeError, "which are 0-3");
  assertThrows(() => parseCpuList("2-1", 4), RangeError, "not among");
  assertThrows(() => parseCpuList("1,^1", 4), RangeError, "leaves no CPU");
  assertThrows(() => parseCpuList("one", 4), SyntaxError, "such as 0-3,^1 or all");
});
