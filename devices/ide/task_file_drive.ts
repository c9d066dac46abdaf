/**
 * What disks and packet drives have in common: the task file, the data port, DRQ, BSY and INTRQ, and
 * the steps that a drive takes on its own when its timer fires.
 *
 * A drive's work in flight is plain data: which step comes next, and what is in its buffer.
 */

import type { Nanoseconds, Timer } from "../../core/clock/clock.ts";
import type { SnapshotRecord, SnapshotValue } from "../../core/lib/snapshot.ts";
import {
  COMMAND,
  COMMAND_BLOCK,
  DEVICE,
  ERROR,
  PACKET_SIGNATURE,
  type Signature,
  STATUS,
} from "./ata_registers.ts";

/** How the drive moves data when the host's bus master takes part (DMARQ/DMACK). */
export interface DmaEngine {
  /** Whether the bus master runs; `toMemory` tells the direction that the drive wants. */
  running(toMemory: boolean): boolean;
  /** Stores bytes in memory; returns how many fitted into the physical region descriptors. */
  toMemory(bytes: Uint8Array): number;
  /** Fetches bytes from memory; returns how many the physical region descriptors had. */
  fromMemory(into: Uint8Array): number;
}

/** What a channel gives to a drive. */
export interface DriveHost {
  /** The drive's own timer; it calls {@link TaskFileDrive.step}. */
  readonly timer: Timer;
  readonly dma: DmaEngine;
  readonly delays: DriveDelays;
  /** INTRQ changed. */
  interruptChanged(): void;
}

/** The modelled speed of a drive. */
export interface DriveDelays {
  /** From the command to its first data or its completion. */
  readonly commandNs: Nanoseconds;
  /** From one PIO block to the next, and from a bus master's start to the end of the transfer. */
  readonly blockNs: Nanoseconds;
}

/** What the drive does when its timer fires. */
export type DriveStep = "reset" | "complete" | "readBlock" | "writeBlock" | "dma" | "packet";
/** Who moves next: the host by the data port, the bus master, the timer, or nobody. */
export type DrivePhase = "idle" | "busy" | "dataIn" | "dataOut" | "dmaWait";

/** One two-deep register: bits 7:0 the recent, bits 15:8 the previous content. */
type Deep = number;

/** A device on an ATA cable. */
export abstract class TaskFileDrive {
  abstract readonly signature: Signature;
  /** Whether the drive asserts INTRQ. */
  intrq = false;

  protected status = 0;
  protected error = 0;
  protected features: Deep = 0;
  protected sectorCount: Deep = 0;
  protected lbaLow: Deep = 0;
  protected lbaMid: Deep = 0;
  protected lbaHigh: Deep = 0;
  protected device = 0;
  protected command = 0;
  protected phase: DrivePhase = "idle";
  protected next: DriveStep = "complete";
  protected buffer = new Uint8Array(0);
  protected position = 0;
  #host: DriveHost | null = null;

  /** Puts the drive on a channel; throws `TypeError` if it is on one already. */
  connect(host: DriveHost): void {
    if (this.#host) throw new TypeError("expected a drive that is on no channel, found one in use");
    this.#host = host;
  }

  protected get host(): DriveHost {
    if (!this.#host) throw new TypeError("expected a drive on a channel, found one on none");
    return this.#host;
  }

  /** Runs the command that was just written; called with BSY clear. */
  protected abstract execute(command: number): void;
  /** The host has read all of `buffer`. */
  protected abstract dataInDone(): void;
  /** The host has filled all of `buffer`. */
  protected abstract dataOutDone(): void;
  /** The timer fired for a step other than `reset` and `complete`. */
  protected abstract advance(step: Exclude<DriveStep, "reset" | "complete">): void;
  /** Status after a reset: DRDY for disks, nothing for packet devices. */
  protected abstract readonly idleStatus: number;
  /** Forgets what a reset forgets. */
  protected abstract resetState(): void;
  protected abstract saveState(): { [field: string]: SnapshotValue };
  protected abstract restoreState(state: { readonly [field: string]: SnapshotValue }): void;

  /** Reads a register other than Data, without side effects; `hob` selects the previous content. */
  readRegister(offset: number, hob: boolean): number {
    const shift = hob ? 8 : 0;
    switch (offset) {
      case COMMAND_BLOCK.ERROR:
        return this.error;
      case COMMAND_BLOCK.SECTOR_COUNT:
        return (this.sectorCount >> shift) & 0xff;
      case COMMAND_BLOCK.LBA_LOW:
        return (this.lbaLow >> shift) & 0xff;
      case COMMAND_BLOCK.LBA_MID:
        return (this.lbaMid >> shift) & 0xff;
      case COMMAND_BLOCK.LBA_HIGH:
        return (this.lbaHigh >> shift) & 0xff;
      case COMMAND_BLOCK.DEVICE:
        return this.device;
      default:
        return this.status;
    }
  }

  /** Clears INTRQ, as a read of Status does. */
  acknowledge(): void {
    this.setInterrupt(false);
  }

  /** Writes a register other than Data and Command; ignored while BSY or DRQ is set. */
  writeRegister(offset: number, value: number): void {
    if (this.status & (STATUS.BSY | STATUS.DRQ) && offset !== COMMAND_BLOCK.DEVICE) return;
    switch (offset) {
      case COMMAND_BLOCK.ERROR:
        this.features = push(this.features, value);
        break;
      case COMMAND_BLOCK.SECTOR_COUNT:
        this.sectorCount = push(this.sectorCount, value);
        break;
      case COMMAND_BLOCK.LBA_LOW:
        this.lbaLow = push(this.lbaLow, value);
        break;
      case COMMAND_BLOCK.LBA_MID:
        this.lbaMid = push(this.lbaMid, value);
        break;
      case COMMAND_BLOCK.LBA_HIGH:
        this.lbaHigh = push(this.lbaHigh, value);
        break;
      case COMMAND_BLOCK.DEVICE:
        this.device = value;
        break;
    }
  }

  /** Takes a command; a drive that works on one ignores it, but for DEVICE RESET to a packet device. */
  writeCommand(command: number): void {
    this.setInterrupt(false);
    const resets = command === COMMAND.DEVICE_RESET && this.signature === PACKET_SIGNATURE;
    if (this.status & (STATUS.BSY | STATUS.DRQ) && !resets) return;
    this.command = command;
    this.error = 0;
    this.status &= ~(STATUS.ERR | STATUS.DF);
    this.execute(command);
  }

  /** Reads `size` bytes from the data port; zeros when there is nothing to read. */
  readData(size: number): number {
    if (this.phase !== "dataIn") return 0;
    let value = 0;
    for (let byte = 0; byte < size && this.position < this.buffer.length; byte++) {
      value |= this.buffer[this.position++] << (8 * byte);
    }
    if (this.position >= this.buffer.length) {
      this.status &= ~STATUS.DRQ;
      this.phase = "idle";
      this.dataInDone();
    }
    return value >>> 0;
  }

  /** Writes `size` bytes to the data port; ignored when the drive wants none. */
  writeData(size: number, value: number): void {
    if (this.phase !== "dataOut") return;
    for (let byte = 0; byte < size && this.position < this.buffer.length; byte++) {
      this.buffer[this.position++] = value >>> (8 * byte);
    }
    if (this.position >= this.buffer.length) {
      this.status &= ~STATUS.DRQ;
      this.phase = "idle";
      this.dataOutDone();
    }
  }

  /** SRST was set (`asserted`) or cleared, or RESET- on the cable. */
  reset(asserted: boolean): void {
    this.host.timer.disarm();
    this.setInterrupt(false);
    this.phase = "busy";
    this.next = "reset";
    this.status = STATUS.BSY;
    if (!asserted) this.host.timer.armIn(this.host.delays.commandNs);
  }

  /** The power-on state, without a delay: what a machine starts with. */
  powerOn(): void {
    this.host.timer.disarm();
    this.setInterrupt(false);
    this.finishReset();
  }

  /** EXECUTE DEVICE DIAGNOSTIC reaches both drives, whichever is selected. */
  diagnose(): void {
    this.setSignature();
    this.device = 0;
    this.error = 1;
  }

  /** The bus master was started. */
  dmaStarted(): void {
    if (this.phase === "dmaWait") this.later("dma", this.host.delays.blockNs);
  }

  /** The drive's timer fired. */
  step(): void {
    if (this.phase !== "busy") return;
    const step = this.next;
    this.phase = "idle";
    this.status &= ~STATUS.BSY;
    if (step === "reset") this.finishReset();
    else if (step === "complete") this.complete();
    else this.advance(step);
  }

  save(): { [field: string]: SnapshotValue } {
    const { status, error, features, sectorCount, lbaLow, lbaMid, lbaHigh, device } = this;
    const { command, phase, next, position, intrq } = this;
    return {
      taskFile: { status, error, features, sectorCount, lbaLow, lbaMid, lbaHigh, device, command },
      transfer: { phase, next, position, intrq, buffer: this.buffer.slice() },
      own: this.saveState(),
    };
  }

  restore(state: { readonly [field: string]: SnapshotValue }): void {
    const taskFile = state.taskFile as { readonly [field: string]: number };
    this.status = taskFile.status;
    this.error = taskFile.error;
    this.features = taskFile.features;
    this.sectorCount = taskFile.sectorCount;
    this.lbaLow = taskFile.lbaLow;
    this.lbaMid = taskFile.lbaMid;
    this.lbaHigh = taskFile.lbaHigh;
    this.device = taskFile.device;
    this.command = taskFile.command;
    const transfer = state.transfer as unknown as SavedTransfer;
    this.phase = transfer.phase;
    this.next = transfer.next;
    this.position = transfer.position;
    this.intrq = transfer.intrq;
    this.buffer = transfer.buffer.slice();
    this.restoreState(state.own as { readonly [field: string]: SnapshotValue });
  }

  /** BSY until the timer fires after `delayNs`, then `step`. */
  protected later(step: DriveStep, delayNs: Nanoseconds): void {
    this.phase = "busy";
    this.next = step;
    this.status = (this.status | STATUS.BSY) & ~STATUS.DRQ;
    this.host.timer.armIn(delayNs);
  }

  /** Offers `bytes` at the data port. */
  protected offer(bytes: Uint8Array<ArrayBuffer>, interrupt: boolean): void {
    this.buffer = bytes;
    this.position = 0;
    this.phase = "dataIn";
    this.status |= STATUS.DRQ | STATUS.DRDY;
    if (interrupt) this.setInterrupt(true);
  }

  /** Asks for `length` bytes at the data port. */
  protected request(length: number, interrupt: boolean): void {
    this.buffer = new Uint8Array(length);
    this.position = 0;
    this.phase = "dataOut";
    this.status |= STATUS.DRQ | STATUS.DRDY;
    if (interrupt) this.setInterrupt(true);
  }

  /** Ends the command, with INTRQ; `errorBits` other than zero make it fail. */
  protected complete(errorBits = this.error): void {
    this.phase = "idle";
    this.error = errorBits;
    const failed = errorBits !== 0 && this.command !== COMMAND.EXECUTE_DEVICE_DIAGNOSTIC;
    this.status = STATUS.DRDY | STATUS.DSC | (failed ? STATUS.ERR : 0);
    this.setInterrupt(true);
  }

  /** Ends the command with `errorBits` after the command delay. */
  protected completeLater(errorBits = 0): void {
    this.error = errorBits;
    this.later("complete", this.host.delays.commandNs);
  }

  /** Ends the command as unknown, unsupported or with bad parameters. */
  protected abort(): void {
    this.completeLater(ERROR.ABRT);
  }

  protected setSignature(): void {
    this.sectorCount = this.signature.sectorCount;
    this.lbaLow = this.signature.lbaLow;
    this.lbaMid = this.signature.lbaMid;
    this.lbaHigh = this.signature.lbaHigh;
    this.device &= DEVICE.DEV;
  }

  protected setInterrupt(level: boolean): void {
    if (this.intrq === level) return;
    this.intrq = level;
    this.host.interruptChanged();
  }

  protected finishReset(): void {
    this.phase = "idle";
    this.setSignature();
    this.device = 0;
    this.error = 1;
    this.features = 0;
    this.status = this.idleStatus;
    this.resetState();
  }
}

interface SavedTransfer {
  readonly phase: DrivePhase;
  readonly next: DriveStep;
  readonly position: number;
  readonly intrq: boolean;
  readonly buffer: Uint8Array;
}

/** Pushes a new content into a two-deep register. */
function push(register: Deep, value: number): Deep {
  return ((register & 0xff) << 8) | (value & 0xff);
}

/** A record as a value inside another record. */
export function nested(record: SnapshotRecord): SnapshotValue {
  return { kind: record.kind, version: record.version, state: record.state };
}
