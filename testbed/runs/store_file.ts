/**
 * The store's file: opening it, making a new one, and refusing what is no store of ours without touching it.
 *
 * The header is looked at before SQLite opens the file, because opening may already write (it recovers a log that a
 * killed process left). Layout of the header: "The Database Header" in SQLite's file format.
 */

import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** `PRAGMA application_id` of a run store: "XenR". */
const APPLICATION_ID = 0x58656e52;
/** `PRAGMA user_version`: what this program reads and writes. */
export const SCHEMA_VERSION = 1;
/** How long one process waits for another one's write, in milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;
const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
const USER_VERSION_AT = 60;
const APPLICATION_ID_AT = 68;

/** `runs` holds what lists show; `events` holds everything, in order. */
const SCHEMA = `
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    scenario TEXT NOT NULL,
    title TEXT NOT NULL,
    parameters TEXT NOT NULL,
    seed INTEGER NOT NULL,
    profile TEXT NOT NULL,
    version TEXT NOT NULL,
    startedMs INTEGER NOT NULL,
    status TEXT NOT NULL,
    finishedMs INTEGER,
    fraction REAL NOT NULL,
    step TEXT NOT NULL,
    traceHash TEXT,
    error TEXT
  ) STRICT;
  CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** A file that cannot serve as a run store, and what to do about it. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** Opens the store at `path`, making it if there is none. Throws {@link StoreError} for a file that is none. */
export function openStoreFile(path: string): DatabaseSync {
  const header = headerOf(path);
  if (header !== null) checkHeader(path, header);
  let database: DatabaseSync | undefined;
  try {
    if (header === null) Deno.mkdirSync(dirname(path), { recursive: true });
    database = new DatabaseSync(path);
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA foreign_keys = ON`);
    if (header === null) createTables(database);
    checkContents(path, database);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof StoreError) throw error;
    throw new StoreError(`the run store ${path} cannot be opened`, { cause: error });
  }
}

/** The first bytes of the file; `null` if there is none or nothing in it. */
function headerOf(path: string): Uint8Array | null {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new StoreError(`the run store ${path} cannot be read`, { cause: error });
  }
  using open = file;
  const bytes = new Uint8Array(HEADER_BYTES);
  const read = open.readSync(bytes) ?? 0;
  return read === 0 ? null : bytes.subarray(0, read);
}

function checkHeader(path: string, header: Uint8Array): void {
  const magic = new TextDecoder().decode(header.subarray(0, MAGIC.length));
  if (header.length < HEADER_BYTES || magic !== MAGIC) throw damaged(path, "it is no SQLite file");
  const view = new DataView(header.buffer);
  checkNumbers(path, view.getUint32(APPLICATION_ID_AT), view.getUint32(USER_VERSION_AT));
}

function checkNumbers(path: string, application: number, version: number): void {
  if (application === 0 && version === 0) return; // being made by another process: SQLite will tell
  if (application !== APPLICATION_ID) {
    throw new StoreError(
      `${path} is a database, but no run store: choose another file with --store`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      `the run store ${path} was written by a newer Xenarium (its version is ${version}, this program knows up to ` +
        `${SCHEMA_VERSION}): update Xenarium, or choose another file with --store`,
    );
  }
}

/** Two processes may both be first: the second finds what the first has made. */
function createTables(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    if (pragma(database, "user_version") === 0) database.exec(SCHEMA);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function checkContents(path: string, database: DatabaseSync): void {
  let verdict: string;
  try {
    checkNumbers(path, pragma(database, "application_id"), pragma(database, "user_version"));
    verdict = String(Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {})[0]);
    if (verdict === "ok") database.prepare("SELECT seq, id FROM events, runs LIMIT 1").get();
  } catch (error) {
    if (error instanceof StoreError || isBusy(error)) throw error;
    verdict = error instanceof Error ? error.message : String(error);
  }
  if (verdict !== "ok") throw damaged(path, verdict);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/** SQLITE_BUSY and SQLITE_LOCKED, with their extended codes. */
function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" && ((code & 0xff) === 5 || (code & 0xff) === 6);
}

function damaged(path: string, why: string): StoreError {
  return new StoreError(
    `the run store ${path} is damaged (${why}); it was left as it is: move it away, or choose another file with --store`,
  );
}
