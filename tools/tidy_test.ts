import { assertEquals } from "@std/assert";
import { MAX_LINES, RULES } from "./tidy.ts";

/** The findings of all rules in one file, as `rule line`. */
function findings(path: string, text: string): string[] {
  return RULES.flatMap((rule) =>
    rule.check({ path, text }).map(({ line }) => `${rule.name} ${line}`)
  );
}

const M = "/** Says what it is. */\n";

const CASES: [claim: string, path: string, text: string, expected: string[]][] = [
  ["a clean file has no finding", "core/lib/a_b2.ts", M + "export const a = 1;", []],
  ["Deno is the host", "core/a.ts", M + "Deno.exit(1);", ["host-free 2"]],
  ["console is the host", "devices/a.ts", M + "console.log(1);", ["host-free 2"]],
  ["a member named console is not", "devices/a.ts", M + "machine.console.send(1);", []],
  ["timers are the host", "guests/a.ts", M + "\nsetTimeout(f, 1);", ["host-free 3"]],
  ["Date is the host", "core/a.ts", M + "a = Date.now() + new Date();", [
    "host-free 2",
    "host-free 2",
  ]],
  ["Math.random is the host", "core/a.ts", M + "a = Math.random();", ["host-free 2"]],
  ["fetch of an address is the host", "core/a.ts", M + `await fetch("x");`, ["host-free 2"]],
  ["a fetch of the CPU is not", "core/a.ts", M + "const byte = fetch(cpu);", []],
  ["performance and crypto are the host", "core/a.ts", M + "performance.now(crypto.subtle);", [
    "host-free 2",
    "host-free 2",
  ]],
  ["a remark may name the host", "core/a.ts", M + "// Deno.exit(1)", []],
  ["the testbed may use the host", "testbed/a.ts", M + "Deno.exit(1);", []],
  ["names are snake_case", "core/aB.ts", M, ["file-names 1"]],
  ["names have no dashes", "core/a-b.ts", M, ["file-names 1"]],
  ["a long file is found", "core/a.ts", M + "\n".repeat(MAX_LINES), ["file-length 1"]],
  ["a file without a module comment is found", "core/a.ts", "export const a = 1;", [
    "module-comment 1",
  ]],
  ["unfinished work is found", "core/a.ts", M + "// TO" + "DO: more", ["unfinished 2"]],
  ["a switched-off type is found", "core/a.ts", M + "// @ts-" + "ignore", ["unfinished 2"]],
  ["an any is found", "core/a.ts", M + "const a = b as any;", ["any 2"]],
  ["a mod.ts that computes is found", "core/mod.ts", M + 'export { a } from "./a.ts";\nrun();', [
    "mod-reexports 3",
  ]],
  ["a mod.ts that re-exports is clean", "core/mod.ts", M + 'export * as a from "./a.ts";', []],
  ["a path of one machine is found", "README.md", "see /ho" + "me/me/x", ["machine-paths 1"]],
  ["a package host is found", "deno.lock", '"http' + 's://registry.example/a"', [
    "machine-paths 1",
  ]],
];

for (const [claim, path, text, expected] of CASES) {
  Deno.test(claim, () => assertEquals(findings(path, text), expected));
}
