/** Objects of options as data that a record can hold. */

import type { SnapshotValue } from "../../core/lib/snapshot.ts";

/** A copy of `value` without fields that are not there (`undefined`); bytes are not copied. */
export function plainData(value: unknown): SnapshotValue {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) {
    return value as SnapshotValue;
  }
  if (Array.isArray(value)) return value.map(plainData);
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined)
      .map(([name, each]) => [name, plainData(each)]),
  );
}
