/**
 * File descriptors: what programs read, write and wait for, whatever is behind it. Pipes, sockets and files are kinds
 * ({@link FileKind}); each process has a table of descriptors, and forked processes share open files.
 */

import { ERRNO } from "./errno.ts";
import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "./action.ts";
import type { Kernel } from "./kernel.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "./module.ts";
import type { Process } from "./process.ts";

/** An open file: plain data. */
export interface OpenFile {
  readonly id: number;
  /** The {@link FileKind} that handles it. */
  readonly kind: string;
  /** The kind's own number for what is behind it. */
  readonly object: number;
  /** Descriptors that name it. */
  references: number;
  /** Where the next read or write begins, for kinds that have places. */
  position: number;
}

/** What {@link FileKind.poll} says. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** What is behind a descriptor. */
export interface FileKind {
  readonly name: string;
  /** Up to `args.bytes` bytes; returns how many. */
  read(context: CallContext, file: OpenFile, args: Arguments): Outcome;
  /** `args.bytes` bytes; returns how many. */
  write(context: CallContext, file: OpenFile, args: Arguments): Outcome;
  /** The last descriptor is gone. */
  close(kernel: Kernel, file: OpenFile): void;
  /** Whether reading or writing would sleep; a kind without it is always ready. */
  poll?(file: OpenFile): Readiness;
  /** Wait queues that are woken when readiness may have changed. */
  queues?(file: OpenFile): readonly string[];
}

/** Cycles of the kernel's own instructions. */
const WORK = { find: 40, select: 220, selectEach: 125, close: 300, dup: 120 };
/** Descriptors that a process may have (`NR_OPEN` of 2.4). */
const MOST = 1024;

/** See the module comment. */
export class Descriptors implements KernelModule {
  readonly name = "descriptors";
  readonly calls = {
    /** `{ fd, bytes }`. */
    read: (context: CallContext, args: Arguments) => this.#transfer(context, args, "read"),
    /** `{ fd, bytes }`. */
    write: (context: CallContext, args: Arguments) => this.#transfer(context, args, "write"),
    /** `{ fd }`. */
    close: (context: CallContext, args: Arguments) => this.#close(context, args),
    /** `{ fd }`: another descriptor of the same open file. */
    dup: (context: CallContext, args: Arguments) => this.#dup(context, args),
    /** `{ read: fd[], write?: fd[], cycles? }`: sleeps until one is ready; returns those that are. */
    select: (context: CallContext, args: Arguments) => this.#select(context, args),
  };
  readonly #kinds = new Map<string, FileKind>();
  readonly #open = new Map<number, OpenFile>();
  /** By pid of who owns the table: descriptor to open file, 0 where there is none. */
  readonly #tables = new Map<number, number[]>();
  #nextId = 1;

  constructor(private readonly kernel: Kernel) {}

  /** Makes a kind known; throws `RangeError` if its name is taken. */
  addKind(kind: FileKind): void {
    if (this.#kinds.has(kind.name)) throw new RangeError(`there is a file kind ${kind.name}`);
    this.#kinds.set(kind.name, kind);
  }

  /** Opens what `kind` calls `object`; returns the lowest free descriptor of `process`, or `EMFILE`. */
  open(process: Process, kind: string, object: number): number {
    const file: OpenFile = { id: this.#nextId++, kind, object, references: 0, position: 0 };
    const fd = this.#place(process, file);
    if (fd >= 0) this.#open.set(file.id, file);
    return fd;
  }

  /** What a descriptor of `process` names, or null. */
  get(process: Process, fd: number): OpenFile | null {
    return this.#open.get(this.#tables.get(process.memory)?.[fd] ?? 0) ?? null;
  }

  forked(parent: Process, child: Process): void {
    if (parent.memory === child.memory) return;
    const table = this.#tables.get(parent.memory);
    if (!table) return;
    this.#tables.set(child.pid, [...table]);
    for (const id of table) if (id > 0) this.#open.get(id)!.references++;
  }

  exited(process: Process): void {
    if (process.memory !== process.pid) return;
    const table = this.#tables.get(process.pid) ?? [];
    this.#tables.delete(process.pid);
    for (const id of table) if (id > 0) this.#release(id);
  }

  save(): SnapshotRecord {
    return {
      kind: "descriptors",
      version: 1,
      state: {
        nextId: this.#nextId,
        open: copyOfValue([...this.#open.values()] as unknown as SnapshotValue),
        tables: [...this.#tables].map(([pid, files]) => ({ pid, files: [...files] })),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "descriptors", 1);
    this.#nextId = state.nextId as number;
    this.#open.clear();
    for (const file of copyOfValue(state.open) as unknown as OpenFile[]) {
      this.#open.set(file.id, file);
    }
    this.#tables.clear();
    for (const { pid, files } of state.tables as unknown as { pid: number; files: number[] }[]) {
      this.#tables.set(pid, [...files]);
    }
  }

  #transfer(context: CallContext, args: Arguments, how: "read" | "write"): Outcome {
    const file = this.get(context.process, Number(args.fd));
    if (!file) return ERRNO.EBADF;
    if (context.entries === 0) this.#find();
    return this.#kinds.get(file.kind)![how](context, file, args);
  }

  #close({ process }: CallContext, { fd }: Arguments): Outcome {
    this.kernel.work(WORK.close);
    this.kernel.charge("locked", 2);
    const table = this.#tables.get(process.memory);
    const id = table?.[Number(fd)] ?? 0;
    if (!table || id === 0) return ERRNO.EBADF;
    table[Number(fd)] = 0;
    this.#release(id);
    return 0;
  }

  #dup({ process }: CallContext, { fd }: Arguments): Outcome {
    this.kernel.work(WORK.dup);
    const file = this.get(process, Number(fd));
    return file ? this.#place(process, file) : ERRNO.EBADF;
  }

  #select(context: CallContext, args: Arguments): Outcome {
    const { kernel, process, entries, timedOut } = context;
    const read = args.read as readonly number[] ?? [];
    const write = args.write as readonly number[] ?? [];
    kernel.work(WORK.select);
    kernel.charge("userCopies", 2);
    kernel.charge("copiedBytes", (read.length + write.length) / 4);
    const ready = [
      ...read.filter((fd) => this.#isReady(process, fd, "readable")),
      ...write.filter((fd) => this.#isReady(process, fd, "writable")),
    ];
    if (ready.length > 0) return ready;
    const cycles = args.cycles as number | undefined;
    if ((entries > 0 && timedOut) || cycles === 0) return ready;
    if (entries === 0 && cycles !== undefined) context.state.until = kernel.now + cycles;
    for (const fd of [...read, ...write]) {
      const file = this.get(process, fd);
      const queues = file ? this.#kinds.get(file.kind)!.queues?.(file) ?? [] : [];
      for (const queue of queues) kernel.sleepOn(process, queue);
    }
    kernel.sleepUntil(process, context.state.until as number ?? Infinity);
    return BLOCKED;
  }

  #isReady(process: Process, fd: number, what: keyof Readiness): boolean {
    const { kernel } = this;
    kernel.work(WORK.selectEach);
    kernel.charge("calls", 3);
    kernel.charge("locked", 2);
    const file = this.get(process, fd);
    return !file || (this.#kinds.get(file.kind)!.poll?.(file)[what] ?? true);
  }

  #find(): void {
    this.kernel.work(WORK.find);
    this.kernel.charge("calls", 2);
    this.kernel.charge("locked", 2);
  }

  #place(process: Process, file: OpenFile): number {
    let table = this.#tables.get(process.memory);
    if (!table) this.#tables.set(process.memory, table = []);
    let fd = table.indexOf(0);
    if (fd < 0) fd = table.length;
    if (fd >= MOST) return ERRNO.EMFILE;
    table[fd] = file.id;
    file.references++;
    return fd;
  }

  #release(id: number): void {
    const file = this.#open.get(id)!;
    if (--file.references > 0) return;
    this.#open.delete(id);
    this.#kinds.get(file.kind)!.close(this.kernel, file);
  }
}
