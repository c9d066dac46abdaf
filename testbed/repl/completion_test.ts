import { assertEquals } from "@std/assert";
import { complete, memberNames } from "./completion.ts";

class Base {
  get shared() {
    return 1;
  }
}
class Derived extends Base {
  own = 1;
  #hidden = 2;
  method() {
    return this.#hidden;
  }
}

const VALUES: Record<string, unknown> = { machine: new Derived(), "machine.list[0]": { deep: 1 } };
const NAMES = {
  commands: ["regs", "mem", "machines"],
  declared: () => Promise.resolve(["machine"]),
  valueOf: (path: string) =>
    path in VALUES ? Promise.resolve(VALUES[path]) : Promise.reject(new ReferenceError(path)),
};

const CASES: [line: string, completions: string[], replaced: string][] = [
  ["machine.", ["method", "own", "shared"], ""],
  ["await f(machine.o", ["own"], "o"],
  ["machine?.o", ["own"], "o"],
  ["machine.list[0].d", ["deep"], "d"],
  ["unknown.a", [], "a"],
  ["mach", ["machine"], "mach"],
  ["structuredC", ["structuredClone"], "structuredC"],
  [".m", [".machines", ".mem"], ".m"],
  ["1 + ", [], ""],
];
for (const [line, completions, replaced] of CASES) {
  Deno.test(`${JSON.stringify(line)} completes to ${completions.join(", ") || "nothing"}`, async () => {
    assertEquals(await complete(line, NAMES), [completions, replaced]);
  });
}

Deno.test("nothing has no members, a string has those of strings", () => {
  assertEquals(memberNames(undefined), []);
  assertEquals(memberNames("a").includes("startsWith"), true);
});
