/**
 * Parameters of schedulers as tables: what a control operation may set, within which limits.
 *
 * Names and units are those of Xen's public headers, so that a table is also the documentation of
 * `xl sched-*`.
 */

import type { SchedulerParameters } from "./ports.ts";

/** One parameter. */
export interface ParameterSpec {
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  /** Whether 0, outside the limits, is accepted too, as "none". */
  readonly orZero?: boolean;
  /** What it is, with its unit. */
  readonly about: string;
}

/** Parameters by name. */
export type ParameterTable = Readonly<Record<string, ParameterSpec>>;

/** The values that a table begins with. */
export function initialParameters(table: ParameterTable): Record<string, number> {
  return Object.fromEntries(Object.entries(table).map(([name, { initial }]) => [name, initial]));
}

/** `current` with `change` applied; throws `RangeError` for a name or value that `table` does not accept. */
export function changedParameters(
  table: ParameterTable,
  current: SchedulerParameters,
  change: SchedulerParameters,
): Record<string, number> {
  for (const [name, value] of Object.entries(change)) {
    const spec = table[name];
    if (!spec) {
      throw new RangeError(
        `${name} is no parameter of this scheduler; it has ${
          Object.keys(table).join(", ") || "none"
        }`,
      );
    }
    if (spec.orZero && value === 0) continue;
    if (!Number.isSafeInteger(value) || value < spec.min || value > spec.max) {
      const zero = spec.orZero ? "0 or " : "";
      throw new RangeError(
        `${name} must be ${zero}a whole number from ${spec.min} to ${spec.max}, found ${value}`,
      );
    }
  }
  return { ...current, ...change };
}
