/** Copies of plain data: records, arrays and what SnapshotValue allows in them. */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** A deep copy of plain data (for a {@link SnapshotValue}, and what restores from one). */
export function plainCopy<T extends object>(
  value: T,
): T & { readonly [field: string]: SnapshotValue } {
  return copyOf(value) as T & { readonly [field: string]: SnapshotValue };
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, copyOf(each)]));
}
