import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describeTraceDifference, diffTraces } from "./trace_diff.ts";

async function* lines(text: string): AsyncGenerator<string> {
  yield* await Promise.resolve(text.split("\n"));
}

const A =
  "1 trap vector 0x20, cpu 0x0\n# 5 hot.regions=1\n7 input source 0x0, value 0x61\n9 state low 0x1, high 0x2\n# hash 00\n";

const CASES: readonly (readonly [what: string, b: string, found: string | null])[] = [
  ["the same events with other comments", A.replace("regions=1", "regions=2"), null],
  ["another value", A.replace("0x61", "0x62"), "3/3 after 1"],
  ["another cycle of the last one", A.replace("9 state", "10 state"), "4/4 after 2"],
  ["an event less", A.replace(/9 state.*\n/, ""), "4/- after 2"],
  ["an event more", `${A}12 trap vector 0x20, cpu 0x0\n`, "-/6 after 3"],
  ["nothing", "", "1/- after 0"],
];

for (const [what, b, expected] of CASES) {
  Deno.test(`${what} ${expected === null ? "is no difference" : "is found"}`, async () => {
    const found = await diffTraces(lines(A), lines(b));
    const told = found && `${found.a?.line ?? "-"}/${found.b?.line ?? "-"} after ${found.common}`;
    assertEquals(told, expected);
  });
}

Deno.test("only events of the kinds that were asked for are compared", async () => {
  const b = A.replace("0x20", "0x21").replace("0x61", "0x62");
  assertEquals((await diffTraces(lines(A), lines(b), { kinds: ["input"] }))?.common, 0);
  assertEquals(await diffTraces(lines(A), lines(b), { kinds: ["state"] }), null);
});

Deno.test("a difference reads as what came before, and both sides", async () => {
  const found = await diffTraces(lines(A), lines(A.replace("0x61", "0x62")));
  assertEquals(
    describeTraceDifference(found!, ["a.trace", "b.trace"]),
    [
      "1 events are the same; the latest:",
      "  1 trap vector 0x20, cpu 0x0",
      "then",
      "  a.trace:3: 7 input source 0x0, value 0x61",
      "  b.trace:3: 7 input source 0x0, value 0x62",
    ].join("\n"),
  );
});

Deno.test("a file that is no trace is told", async () => {
  const error = await assertRejects(() => diffTraces(lines(A), lines("\x7fELF")), SyntaxError);
  assertStringIncludes(error.message, "line 1: expected an event");
});
