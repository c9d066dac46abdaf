/**
 * System V's shared memory and semaphores, by name.
 *
 * A segment is plain data that every process sees ({@link StepContext.segments}); a semaphore makes processes wait. Who
 * waits longest has its operation done for it as soon as it can be, as Linux does: nobody gets in between.
 */

import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments, Locals } from "../kernel/action.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Process } from "../kernel/process.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "../kernel/module.ts";

/** Cycles of the kernel's own instructions. */
const WORK = { operation: 900, attach: 4000 };

/** A value, and whose operations wait for it to rise. */
interface Semaphore {
  value: number;
  waiting: { readonly pid: number; readonly by: number }[];
}

/** See the module comment. */
export class SharedMemory implements KernelModule {
  readonly name = "shared memory";
  readonly calls = {
    /** `{ name, contents }`: makes a segment if there is none of that name. */
    shmget: (context: CallContext, args: Arguments) => this.#attach(context, args),
    /** `{ name, by, first? }`: adds to a semaphore, that begins as `first` (default 1); never lets it go below 0. */
    semop: (context: CallContext, args: Arguments) => this.#operate(context, args),
  };
  readonly #semaphores = new Map<string, Semaphore>();

  constructor(private readonly kernel: Kernel) {}

  exited({ pid }: Process): void {
    for (const semaphore of this.#semaphores.values()) {
      semaphore.waiting = semaphore.waiting.filter((each) => each.pid !== pid);
    }
  }

  save(): SnapshotRecord {
    const segments = [...this.kernel.segments].map(([name, contents]) => ({
      name,
      contents: copyOfValue(contents),
    }));
    const semaphores = copyOfValue(
      [...this.#semaphores].map(([name, { value, waiting }]) => ({
        name,
        value,
        waiting,
      })) as unknown as SnapshotValue,
    );
    return { kind: "shared memory", version: 1, state: { segments, semaphores } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "shared memory", 1);
    this.kernel.segments.clear();
    for (const { name, contents } of state.segments as { name: string; contents: Locals }[]) {
      this.kernel.segments.set(name, copyOfValue(contents) as Locals);
    }
    this.#semaphores.clear();
    const semaphores = copyOfValue(state.semaphores) as unknown as ({ name: string } & Semaphore)[];
    for (const { name, value, waiting } of semaphores) {
      this.#semaphores.set(name, { value, waiting });
    }
  }

  #attach({ kernel }: CallContext, { name, contents }: Arguments): Outcome {
    kernel.work(WORK.attach);
    const key = String(name);
    if (!kernel.segments.has(key)) {
      kernel.segments.set(key, copyOfValue((contents ?? {}) as SnapshotValue) as Locals);
    }
    return 0;
  }

  #operate({ kernel, process, entries }: CallContext, { name, by, first }: Arguments): Outcome {
    // It was woken because its operation has been done.
    if (entries > 0) return 0;
    kernel.work(WORK.operation);
    kernel.charge("calls", 4);
    kernel.charge("locked", 3);
    kernel.charge("userCopies");
    const key = String(name);
    let semaphore = this.#semaphores.get(key);
    if (!semaphore) {
      this.#semaphores.set(key, semaphore = { value: Number(first ?? 1), waiting: [] });
    }
    if (semaphore.value + Number(by) < 0) {
      semaphore.waiting.push({ pid: process.pid, by: Number(by) });
      kernel.sleepOn(process, semaphoreQueue(process.pid));
      return BLOCKED;
    }
    semaphore.value += Number(by);
    this.#serve(semaphore);
    return 0;
  }

  /** Does the operations that wait, oldest first, as far as the value goes. */
  #serve(semaphore: Semaphore): void {
    for (;;) {
      const [next] = semaphore.waiting;
      if (!next || semaphore.value + next.by < 0) return;
      semaphore.waiting.shift();
      semaphore.value += next.by;
      this.kernel.wakeQueue(semaphoreQueue(next.pid));
    }
  }
}

function semaphoreQueue(pid: number): string {
  return `semaphore of ${pid}`;
}
