/** The tutorial's session: what its page says is typed is typed, and what it says is printed is compared. */

import { assert, assertEquals } from "@std/assert";
import { inspect } from "node:util";
import * as face from "../../mod.ts";
import { type CommandContext, DOT_COMMANDS } from "../../testbed/repl/dot_commands.ts";

const PROMPT = "xenarium> ";
const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<unknown>;

/** The lines that are typed, each with what follows it. */
function sessionOf(page: string): { readonly typed: string; readonly printed: string }[] {
  const blocks = [...page.matchAll(/^```\n([^]*?)^```$/gm)].map(([, text]) => text);
  return blocks.flatMap((block) => block.split(PROMPT).slice(1)).map((text) => {
    const [typed, ...printed] = text.trimEnd().split("\n");
    return { typed, printed: printed.join("\n") };
  });
}

/** A prompt that knows the public face and what was named at it. */
class Prompt {
  readonly #scope: Record<string, unknown> = { ...face };
  readonly #context = {
    machines: face.machines,
    selected: null,
    domain: null,
    profiles: new WeakMap(),
    attach: () => Promise.reject(new Error("there is no terminal")),
  } as unknown as CommandContext;

  async type(line: string): Promise<string> {
    if (line.startsWith(".")) {
      const [name, ...words] = line.slice(1).split(" ");
      assert(name in DOT_COMMANDS, `there is no .${name}`);
      return await DOT_COMMANDS[name].run(words, this.#context);
    }
    const [, name, expression] = /^(?:const (\w+) = )?(.*)$/.exec(line)!;
    const names = Object.keys(this.#scope);
    const run = new AsyncFunction(...names, `return (${expression})`);
    const value = await run(...names.map((each) => this.#scope[each]));
    if (name === undefined) return value === undefined ? "" : inspect(value);
    this.#scope[name] = value;
    return "";
  }
}

Deno.test("the tutorial finds who corrupted a page-table entry, line by line", async () => {
  const page = await Deno.readTextFile(
    new URL("../../docs/tutorials/wild_store.md", import.meta.url),
  );
  const session = sessionOf(page);
  assert(session.length >= 12, `${session.length} lines`);
  const prompt = new Prompt();
  for (const { typed, printed } of session) assertEquals(await prompt.type(typed), printed, typed);
});
