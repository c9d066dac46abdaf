import { assertEquals, assertThrows } from "@std/assert";
import { parseXlCfg, type XlValue } from "./xl_cfg_syntax.ts";

const FILES: readonly [claim: string, source: string, values: Record<string, XlValue>][] = [
  ["texts, numbers and lists", `name = "web1"\nmemory = 128\nvif = [ 'bridge=br0' ]\n`, {
    name: "web1",
    memory: 128,
    vif: ["bridge=br0"],
  }],
  ["comments, empty lines, semicolons", `# a domain\n\nvcpus = 2; name='a' # the name\n`, {
    vcpus: 2,
    name: "a",
  }],
  ["lists over several lines, a comma at the end", `disk = [\n  'a',\n  # second\n  'b',\n]\n`, {
    disk: ["a", "b"],
  }],
  ["a later setting replaces an earlier one, += adds", `a = 1\na = 2\nb = ["x"]\nb += ["y"]\n`, {
    a: 2,
    b: ["x", "y"],
  }],
  ["hexadecimal and negative numbers", `a = 0x10\nb = -1\n`, { a: 16, b: -1 }],
  ["escapes in texts", String.raw`a = "say \"hi\"\n" ` + "\n", { a: 'say "hi"\n' }],
  ["lists in lists", `ioports = [ [1, 2], [] ]`, { ioports: [[1, 2], []] }],
  ["nothing", "", {}],
];

for (const [claim, source, values] of FILES) {
  Deno.test(`xl.cfg has ${claim}`, () => {
    const settings = parseXlCfg(source);
    const found = [...settings.values()].map(({ name, value }) => [name, value]);
    assertEquals(Object.fromEntries(found), values);
  });
}

const MISTAKES: readonly [source: string, complaint: string][] = [
  [`name = "web1`, `web.cfg:1: a text does not end on its line: "web1`],
  [`\nmemory 128`, "web.cfg:2: expected = after memory, found 128"],
  [`memory = 128 vcpus = 2`, "web.cfg:1: expected the end of the line after memory, found vcpus"],
  [`disk = [ 'a' 'b' ]`, "web.cfg:1: expected , or ] in a list, found 'b'"],
  [`disk = [ 'a',\n`, "web.cfg:2: expected a text in quotes, a number or a list in [ ]"],
  [`memory = lots`, "web.cfg:1: expected a text in quotes, a number or a list in [ ], found lots"],
  [`= 3`, "web.cfg:1: expected the name of a setting, found ="],
  [`a = 1\na += "x"`, 'web.cfg:2: expected a += a value of its own kind, found "x"'],
  [`a = 12ab`, "web.cfg:1: expected a setting: 12ab"],
];

for (const [source, complaint] of MISTAKES) {
  Deno.test(`a mistake in xl.cfg is told with its line: ${complaint}`, () => {
    assertThrows(() => parseXlCfg(source, "web.cfg"), SyntaxError, complaint);
  });
}
