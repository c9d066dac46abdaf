/**
 * The one protocol by which state is saved and restored: checkpoints, files, live migration and
 * reverse debugging all use it (DESIGN.md, section 3).
 */

/** What a snapshot record may hold: plain data, no closures, no class instances. */
export type SnapshotValue =
  | number
  | string
  | boolean
  | null
  | bigint
  | Uint8Array
  | readonly SnapshotValue[]
  | { readonly [field: string]: SnapshotValue };

/** A named, versioned record of one object's state. Fields are named, never positional. */
export interface SnapshotRecord {
  /** What was saved, for example `uart16550`. */
  readonly kind: string;
  /** Rises when the meaning or the set of `state` fields changes. */
  readonly version: number;
  readonly state: { readonly [field: string]: SnapshotValue };
}

/** An object whose whole state can be saved to a record and restored from it. */
export interface Snapshot {
  /** Returns a deep copy of the state. */
  save(): SnapshotRecord;
  /** Replaces the state by `record`; throws {@link SnapshotError} if it is not of this kind and version. */
  restore(record: SnapshotRecord): void;
}

/** A record that does not fit the object it was given to. */
export class SnapshotError extends Error {
  override name = "SnapshotError";
}

/** Throws {@link SnapshotError} unless `record` is of the given kind and version; returns its state. */
export function expectRecord(
  record: SnapshotRecord,
  kind: string,
  version: number,
): { readonly [field: string]: SnapshotValue } {
  if (record.kind !== kind) {
    throw new SnapshotError(`expected a snapshot of ${kind}, found one of ${record.kind}`);
  }
  if (record.version !== version) {
    throw new SnapshotError(
      `snapshot of ${kind} has version ${record.version}; this build reads version ${version}`,
    );
  }
  return record.state;
}

/** A deep copy of plain data. */
export function copyOfValue(value: SnapshotValue): SnapshotValue {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(copyOfValue);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOfValue(each)]));
}
