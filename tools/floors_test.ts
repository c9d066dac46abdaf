import { assertEquals } from "@std/assert";
import { checkFloors } from "./floors.ts";

/** What the tool says about these files (path to text); only the messages. */
function messages(files: Record<string, string>): string[] {
  const sources = Object.entries(files).map(([path, text]) => ({ path, text }));
  return checkFloors(sources).map(({ message }) => message);
}

const CASES: [claim: string, files: Record<string, string>, expected: string[]][] = [
  ["a lower floor may be imported", {
    "devices/uart.ts": `import { a } from "../core/lib/a.ts";`,
    "testbed/machine.ts": `import { b } from "../devices/uart.ts";`,
  }, []],
  ["an upper floor may not be imported", {
    "core/x86/cpu.ts": `import type { Uart } from "../../devices/uart.ts";`,
  }, ["core/x86 imports the upper floor devices"]],
  ["siblings may not import each other", {
    "core/vmx/a.ts": `export { b } from "../svm/b.ts";`,
  }, ["core/vmx imports its sibling core/svm (siblings meet through a lower floor)"]],
  ["a guest sees no device", {
    "guests/a.ts": `import {\n  b,\n} from "../devices/b.ts";`,
  }, [
    "guests imports devices; of the lower floors it may import: core/lib, core/abi, core/clock, core/x86",
  ]],
  ["a guest sees no hypervisor, not even lazily", {
    "guests/a.ts": `await import("../core/hypervisor/b.ts");`,
  }, [
    "guests imports core/hypervisor; of the lower floors it may import: core/lib, core/abi, core/clock, core/x86",
  ]],
  ["a scenario imports the public face only", {
    "scenarios/a.ts": `import { Host } from "@xenarium/xenarium";\nimport "../testbed/x.ts";`,
  }, ["scenarios imports testbed; of the lower floors it may import: mod.ts"]],
  ["a host-free folder imports no package, its tests the assertions", {
    "core/lib/a.ts": `import { readFile } from "node:fs";`,
    "core/lib/a_test.ts": `import { assertEquals } from "@std/assert";`,
  }, ["core/lib may not import the package node:fs"]],
  ["a folder outside the table is found", { "misc/a.ts": "" }, [
    "stands on no floor of tools/floors.ts",
  ]],
  ["a cycle of files is found", {
    "devices/a.ts": `import { b } from "./b.ts";`,
    "devices/b.ts": `import { a } from "./a.ts";`,
  }, ["import cycle: devices/a.ts -> devices/b.ts -> devices/a.ts"]],
  ["a type may refer back", {
    "devices/a.ts": `import { b } from "./b.ts";`,
    "devices/b.ts": `import type { A } from "./a.ts";`,
  }, []],
  ["a cycle of folders is found even through types", {
    "devices/pci/a.ts": `import { b } from "../disk/b.ts";`,
    "devices/disk/b.ts": "",
    "devices/disk/c.ts": `import type { A } from "../pci/a.ts";`,
  }, ["folder cycle: devices/pci -> devices/disk -> devices/pci"]],
  ["an import in a comment or in a string is none", {
    "core/lib/a.ts": `// import "../x86/b.ts"\nconst a = 'import "../x86/b.ts"';`,
  }, []],
];

for (const [claim, files, expected] of CASES) {
  Deno.test(claim, () => assertEquals(messages(files), expected));
}

Deno.test("a finding names the line of the import", () => {
  const text = `// one\n\nimport { a } from "../testbed/a.ts";`;
  assertEquals(checkFloors([{ path: "core/a.ts", text }])[0].line, 3);
});
