import { assertEquals } from "@std/assert";
import { createMachine, tinyGuests } from "../mod.ts";
import scenario from "./start.ts";

Deno.test("the default scenario tells its story to the end", async () => {
  const lines: string[] = [];
  await scenario.run({
    print: (line) => lines.push(line),
    createMachine,
    signal: new AbortController().signal,
  });
  const reported = tinyGuests.flatMap(({ expectedOutput }) => expectedOutput.trimEnd().split("\n"));
  assertEquals(
    lines.filter((line) => line.startsWith("  ") && !line.includes("simulated"))
      .map((line) => line.trim()),
    reported,
  );
});
