/** Pipes: a page between two ends, and who waits at either of them (`fs/pipe.c` of Linux 2.4). */

import { ERRNO } from "../kernel/errno.ts";
import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import type { Descriptors, FileKind, OpenFile, Readiness } from "../kernel/descriptors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "../kernel/module.ts";

/** What a pipe holds (`PIPE_BUF`). */
const CAPACITY_BYTES = 4096;
/** Cycles of the kernel's own instructions. */
const WORK = { make: 1500, transfer: 260, sleep: 180 };

interface Pipe {
  readonly id: number;
  bytes: number;
  /** Open ends. */
  readers: number;
  writers: number;
  /** Wait queues. */
  readonly filled: string;
  readonly emptied: string;
}

/** See the module comment. */
export class Pipes implements KernelModule {
  readonly name = "pipes";
  readonly calls = {
    /** Returns the descriptors of its two ends: `[read, write]`. */
    pipe: (context: CallContext) => this.#make(context),
  };
  readonly #pipes = new Map<number, Pipe>();
  #nextId = 1;

  constructor(private readonly kernel: Kernel, private readonly descriptors: Descriptors) {
    descriptors.addKind(this.#end("pipe.read"));
    descriptors.addKind(this.#end("pipe.write"));
  }

  save(): SnapshotRecord {
    const pipes = copyOfValue([...this.#pipes.values()] as unknown as SnapshotValue);
    return { kind: "pipes", version: 1, state: { nextId: this.#nextId, pipes } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pipes", 1);
    this.#nextId = state.nextId as number;
    this.#pipes.clear();
    for (const pipe of copyOfValue(state.pipes) as unknown as Pipe[]) {
      this.#pipes.set(pipe.id, pipe);
    }
  }

  #make({ kernel, process }: CallContext): Outcome {
    kernel.work(WORK.make);
    kernel.charge("clearedPages");
    const id = this.#nextId++;
    const [filled, emptied] = [`pipe ${id} filled`, `pipe ${id} emptied`];
    this.#pipes.set(id, { id, bytes: 0, readers: 1, writers: 1, filled, emptied });
    return [
      this.descriptors.open(process, "pipe.read", id),
      this.descriptors.open(process, "pipe.write", id),
    ];
  }

  #end(name: "pipe.read" | "pipe.write"): FileKind {
    const reads = name === "pipe.read";
    return {
      name,
      read: (context, file, args) => reads ? this.#read(context, file, args) : ERRNO.EBADF,
      write: (context, file, args) => reads ? ERRNO.EBADF : this.#write(context, file, args),
      close: (_kernel, file) => this.#close(file, reads),
      poll: (file) => this.#poll(file),
      queues: (file) => {
        const { filled, emptied } = this.#pipes.get(file.object)!;
        return reads ? [filled] : [emptied];
      },
    };
  }

  #read({ kernel, process }: CallContext, { object }: OpenFile, { bytes }: Arguments): Outcome {
    const pipe = this.#pipes.get(object)!;
    if (pipe.bytes === 0) {
      if (pipe.writers === 0) return 0;
      kernel.work(WORK.sleep);
      kernel.charge("locked", 2);
      kernel.sleepOn(process, pipe.filled);
      return BLOCKED;
    }
    const count = Math.min(Number(bytes), pipe.bytes);
    this.#moved(count);
    pipe.bytes -= count;
    kernel.wakeQueue(pipe.emptied, Infinity, true);
    return count;
  }

  #write(context: CallContext, { object }: OpenFile, { bytes }: Arguments): Outcome {
    const { kernel, process, state } = context;
    const pipe = this.#pipes.get(object)!;
    if (pipe.readers === 0) return ERRNO.EPIPE;
    const done = state.done as number ?? 0;
    const count = Math.min(Number(bytes) - done, CAPACITY_BYTES - pipe.bytes);
    if (count > 0) {
      this.#moved(count);
      pipe.bytes += count;
      kernel.wakeQueue(pipe.filled, Infinity, true);
    }
    if (done + count === Number(bytes)) return done + count;
    state.done = done + count;
    kernel.charge("locked", 2);
    kernel.sleepOn(process, pipe.emptied);
    return BLOCKED;
  }

  #moved(bytes: number): void {
    const { kernel } = this;
    kernel.work(WORK.transfer);
    kernel.charge("calls", 4);
    kernel.charge("locked", 3);
    kernel.charge("userCopies");
    kernel.charge("copiedBytes", bytes);
  }

  #close({ object }: OpenFile, reads: boolean): void {
    const pipe = this.#pipes.get(object)!;
    if (reads) pipe.readers--;
    else pipe.writers--;
    this.kernel.wakeQueue(pipe.filled);
    this.kernel.wakeQueue(pipe.emptied);
    if (pipe.readers + pipe.writers === 0) this.#pipes.delete(object);
  }

  #poll({ object }: OpenFile): Readiness {
    const { bytes, readers, writers } = this.#pipes.get(object)!;
    return {
      readable: bytes > 0 || writers === 0,
      writable: bytes < CAPACITY_BYTES || readers === 0,
    };
  }
}
