import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkPage, conformancePage, deviationsIn } from "./conformance.ts";

const TAG = "@" + "deviation";
const FILES = [
  {
    path: "core/x86/fpu.ts",
    text: `/**\n * ${TAG} FIP keeps 48 bits;\n * SDM 1, x87.\n *\n * More.\n */\n`,
  },
  {
    path: "devices/pit.ts",
    text: `// ${TAG} no BCD mode; 8254, counting modes\nconst a = "${TAG} no";\n`,
  },
];

Deno.test("a deviation is the tag's paragraph, with its place", () => {
  assertEquals(deviationsIn(FILES), [
    { path: "core/x86/fpu.ts", line: 2, text: "FIP keeps 48 bits; SDM 1, x87." },
    { path: "devices/pit.ts", line: 1, text: "no BCD mode; 8254, counting modes" },
  ]);
});

Deno.test("the page lists deviations by folder", () => {
  assertStringIncludes(
    conformancePage(deviationsIn(FILES)),
    "## core/x86\n\n- [fpu.ts](../core/x86/fpu.ts): FIP keeps 48 bits; SDM 1, x87.\n\n## devices\n",
  );
});

Deno.test("a page that lacks a deviation is out of date", () => {
  const page = conformancePage(deviationsIn(FILES.slice(0, 1)));
  assertEquals(checkPage(page, deviationsIn(FILES.slice(0, 1))), []);
  assertEquals(checkPage(page, deviationsIn(FILES)).length, 1);
});

Deno.test("a deviation without words is a finding", () => {
  const deviations = deviationsIn([{ path: "core/a.ts", text: `// ${TAG}\n` }]);
  assertEquals(checkPage(conformancePage(deviations), deviations)[0].line, 1);
});
