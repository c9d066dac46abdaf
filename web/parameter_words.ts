/** Parameters as text. */

import type { RunRecord } from "../mod.ts";

/** Each parameter's value as it would be typed. */
export function parameterWords(
  parameters: RunRecord["parameters"],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, parameterText(value)]),
  );
}

/** One value as it would be typed. */
export function parameterText(value: RunRecord["parameters"][string]): string {
  return typeof value === "object" ? value.join(",") : String(value);
}
