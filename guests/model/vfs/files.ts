/**
 * Files as a module of a modelled kernel: system calls on paths and descriptors, the interrupt of the disk, and what is
 * written back in the background.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import type { Descriptors, FileKind, OpenFile } from "../kernel/descriptors.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import {
  AGAIN,
  BLOCKED,
  type CallContext,
  type KernelModule,
  type Outcome,
} from "../kernel/module.ts";
import type { BlockDriver } from "./block_layer.ts";
import { KernelMeter } from "./file_costs.ts";
import { type FileResult, FileSystem, type FileSystemOptions } from "./file_system.ts";
import { WRITE_BACK_MS } from "./limits.ts";

/** A disk's driver as a kernel has it: besides taking requests, it says which are done. */
export interface DiskDriver extends BlockDriver {
  /** The line that it raises when requests are done. */
  readonly line: string;
  /** Requests that are done and were not asked for before, oldest first; called in the interrupt. */
  takeDone(): readonly number[];
  save(): SnapshotRecord;
  restore(record: SnapshotRecord): void;
}

/** What files are kept on. */
export interface FilesOptions
  extends Pick<FileSystemOptions, "firstSector" | "blocks" | "cachePages"> {
  readonly driver: DiskDriver;
}

/** Cycles of the kernel's own instructions besides the file system's. */
const WORK = { stat: 700, seek: 110, entry: 150, path: 160 };
/** A buffer for a path is taken, and given back. */
const NAME_MASKINGS = 2;
/** Bytes that a `stat` copies. */
const STAT_BYTES = 88;
const TIMERS = { old: "files: old pages", commit: "files: commit", dirty: "files: dirty pages" };
/** A line of the processor's caches. */
const LINE_BYTES = 64;
/** What is transferred before others get in between. */
const PART_BYTES = 65_536;
/** Pages that are written back in the background at a time. */
const BATCH_PAGES = 64;

/** See the module comment. */
export class Files implements KernelModule {
  readonly name = "files";
  readonly fs: FileSystem;
  readonly meter: KernelMeter;
  readonly calls = {
    /** `{ path, create?, truncate?, append? }`: returns a descriptor. */
    open: (context: CallContext, args: Arguments) => this.#open(context, args),
    /** `{ path }`: returns the size in bytes. */
    stat: (context: CallContext, args: Arguments) => this.#stat(context, args),
    /** `{ path }`. */
    unlink: (_: CallContext, args: Arguments) =>
      this.#path(args, (path) => this.fs.unlink(path, this.meter)),
    /** `{ path }`. */
    mkdir: (_: CallContext, args: Arguments) =>
      this.#path(args, (path) => {
        const inode = this.fs.create(path, "directory", this.meter);
        return inode < 0 ? inode : 0;
      }),
    /** `{ path, to }`. */
    rename: (_: CallContext, args: Arguments) =>
      this.#path(args, (path) => this.fs.rename(path, String(args.to), this.meter)),
    /** `{ path }`: returns how many names the directory has. */
    readdir: (_: CallContext, args: Arguments) => this.#path(args, (path) => this.#list(path)),
    /** `{ fd, position }`. */
    lseek: (context: CallContext, args: Arguments) => this.#seek(context, args),
    /** `{ fd }`: comes back when the file is on the disk. */
    fsync: (context: CallContext, args: Arguments) => this.#sync(context, args),
    /** `{ fd, bytes }`: cuts the file. */
    ftruncate: (context: CallContext, args: Arguments) => this.#truncate(context, args),
  };
  readonly interrupts: KernelModule["interrupts"];
  readonly timers = {
    [TIMERS.old]: () => this.#writeOld(),
    [TIMERS.commit]: () => this.#commit(),
    [TIMERS.dirty]: () => this.#writeDirty(),
  };
  readonly #driver: DiskDriver;
  #dirtyTimerSet = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly descriptors: Descriptors,
    { driver, ...options }: FilesOptions,
  ) {
    this.#driver = driver;
    this.meter = new KernelMeter(kernel);
    const wake = (queue: string) => void kernel.wakeQueue(queue);
    this.fs = new FileSystem({ ...options, driver, wake });
    this.interrupts = { [driver.line]: () => this.#diskInterrupt() };
    descriptors.addKind(this.#kind());
    this.#setTimer(TIMERS.old, WRITE_BACK_MS.interval);
    this.#setTimer(TIMERS.commit, WRITE_BACK_MS.commit);
  }

  save(): SnapshotRecord {
    const state = {
      fs: this.fs.save(),
      driver: this.#driver.save(),
      dirtyTimerSet: this.#dirtyTimerSet,
    };
    return { kind: "files", version: 1, state: state as unknown as SnapshotRecord["state"] };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "files", 1) as unknown as {
      fs: ReturnType<FileSystem["save"]>;
      driver: SnapshotRecord;
      dirtyTimerSet: boolean;
    };
    this.fs.restore(state.fs);
    this.#driver.restore(state.driver);
    this.#dirtyTimerSet = state.dirtyTimerSet;
  }

  get #now(): number {
    return this.kernel.now;
  }

  #open({ process }: CallContext, args: Arguments): Outcome {
    return this.#path(args, (path) => {
      let inode = this.fs.lookup(path, this.meter);
      if (inode === ERRNO.ENOENT && args.create === true) {
        inode = this.fs.create(path, "file", this.meter);
      } else if (inode >= 0 && args.truncate === true) {
        this.fs.truncate(inode, 0, this.meter);
      }
      if (inode < 0) return inode;
      const fd = this.descriptors.open(process, "file", inode);
      if (fd < 0) return fd;
      this.fs.open(inode, this.meter);
      if (args.append === true) {
        this.descriptors.get(process, fd)!.position = this.fs.inodes.get(inode)!.sizeBytes;
      }
      return fd;
    });
  }

  #stat(_: CallContext, args: Arguments): Outcome {
    return this.#path(args, (path) => {
      const inode = this.fs.lookup(path, this.meter);
      this.kernel.work(WORK.stat);
      if (inode < 0) return inode;
      this.#copied(STAT_BYTES);
      return this.fs.inodes.get(inode)!.sizeBytes;
    });
  }

  #list(path: string): number {
    const inode = this.fs.lookup(path, this.meter);
    if (inode < 0) return inode;
    if (this.fs.inodes.get(inode)!.kind !== "directory") return ERRNO.ENOTDIR;
    const count = this.fs.inodes.entries(inode).size;
    this.kernel.work(WORK.entry * count);
    this.#copied(count * 20);
    return count;
  }

  #seek({ process }: CallContext, { fd, position }: Arguments): Outcome {
    this.kernel.work(WORK.seek);
    const file = this.#file(process, fd);
    if (!file) return ERRNO.EBADF;
    return file.position = Number(position);
  }

  #sync(context: CallContext, { fd }: Arguments): Outcome {
    const file = this.#file(context.process, fd);
    if (!file) return ERRNO.EBADF;
    if (context.entries === 0) this.kernel.work(WORK.seek);
    return this.#outcome(context, this.fs.sync(file.object, this.meter));
  }

  #truncate({ process }: CallContext, { fd, bytes }: Arguments): Outcome {
    const file = this.#file(process, fd);
    if (!file) return ERRNO.EBADF;
    this.fs.truncate(file.object, Number(bytes), this.meter);
    return 0;
  }

  #kind(): FileKind {
    return {
      name: "file",
      read: (context, file, args) => this.#transfer(context, file, args, "read"),
      write: (context, file, args) => this.#transfer(context, file, args, "write"),
      close: (_, { object }) => this.fs.close(object, this.meter),
    };
  }

  #transfer(
    context: CallContext,
    file: OpenFile,
    { bytes }: Arguments,
    how: "read" | "write",
  ): Outcome {
    const { object, position } = file;
    const done = context.state.done as number ?? 0;
    const part = Math.min(Number(bytes) - done, PART_BYTES);
    const result = how === "read"
      ? this.fs.read(object, position, part, this.meter)
      : this.fs.write(object, position, part, this.#now, this.meter);
    if (typeof result !== "number") return this.#outcome(context, result);
    if (result < 0) return done > 0 ? done : result;
    file.position += result;
    if (result > 0) this.#copiedPages(result);
    if (how === "write") this.#watchDirty();
    context.state.done = done + result;
    return result < part || done + result === Number(bytes) ? done + result : AGAIN;
  }

  /** The figure, or a sleep after which the call is made again. */
  #outcome({ kernel, process }: CallContext, result: FileResult): Outcome {
    if (typeof result === "number") return result;
    kernel.sleepOn(process, result.queue);
    return BLOCKED;
  }

  #path({ path }: Arguments, operation: (path: string) => number): number {
    this.kernel.work(WORK.path);
    this.kernel.charge("maskings", NAME_MASKINGS);
    this.#copied(String(path).length);
    return operation(String(path));
  }

  /** Between a process and the page cache, which is larger than any processor's. */
  #copiedPages(bytes: number): void {
    this.#copied(bytes);
    this.kernel.charge("lineRefills", Math.ceil(bytes / LINE_BYTES));
  }

  #copied(bytes: number): void {
    this.kernel.charge("userCopies");
    this.kernel.charge("copiedBytes", bytes);
  }

  #file(process: CallContext["process"], fd: unknown): OpenFile | null {
    const file = this.descriptors.get(process, Number(fd));
    return file?.kind === "file" ? file : null;
  }

  #diskInterrupt(): void {
    for (const id of this.#driver.takeDone()) this.fs.complete(id, this.meter);
  }

  #writeOld(): void {
    const age = WRITE_BACK_MS.age / 1000 * this.kernel.frequencyHz;
    this.fs.data.writeBack(this.#now - age, this.meter, BATCH_PAGES * 16);
    if (this.fs.journal.writeBack(BATCH_PAGES, this.meter) > 0) this.fs.layer.unplug(this.meter);
    this.#setTimer(TIMERS.old, WRITE_BACK_MS.interval);
  }

  #commit(): void {
    this.fs.journal.tick(this.meter);
    this.#setTimer(TIMERS.commit, WRITE_BACK_MS.commit);
  }

  /** Much is dirty: from the next tick on it is written in the background. */
  #watchDirty(): void {
    if (this.#dirtyTimerSet || this.fs.data.dirtyLevel() === "low") return;
    this.#dirtyTimerSet = true;
    this.#setTimer(TIMERS.dirty, 0);
  }

  #writeDirty(): void {
    this.#dirtyTimerSet = false;
    if (this.fs.layer.outstanding < 4 * BATCH_PAGES) {
      this.fs.data.writeBack(this.#now, this.meter, BATCH_PAGES);
    }
    this.#watchDirty();
  }

  #setTimer(name: string, delayMs: number): void {
    const cycles = delayMs / 1000 * this.kernel.frequencyHz;
    this.kernel.setTimer(name, 0, this.#now + Math.max(1, cycles));
  }
}
