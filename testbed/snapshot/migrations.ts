/** From records that earlier builds saved to those that this one restores. */

import type { SnapshotRecord, SnapshotValue } from "../../core/lib/snapshot.ts";

/** Makes of a record's state that of the next version. */
type Migration = (state: SnapshotRecord["state"]) => SnapshotRecord["state"];

/** By kind and version, `machine 1`: what makes version 2 of it. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  // The console's text was not part of it.
  "machine 1": (state) => ({
    ...state,
    console: { kind: "serialConsole", version: 1, state: { text: "", matched: 0 } },
  }),
};

/** `value` with all records in it brought as far as there are migrations; what is unknown stays as it is. */
export function migrate(
  value: SnapshotValue,
  migrations: Readonly<Record<string, Migration>> = MIGRATIONS,
): SnapshotValue {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((each) => migrate(each, migrations));
  let fields = value as { readonly [field: string]: SnapshotValue };
  while (isRecord(fields)) {
    const migration = migrations[`${fields.kind} ${fields.version}`];
    if (!migration) break;
    fields = { ...fields, version: fields.version + 1, state: migration(fields.state) };
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, each]) => [name, migrate(each, migrations)]),
  );
}

function isRecord(fields: object): fields is SnapshotRecord & Record<string, SnapshotValue> {
  return "kind" in fields && "version" in fields && "state" in fields &&
    typeof fields.version === "number";
}
