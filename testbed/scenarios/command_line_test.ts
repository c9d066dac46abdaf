import { assertEquals } from "@std/assert";
import { scenarioCommand } from "../commands/scenario_options.ts";
import { commandLineOf } from "./command_line.ts";
import { checkSettings, type ParameterTable, type Settings } from "./parameters.ts";
import { defineScenario } from "./scenario.ts";

const PARAMETERS: ParameterTable = {
  warmUp: { kind: "duration", default: "1s", min: "1s", max: "9s", help: "first" },
  systems: { kind: "choices", default: ["Xen 5 ms"], choices: ["Xen 5 ms", "it's"], help: "of" },
  servers: { kind: "integers", default: [1, 4], min: 1, max: 9, help: "how many" },
  keepOn: { kind: "flag", default: true, help: "go on" },
  loud: { kind: "flag", default: false, help: "tell all" },
};
const FOUND = {
  name: "lab",
  scenario: defineScenario({
    summary: "a lab",
    parameters: PARAMETERS,
    run: () => Promise.resolve(),
  }),
};

/** What the command line makes of what was typed, as a shell would hand it over. */
async function typed(line: string): Promise<readonly [settings: Settings, seed: number]> {
  const words = line.replace("xenarium run lab ", "").match(/(?:[^\s']|'[^']*'|\\')+/g)!
    .map((word) => word.replaceAll("'\\''", "\0").replaceAll("'", "").replaceAll("\0", "'"));
  let got: readonly [Settings, number] | undefined;
  const command = scenarioCommand(FOUND as never, (settings, { seed }) => {
    got = [checkSettings(PARAMETERS, settings), seed];
    return Promise.resolve();
  });
  await command.parseAsync(words, { from: "user" });
  return got!;
}

const ASKED: Settings[] = [
  { warmUp: "2s", systems: ["Xen 5 ms", "it's"], servers: [2], keepOn: false, loud: true },
  { warmUp: "1s", systems: ["it's"], servers: [1, 4], keepOn: true, loud: false },
];
Deno.test("what a record says to type asks for the same run again, whatever its parameters", async () => {
  for (const settings of ASKED) {
    const parameters = checkSettings(PARAMETERS, settings);
    const line = commandLineOf({ scenario: "lab", seed: 7, parameters } as never);
    assertEquals(await typed(line), [parameters, 7]);
  }
});
