/**
 * How a process tells others that its run goes on: it holds the lock of a file beside the store.
 *
 * The operating system lets go of the lock when the process ends, in whatever way; so a run whose lock is free and
 * that never ended is one whose process was killed. No clock and no process table is involved.
 */

import type { RunId } from "./run_record.ts";

/** The lock of one run. */
export class RunLock {
  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  /** Takes the lock of a new run of the store at `storePath`. */
  static take(storePath: string, id: RunId): RunLock {
    const path = lockPath(storePath, id);
    const file = Deno.openSync(path, { write: true, create: true });
    file.lockSync(true);
    return new RunLock(path, file);
  }

  /** Lets go, and removes the file. */
  release(): void {
    this.file.close();
    removeIfThere(this.path);
  }
}

/** Whether some process holds the run's lock; removes what a killed one left. */
export function isHeld(storePath: string, id: RunId): boolean {
  const path = lockPath(storePath, id);
  let opened: Deno.FsFile;
  try {
    opened = Deno.openSync(path, { write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  using file = opened;
  if (!file.tryLockSync(true)) return true;
  removeIfThere(path);
  return false;
}

function lockPath(storePath: string, id: RunId): string {
  return `${storePath}-${id}.lock`;
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
