/**
 * Runs in one SQLite file. Each event is written as it happens, so that a killed process loses nothing it had said.
 *
 * Several processes may use one store at once: readers never wait, writers wait for each other for the length of a
 * row. A run whose process is gone is marked incomplete by the next one that looks.
 *
 * ```ts ignore
 * const store = RunStore.open("runs.sqlite");
 * for (const { id, scenario, status } of store.list()) console.log(id, scenario, status);
 * ```
 */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { recordOf, type RunEvent } from "./run_events.ts";
import { isHeld, RunLock } from "./run_lock.ts";
import type {
  RunHead,
  RunId,
  RunProgress,
  RunRecord,
  RunStatus,
  RunSummary,
} from "./run_record.ts";
import { openStoreFile } from "./store_file.ts";

/** An event with its place in its run; the first has number 1. */
export interface NumberedEvent {
  readonly seq: number;
  readonly event: RunEvent;
}

/** Progress is written when it has moved by this much, or its step has changed. */
const PROGRESS_STEP = 0.005;
/** The name of the run that was started last. */
const LAST = "last";

/** See the module comment. */
export class RunStore {
  readonly #database: DatabaseSync;

  private constructor(readonly path: string) {
    this.#database = openStoreFile(path);
  }

  /** Opens the store at `path`, making it if there is none. Throws `StoreError` for a file that is none of ours. */
  static open(path: string): RunStore {
    return new RunStore(path);
  }

  /** Enters a new run; what happens in it goes to the writer. */
  begin(head: Omit<RunHead, "id">): RunWriter {
    const id = newRunId();
    const lock = RunLock.take(this.path, id);
    try {
      return new RunWriter(this.#database, { ...head, id }, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** All runs, the one that was started last first. */
  list(): RunSummary[] {
    this.#markIncomplete();
    return this.#database.prepare("SELECT * FROM runs ORDER BY number DESC").all().map(summaryOf);
  }

  /**
   * The run that `name` means: an id, the beginning of one, or `last`. Throws `RangeError` if there is none, or if
   * several ids begin so.
   */
  find(name: string): RunSummary {
    const all = this.list();
    if (name === LAST && all.length > 0) return all[0];
    const found = all.filter(({ id }) => name !== "" && id.startsWith(name.toLowerCase()));
    if (found.length === 1) return found[0];
    if (found.length > 1) {
      throw new RangeError(`${name} is not one run: ${found.map(({ id }) => id).join(", ")}`);
    }
    throw new RangeError(
      `there is no run ${name} in ${this.path}; \`xenarium runs list\` shows all`,
    );
  }

  /** The record of a run. Throws `RangeError` if there is none of that id. */
  read(id: RunId): RunRecord {
    const events = this.eventsAfter(id, 0).map(({ event }) => event);
    const record = recordOf(events);
    if (record === undefined) throw new RangeError(`there is no run ${id} in ${this.path}`);
    const row = this.#database.prepare("SELECT * FROM runs WHERE id = ?").get(id);
    return row === undefined ? record : { ...record, ...summaryOf(row) };
  }

  /** What happened in a run after its event `seq`, in order; progress is not among it (see {@link find}). */
  eventsAfter(id: RunId, seq: number): NumberedEvent[] {
    return this.#database.prepare(
      "SELECT seq, body FROM events JOIN runs ON run = number WHERE id = ? AND seq > ? ORDER BY seq",
    ).all(id, seq).map((row) => ({
      seq: Number(row.seq),
      event: JSON.parse(String(row.body)) as RunEvent,
    }));
  }

  /** Removes a run. Throws `RangeError` if there is none of that id, or if it still runs. */
  delete(id: RunId): void {
    const { status } = this.find(id);
    if (status === "running") throw new RangeError(`run ${id} goes on: stop it before deleting it`);
    this.#database.prepare("DELETE FROM runs WHERE id = ?").run(id);
  }

  /** Closes the file; writers of this store are of no use afterwards. */
  close(): void {
    this.#database.close();
  }

  /** Runs that never ended and whose process is gone. */
  #markIncomplete(): void {
    const running = this.#database.prepare("SELECT id FROM runs WHERE status = 'running'").all();
    for (const { id } of running) {
      if (isHeld(this.path, id as RunId)) continue;
      this.#database.prepare(
        "UPDATE runs SET status = 'incomplete', error = ? WHERE id = ? AND status = 'running'",
      ).run("the process that ran it ended without a word", id);
    }
  }
}

/** Writes one run as it goes. */
export class RunWriter {
  readonly #database: DatabaseSync;
  readonly #lock: RunLock;
  readonly #number: number | bigint;
  readonly id: RunId;
  #seq = 0;
  #written: RunProgress = { fraction: 0, step: "" };

  /** Made by {@link RunStore.begin}. */
  constructor(database: DatabaseSync, head: RunHead, lock: RunLock) {
    this.#database = database;
    this.#lock = lock;
    this.id = head.id;
    this.#number = database.prepare(`
      INSERT INTO runs (id, scenario, title, parameters, seed, profile, version, startedMs, status, fraction, step)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, '')`).run(
      head.id,
      head.scenario,
      head.title,
      JSON.stringify(head.parameters),
      head.seed,
      head.profile,
      head.version,
      head.startedMs,
    ).lastInsertRowid;
    this.append({ kind: "started", head });
  }

  /** Writes one event; returns its number in the run (that of the event before for progress, which has none). */
  append(event: RunEvent): number {
    if (event.kind === "progress") {
      this.#writeProgress(event.progress);
      return this.#seq;
    }
    this.#database.prepare("INSERT INTO events (run, seq, body) VALUES (?, ?, ?)")
      .run(this.#number, ++this.#seq, JSON.stringify(event));
    if (event.kind === "ended") {
      const { status, finishedMs, traceHash, error } = event.end;
      this.#database.prepare(`
        UPDATE runs SET status = ?1, finishedMs = ?2, traceHash = ?3, error = ?4,
          fraction = iif(?1 = 'complete', 1, fraction), step = iif(?1 = 'complete', '', step)
        WHERE number = ?5`).run(status, finishedMs, traceHash, error, this.#number);
      this.#lock.release();
    }
    return this.#seq;
  }

  #writeProgress(progress: RunProgress): void {
    const { fraction, step } = this.#written;
    if (step === progress.step && Math.abs(progress.fraction - fraction) < PROGRESS_STEP) return;
    this.#written = progress;
    this.#database.prepare("UPDATE runs SET fraction = ?, step = ? WHERE number = ?")
      .run(progress.fraction, progress.step, this.#number);
  }
}

/** A fresh id. Ids are for people and files; nothing that is hashed contains one. */
export function newRunId(): RunId {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") as RunId;
}

function summaryOf(row: Record<string, SQLOutputValue>): RunSummary {
  return {
    id: String(row.id) as RunId,
    scenario: String(row.scenario),
    title: String(row.title),
    parameters: JSON.parse(String(row.parameters)),
    seed: Number(row.seed),
    profile: String(row.profile),
    version: String(row.version),
    startedMs: Number(row.startedMs),
    status: String(row.status) as RunStatus,
    finishedMs: row.finishedMs === null ? null : Number(row.finishedMs),
    progress: { fraction: Number(row.fraction), step: String(row.step) },
    traceHash: row.traceHash === null ? null : String(row.traceHash),
    error: row.error === null ? null : String(row.error),
  };
}
