import { assertEquals } from "@std/assert";
import { isUnfinished, keepOnly } from "./source_text.ts";

const CASES: [claim: string, text: string, code: string][] = [
  ["a line comment is blanked up to its line end", "a // b\nc", "a     \nc"],
  ["a block comment keeps its line ends", "a /* b\n */ c", "a     \n    c"],
  ["a string is blanked with its quotes", `f("a\\"b") + 'c'`, `f(      ) +    `],
  ["code in a template substitution stays", "`a${b + {c: 1}.c}d` + e", "    b + {c: 1}.c    + e"],
  ["a nested template is followed", "`${`${a}`}` + b", "      a     + b"],
  ["a regular expression is no comment", "x = /[/]\\/*/.test(y)", "x =         .test(y)"],
  ["a division is code", "a / b / c", "a / b / c"],
];

for (const [claim, text, code] of CASES) {
  Deno.test(claim, () => assertEquals(keepOnly(text, "code"), code));
}

Deno.test("only comments are left when asked for", () => {
  assertEquals(keepOnly('a("//no"); // yes', "comment"), "           // yes".padStart(17));
});

const UNFINISHED = [
  "f(1,",
  "const a = {",
  "`abc",
  "`a${b",
  "`a${b}",
  "/* abc",
  "a +",
  "x =>",
  "a.",
  "if (a) {",
];
for (const text of UNFINISHED) {
  Deno.test(`${JSON.stringify(text)} wants another line`, () =>
    assertEquals(isUnfinished(text), true));
}

const FINISHED = [
  "f(1)",
  "a++",
  "a--;",
  "`abc`",
  "`a${b}`",
  "'abc",
  "/* a */",
  "a // (",
  "f(1))",
  "",
  "/x[(]/",
];
for (const text of FINISHED) {
  Deno.test(`${JSON.stringify(text)} wants no other line`, () =>
    assertEquals(isUnfinished(text), false));
}
