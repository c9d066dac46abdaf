import { assertEquals } from "@std/assert";
import { startRun, tinyGuests } from "../mod.ts";

Deno.test("the default scenario tells its story to the end", async () => {
  const lines: string[] = [];
  const run = await startRun("tiny_kernels", {}, {
    onEvent: (news) => void (news.kind === "line" && lines.push(news.text)),
  });
  assertEquals((await run.ended).status, "complete");
  const reported = tinyGuests.flatMap(({ expectedOutput }) => expectedOutput.trimEnd().split("\n"));
  assertEquals(
    lines.filter((line) => line.startsWith("  ") && !line.includes("simulated"))
      .map((line) => line.trim()),
    reported,
  );
});
