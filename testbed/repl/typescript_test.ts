import { assertEquals, assertThrows } from "@std/assert";
import { toJavaScript } from "./typescript.ts";

const BASE = new URL("file:///folder/");

const CASES: [claim: string, source: string, javascript: string][] = [
  ["types go", "const a: number = b as number", "const a = b;"],
  ["declarations of types go", "type A = 1; a", "a;"],
  ["named imports", 'import { a, b as c } from "x"', 'const { a, b: c } = await import("x");'],
  ["default imports", 'import a from "x";', 'const { default: a } = await import("x");'],
  ["namespaces", 'import * as a from "x"', 'const a = await import("x");'],
  ["relative ones", 'import "./a.ts"', 'await import("file:///folder/a.ts");'],
  ["types of modules", 'import type { A } from "x"; 1', "1;"],
  ["a string that looks like one", `'import "x"'`, `'import "x"';`],
];

for (const [claim, source, javascript] of CASES) {
  Deno.test(`to JavaScript: ${claim}`, () => {
    assertEquals(toJavaScript(source, BASE).trim(), javascript);
  });
}

Deno.test("what is no TypeScript is a SyntaxError", () => {
  assertThrows(() => toJavaScript("const a: = 1", BASE), SyntaxError, "no TypeScript");
});
