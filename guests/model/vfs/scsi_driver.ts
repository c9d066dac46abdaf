/** The driver of a SCSI disk: what a kernel on bare hardware has below its block layer. */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { DriverRequest } from "./block_layer.ts";
import type { DiskDriver } from "./files.ts";

/** The disk and its adapter. */
export interface DiskPort {
  /** How many commands it would take now. */
  readonly room: number;
  submit(
    command: {
      readonly tag: number;
      readonly sector: number;
      readonly count: number;
      readonly write: boolean;
    },
  ): void;
  /** Cycles of this CPU that a host system has spent on commands since it was asked last. */
  takeHostCycles?(): number;
}

/** Registers of the adapter: the doorbell of its mailbox; its interrupt's cause, and the acknowledgement. */
const ACCESSES = { command: 1, interrupt: 2 };
/** Cycles of the driver's own instructions: a command block filled, one taken apart. */
const WORK = { command: 2400, done: 1600 };

/** See the module comment. */
export class ScsiDriver implements DiskDriver {
  readonly line = "disk";
  #done: number[] = [];

  constructor(private readonly kernel: Kernel, private readonly port: DiskPort) {}

  get room(): number {
    return this.port.room;
  }

  start({ id, sector, count, write }: DriverRequest): void {
    this.kernel.work(WORK.command);
    this.kernel.charge("deviceAccess", ACCESSES.command);
    this.port.submit({ tag: id, sector, count, write });
  }

  takeDone(): readonly number[] {
    this.kernel.charge("deviceAccess", ACCESSES.interrupt);
    this.kernel.work(WORK.done * this.#done.length + (this.port.takeHostCycles?.() ?? 0));
    const done = this.#done;
    this.#done = [];
    return done;
  }

  save(): SnapshotRecord {
    return { kind: "scsi driver", version: 1, state: { done: [...this.#done] } };
  }

  /** What is on its way is the adapter's to restore. */
  restore(record: SnapshotRecord): void {
    this.#done = [...expectRecord(record, "scsi driver", 1).done as number[]];
  }

  /** Called by the adapter: a command is done. */
  completed(tag: number): void {
    this.#done.push(tag);
    this.kernel.interrupt(this.line);
  }
}
