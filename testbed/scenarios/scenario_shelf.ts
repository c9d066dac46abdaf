/** Scenarios as files of a folder, and as files of the user's. */

import { pathToFileURL } from "node:url";
import { suggest } from "../suggestion.ts";
import { isScenario, type Scenario } from "./scenario.ts";

/** A scenario, and where it came from. */
export interface FoundScenario {
  /** Its name, or the path by which it was asked for. */
  readonly name: string;
  /** Its module: another thread can import it. */
  readonly url: string;
  readonly scenario: Scenario;
}

/** The scenarios there are; each is loaded when it is asked for. */
export interface ScenarioShelf {
  names(): Promise<string[]>;
  /** By name, or by the path of a file; throws `RangeError` if there is none, `TypeError` if the file is none. */
  load(nameOrPath: string): Promise<FoundScenario>;
}

/** The scenarios that come with Xenarium. */
export const ownScenarios: ScenarioShelf = scenarioShelf(
  new URL("../../scenarios/", import.meta.url),
);

/** The scenarios in `folder` (a URL with a slash at its end), by the names of their files. */
export function scenarioShelf(folder: URL): ScenarioShelf {
  const names = async () => {
    const found: string[] = [];
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && name.endsWith(".ts") && !/_test\.ts$|^mod\.ts$/.test(name)) {
        found.push(name.slice(0, -".ts".length));
      }
    }
    return found.sort();
  };
  return {
    names,
    async load(nameOrPath) {
      const isPath = nameOrPath.includes("/") || nameOrPath.endsWith(".ts");
      if (isPath) return await loadFile(pathToFileURL(nameOrPath), nameOrPath);
      const known = await names();
      if (known.includes(nameOrPath)) {
        return await loadFile(new URL(`${nameOrPath}.ts`, folder), nameOrPath);
      }
      throw new RangeError(
        `there is no scenario named ${nameOrPath}: ${
          suggest(nameOrPath, known)
        }; a file is given by its path`,
      );
    },
  };
}

async function loadFile(url: URL, shown: string): Promise<FoundScenario> {
  try {
    await Deno.stat(url);
  } catch {
    throw new RangeError(`there is no file ${shown}`);
  }
  const { default: scenario }: { default?: unknown } = await import(url.href);
  if (isScenario(scenario)) return { name: shown, url: url.href, scenario };
  throw new TypeError(
    `${shown} is no scenario: expected a default export { summary, run(context) }`,
  );
}
