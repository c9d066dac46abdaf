import { assertEquals } from "@std/assert";
import { filesWithExamples, publicFiles, undocumented } from "./docs_examples.ts";

const EXAMPLE = "/** One.\n * ```ts\n * one();\n * ```\n */\nexport const one = 1;\n";
const FILES = [
  { path: "README.md", text: "Start\n```ts\nimport {} from '@xenarium/xenarium';\n```\n" },
  { path: "docs/a.md", text: "```ts ignore\nno\n```\n```sh\nls\n```\n" },
  { path: "mod.ts", text: `/** All. */\nexport * from "./core/mod.ts";\n` },
  { path: "core/mod.ts", text: `export { one } from "./a.ts";\nexport type { B } from "./b.ts";` },
  { path: "core/a.ts", text: EXAMPLE },
  {
    path: "core/b.ts",
    text: "/** Of this file. */\n\nimport {} from './c.ts';\nexport type B = 1;\n",
  },
  { path: "core/c.ts", text: EXAMPLE },
];

Deno.test("what mod.ts re-exports is public, what that imports is not", () => {
  assertEquals(publicFiles(FILES).map(({ path }) => path), [
    "mod.ts",
    "core/mod.ts",
    "core/a.ts",
    "core/b.ts",
  ]);
});

Deno.test("pages and public files with examples are run", () => {
  assertEquals(filesWithExamples(FILES), ["README.md", "core/a.ts"]);
});

Deno.test("a public export without a docstring is a finding", () => {
  assertEquals(undocumented(FILES).map(({ path, line }) => [path, line]), [["core/b.ts", 4]]);
});
