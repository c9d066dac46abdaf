/**
 * System V's shared memory and semaphores, by name.
 *
 * A segment is plain data that every process sees ({@link StepContext.segments}); a semaphore makes processes wait.
 */

import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments, Locals } from "../kernel/action.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "../kernel/module.ts";

/** Cycles of the kernel's own instructions. */
const WORK = { operation: 900, attach: 4000 };

/** See the module comment. */
export class SharedMemory implements KernelModule {
  readonly name = "shared memory";
  readonly calls = {
    /** `{ name, contents }`: makes a segment if there is none of that name. */
    shmget: (context: CallContext, args: Arguments) => this.#attach(context, args),
    /** `{ name, by, first? }`: adds to a semaphore, that begins as `first` (default 1); never lets it go below 0. */
    semop: (context: CallContext, args: Arguments) => this.#operate(context, args),
  };
  readonly #semaphores = new Map<string, number>();

  constructor(private readonly kernel: Kernel) {}

  save(): SnapshotRecord {
    const segments = [...this.kernel.segments].map(([name, contents]) => ({
      name,
      contents: copyOfValue(contents),
    }));
    const semaphores = [...this.#semaphores].map(([name, value]) => ({ name, value }));
    return { kind: "shared memory", version: 1, state: { segments, semaphores } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "shared memory", 1);
    this.kernel.segments.clear();
    for (const { name, contents } of state.segments as { name: string; contents: Locals }[]) {
      this.kernel.segments.set(name, copyOfValue(contents) as Locals);
    }
    this.#semaphores.clear();
    for (const { name, value } of state.semaphores as { name: string; value: number }[]) {
      this.#semaphores.set(name, value);
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

  #operate({ kernel, process }: CallContext, { name, by, first }: Arguments): Outcome {
    kernel.work(WORK.operation);
    kernel.charge("calls", 4);
    kernel.charge("locked", 3);
    kernel.charge("userCopies");
    const key = String(name);
    const value = (this.#semaphores.get(key) ?? Number(first ?? 1)) + Number(by);
    if (value < 0) {
      kernel.sleepOn(process, semaphoreQueue(key));
      return BLOCKED;
    }
    this.#semaphores.set(key, value);
    if (Number(by) > 0) kernel.wakeQueue(semaphoreQueue(key), Number(by));
    return 0;
  }
}

function semaphoreQueue(name: string): string {
  return `semaphore ${name}`;
}
