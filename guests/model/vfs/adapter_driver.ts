/** The driver of a disk behind an adapter: what a kernel has below its block layer where there is no back end. */

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

/** What a driver does to an adapter's registers for a command, or in an interrupt. */
interface Accesses {
  /** Those by which something happens. */
  readonly acting: number;
  /** Those that only keep, or tell, a value. */
  readonly plain: number;
}

/** An adapter as its driver knows it. */
export interface Adapter {
  readonly name: string;
  /** Commands that it takes at a time. */
  readonly commands: number;
  readonly command: Accesses;
  readonly interrupt: Accesses;
}

/** A SCSI or RAID adapter with a mailbox: its doorbell; its interrupt's cause, and the acknowledgement. */
export const SCSI_ADAPTER: Adapter = {
  name: "scsi",
  commands: Infinity,
  command: { acting: 1, plain: 0 },
  interrupt: { acting: 2, plain: 0 },
};

/**
 * A PIIX4's IDE channel, as 2.4's driver uses it with bus mastering. For a command: the drive selected and its status waited for (3), control,
 * feature, count, four registers of the address, the table's address, direction, status read and cleared, the command itself, and the
 * engine's register read and written: that starts it. In the interrupt: status, engine stopped, its status read and cleared, the drive's status.
 */
export const IDE_ADAPTER: Adapter = {
  name: "ide",
  commands: 1,
  command: { acting: 1, plain: 15 },
  interrupt: { acting: 0, plain: 7 },
};

/** Cycles of the driver's own instructions: a command block filled, one taken apart. */
export const ADAPTER_WORK = { command: 2400, done: 1600 } as const;

/** See the module comment. */
export class AdapterDriver implements DiskDriver {
  readonly line = "disk";
  #done: number[] = [];
  /** Commands that the adapter has. */
  #started = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly port: DiskPort,
    private readonly adapter = SCSI_ADAPTER,
  ) {}

  get room(): number {
    return Math.min(this.port.room, this.adapter.commands - this.#started);
  }

  start({ id, sector, count, write }: DriverRequest): void {
    this.kernel.work(ADAPTER_WORK.command);
    this.#access(this.adapter.command);
    this.#started++;
    this.port.submit({ tag: id, sector, count, write });
  }

  takeDone(): readonly number[] {
    this.#access(this.adapter.interrupt);
    this.kernel.work(ADAPTER_WORK.done * this.#done.length + (this.port.takeHostCycles?.() ?? 0));
    const done = this.#done;
    this.#done = [];
    return done;
  }

  save(): SnapshotRecord {
    return {
      kind: "adapter driver",
      version: 1,
      state: { done: [...this.#done], started: this.#started },
    };
  }

  /** What is on its way is the adapter's to restore. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "adapter driver", 1);
    this.#done = [...state.done as number[]];
    this.#started = state.started as number;
  }

  /** Called by the adapter: a command is done. */
  completed(tag: number): void {
    this.#started--;
    this.#done.push(tag);
    this.kernel.interrupt(this.line);
  }

  #access({ acting, plain }: Accesses): void {
    this.kernel.charge("deviceAccess", acting);
    this.kernel.charge("plainAccess", plain);
  }
}
