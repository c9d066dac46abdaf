/**
 * The disk of a system that runs on another one, as VMware Workstation's and user-mode Linux's: a file of the host, opened
 * for synchronous writing.
 *
 * It has no cost of its own. The host is a file system like the guest's, on the real disk, and each command is a system
 * call there: its pages, its journal, its waits. Commands are carried out one after the other, by one host process.
 */

import type { Clock } from "../../core/clock/clock.ts";
import type { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import {
  copyOfValue,
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import { SECTOR_BYTES } from "../../devices/disk/mod.ts";
import {
  type ControllerModel,
  type DiskCommand,
  type DiskModel,
  RaidController,
} from "../../devices/scsi/mod.ts";
import {
  type DiskPort,
  type FileMeter,
  type FileResult,
  FileSystem,
  type FileWork,
  GROUP_BLOCKS,
} from "../../guests/model/vfs/mod.ts";

/** What a hosted disk is made of. */
export interface HostedDiskOptions {
  readonly clock: Clock;
  readonly costs: CostTable;
  /** Names the real disk's timers. */
  readonly name: string;
  readonly model: DiskModel;
  readonly controller: ControllerModel;
  /** Size of the virtual disk, in blocks of 4 KiB. */
  readonly blocks: number;
  /** Pages that the host's cache may hold. */
  readonly hostPages: number;
  /** The monitor's only process makes the host's calls itself: told when the guest stops, and when it goes on. */
  readonly stall?: (stalled: boolean) => void;
  /** A command is done. */
  readonly completed: (tag: number) => void;
}

/** See the module comment. */
export class HostedDisk implements DiskPort, FileMeter, Snapshot {
  /** The real disk. */
  readonly disk: RaidController;
  readonly #fs: FileSystem;
  readonly #file: number;
  readonly #options: HostedDiskOptions;
  #queue: DiskCommand[] = [];
  /** The wait queue of the host that the present command's call sleeps on. */
  #waitsFor: string | null = null;
  /** The present command's data are in the host's cache. */
  #isWritten = false;
  #cycles = 0;

  constructor(options: HostedDiskOptions) {
    const { clock, name, model, controller, blocks, hostPages } = options;
    this.#options = options;
    this.disk = new RaidController({
      clock,
      name,
      model,
      controller,
      completed: ({ tag }) => this.#diskDone(tag),
    });
    const { disk } = this;
    this.#fs = new FileSystem({
      driver: {
        get room() {
          return disk.room;
        },
        start: ({ id, sector, count, write }) => disk.submit({ tag: id, sector, count, write }),
      },
      blocks: blocks + 4 * GROUP_BLOCKS,
      cachePages: hostPages,
      wake: (queue) => {
        if (queue === this.#waitsFor) this.#waitsFor = null;
      },
    });
    this.#file = this.#fs.place("virtual.disk", blocks * 4096, false);
  }

  /** The one process has one call at a time; what it has not come to waits in a pipe. */
  get room(): number {
    return Math.max(0, 32 - this.#queue.length);
  }

  submit(command: DiskCommand): void {
    this.#queue.push(command);
    if (this.#queue.length > 1) return;
    this.#options.stall?.(true);
    this.#begin();
  }

  takeHostCycles(): number {
    const cycles = this.#cycles;
    this.#cycles = 0;
    return cycles;
  }

  work(kind: FileWork, count = 1): void {
    this.#cycles += this.#options.costs.each(kind) * count;
  }

  save(): SnapshotRecord {
    const state = {
      disk: { ...this.disk.save() },
      // Its parts give what they hold.
      fs: copyOfValue(this.#fs.save() as unknown as SnapshotValue),
      queue: this.#queue.map((command) => ({ ...command })),
      waitsFor: this.#waitsFor,
      isWritten: this.#isWritten,
      cycles: this.#cycles,
    };
    return { kind: "hostedDisk", version: 1, state };
  }

  /** The clock is restored by its own record, and so is whether the guest is stalled. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "hostedDisk", 1);
    this.disk.restore(state.disk as unknown as SnapshotRecord);
    this.#fs.restore(copyOfValue(state.fs) as unknown as ReturnType<FileSystem["save"]>);
    this.#queue = (state.queue as unknown as DiskCommand[]).map((command) => ({ ...command }));
    this.#waitsFor = state.waitsFor as string | null;
    this.#isWritten = state.isWritten as boolean;
    this.#cycles = state.cycles as number;
  }

  /** The process is switched to, and makes its call. */
  #begin(): void {
    const { costs } = this.#options;
    const [{ count }] = this.#queue;
    const bytes = count * SECTOR_BYTES;
    this.#cycles += 2 * (costs.each("processSwitch") + costs.each("spaceFlush"));
    this.#cycles += costs.each("systemCall") + costs.each("userCopy");
    this.#cycles += bytes * costs.each("copiedKernelByte") + bytes / 64 * costs.each("lineRefill");
    this.#isWritten = false;
    this.#proceed();
  }

  /** As far as the present call gets; commands that need not wait follow each other. */
  #proceed(): void {
    while (this.#queue.length > 0 && this.#waitsFor === null) {
      const [command] = this.#queue;
      const result = this.#call(command);
      if (typeof result !== "number") {
        this.#waitsFor = result.queue;
        return;
      }
      this.#queue.shift();
      const isLast = this.#queue.length === 0;
      if (isLast) this.#options.stall?.(false);
      this.#options.completed(command.tag);
      if (!isLast) return this.#begin();
    }
  }

  #call({ sector, count, write }: DiskCommand): FileResult {
    const [offset, bytes] = [sector * SECTOR_BYTES, count * SECTOR_BYTES];
    if (!write) return this.#fs.read(this.#file, offset, bytes, this);
    if (!this.#isWritten) {
      const { clock } = this.#options;
      const written = this.#fs.write(this.#file, offset, bytes, clock.now, this);
      if (typeof written !== "number" || written < 0) return written;
      this.#isWritten = true;
    }
    return this.#fs.sync(this.#file, this);
  }

  #diskDone(tag: number): void {
    const { costs } = this.#options;
    this.#cycles += costs.each("interrupt");
    this.#fs.complete(tag, this);
    this.#proceed();
  }
}
