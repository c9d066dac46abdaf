/** Comparing machines by their snapshots: the first differences that a guest could notice, by name. */

import type { SnapshotRecord, SnapshotValue } from "../core/lib/snapshot.ts";

/** Scratch fields of the CPU state (layout.ts): what an engine leaves in them, no guest can see. */
const PRIVATE: ReadonlySet<string> = new Set([
  "budget",
  "status",
  "vector",
  "errorCode",
  "hasErrorCode",
  "faultAddress",
  "blockRip",
  "nextRip",
  "dataTlb",
  "codeTlb",
  "fastPaths",
  "care",
  "cycleBase",
  "tlbBank",
  "localFrame",
  "argument0",
  "argument1",
  "argument2",
  "argument3",
  "result",
]);

/** Differences that a report names at most. */
const MOST_NAMED = 12;

/** Names where `a` and `b` differ, with both values; at most MOST_NAMED, none if a guest sees no difference. */
export function differences(a: SnapshotRecord, b: SnapshotRecord): string[] {
  const found: string[] = [];
  compare("machine", a as unknown as SnapshotValue, b as unknown as SnapshotValue, found);
  return found.slice(0, MOST_NAMED);
}

function compare(path: string, a: SnapshotValue, b: SnapshotValue, found: string[]): void {
  if (found.length >= MOST_NAMED) return;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(path, a, b, found);
  if (isTable(a) && isTable(b)) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (!PRIVATE.has(name)) compare(`${path}.${name}`, a[name], b[name], found);
    }
    return;
  }
  if (!Object.is(a, b)) found.push(`${path}: ${show(a)} and ${show(b)}`);
}

function isTable(value: SnapshotValue): value is { readonly [name: string]: SnapshotValue } {
  return typeof value === "object" && value !== null;
}

/** Names the first byte that differs in each of the first frames that differ. */
function compareBytes(path: string, a: Uint8Array, b: Uint8Array, found: string[]): void {
  if (a.length !== b.length) found.push(`${path}: ${a.length} and ${b.length} bytes`);
  const words = (bytes: Uint8Array) =>
    new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0 || a.length % 4 !== 0) {
    const at = a.findIndex((byte, i) => byte !== b[i]);
    if (at >= 0) found.push(`${path}[0x${at.toString(16)}]: ${show(a[at])} and ${show(b[at])}`);
    return;
  }
  const [left, right] = [words(a), words(b)];
  for (let i = 0; i < left.length && found.length < MOST_NAMED; i++) {
    if (left[i] === right[i]) continue;
    found.push(`${path}[0x${(i * 4).toString(16)}]: ${show(left[i])} and ${show(right[i])}`);
    i |= 1023;
  }
}

function show(value: SnapshotValue): string {
  return typeof value === "number" || typeof value === "bigint"
    ? `0x${value.toString(16)}`
    : JSON.stringify(value);
}
