/**
 * One ATA channel: up to two drives, the command and control blocks, the interrupt line.
 *
 * Wiring: `new IdeChannel({ name: "ide.primary", clock, irq, dma, drives: [disk, null] })`, then
 * {@link IdeChannel.attach} claims the legacy ports. {@link IdeChannel.dmaStarted} tells it that the bus
 * master was started.
 *
 * Sources: ATA/ATAPI-6 (T13/1410D), "I/O register descriptions" and "Single device configurations";
 * 82371SB data sheet, "ATA Register Block Decode".
 */

import { type Clock, nanoseconds } from "../../core/clock/clock.ts";
import type { IrqLine, PortBus, PortDevice, PortSize } from "../../core/memory/ports.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import { COMMAND, COMMAND_BLOCK, DEVICE, DEVICE_CONTROL } from "./ata_registers.ts";
import type { BusMasterChannel } from "./bus_master.ts";
import type { DriveDelays, TaskFileDrive } from "./task_file_drive.ts";

/** Where the two channels of a PC sit: first port of each block, and the ISA interrupt. */
export const LEGACY_CHANNELS = [
  { name: "ide.primary", commandBlock: 0x1f0, controlBlock: 0x3f6, irq: 14 },
  { name: "ide.secondary", commandBlock: 0x170, controlBlock: 0x376, irq: 15 },
] as const;

/** What a channel needs. */
export interface IdeChannelOptions {
  /** Names the timers (`NAME.drive0`, `NAME.drive1`); unique in the machine. */
  readonly name: string;
  readonly clock: Clock;
  /** ISA interrupt 14 or 15. */
  readonly irq: IrqLine;
  readonly dma: BusMasterChannel;
  /** Device 0 and device 1. */
  readonly drives: readonly [TaskFileDrive | null, TaskFileDrive | null];
  readonly delays?: Partial<DriveDelays>;
}

const DEFAULT_DELAYS: DriveDelays = { commandNs: nanoseconds(50_000), blockNs: nanoseconds(2_000) };
/** What an empty cable reads: DD7 is pulled down, the rest floats high. */
const EMPTY_CABLE = 0x7f;

/** A channel with its drives. */
export class IdeChannel implements Snapshot {
  readonly name: string;
  readonly drives: readonly [TaskFileDrive | null, TaskFileDrive | null];
  readonly #irq: IrqLine;
  readonly #dma: BusMasterChannel;
  #selected = 0;
  #control = 0;
  #interrupt = false;
  /** Whether the channel answers at its ports (IDETIM's decode enable). */
  decodeEnabled = true;

  constructor(options: IdeChannelOptions) {
    this.name = options.name;
    this.drives = options.drives;
    this.#irq = options.irq;
    this.#dma = options.dma;
    const delays = { ...DEFAULT_DELAYS, ...options.delays };
    options.drives.forEach((drive, index) => {
      if (!drive) return;
      const timer = options.clock.createTimer(`${this.name}.drive${index}`, () => drive.step());
      const interruptChanged = () => this.#driveInterrupt();
      drive.connect({ timer, dma: options.dma, delays, interruptChanged });
    });
    options.dma.onStart = () => this.#drive?.dmaStarted();
    this.reset();
  }

  /** The state after power-on: drives ready with their signatures, device 0 selected. */
  reset(): void {
    this.#selected = 0;
    this.#control = 0;
    for (const drive of this.drives) drive?.powerOn();
    this.#dma.reset();
    this.#driveInterrupt();
  }

  /** Claims eight ports from `commandBlock` and the one at `controlBlock`; throws `RangeError` on an overlap. */
  attach(ports: PortBus, commandBlock: number, controlBlock: number): void {
    ports.attachPorts(commandBlock, commandBlock + 7, this.name, this.commandBlock(commandBlock));
    ports.attachPorts(
      controlBlock,
      controlBlock,
      `${this.name} control`,
      this.controlBlock(controlBlock),
    );
  }

  /** The eight registers from port `first`. */
  commandBlock(first: number): PortDevice {
    return {
      readPort: (port, size) => {
        if (port === first && size > 1) return this.#readData(size);
        return eachByte(size, (byte) => this.#readRegister(port - first + byte));
      },
      writePort: (port, size, value) => {
        if (port === first && size > 1) return this.#writeData(size, value);
        for (let byte = 0; byte < size; byte++) {
          this.#writeRegister(port - first + byte, (value >>> (8 * byte)) & 0xff);
        }
      },
    };
  }

  /** Alternate Status and Device Control at port `first`. */
  controlBlock(_first: number): PortDevice {
    return {
      readPort: () => this.#peekRegister(COMMAND_BLOCK.STATUS),
      writePort: (_port, _size, value) => this.#writeControl(value & 0xff),
    };
  }

  save(): SnapshotRecord {
    return {
      kind: "ide.channel",
      version: 1,
      state: {
        selected: this.#selected,
        control: this.#control,
        interrupt: this.#interrupt,
        drives: this.drives.map((drive) => drive ? drive.save() : null),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "ide.channel", 1);
    this.#selected = state.selected as number;
    this.#control = state.control as number;
    const saved = state.drives as readonly SnapshotValue[];
    this.drives.forEach((drive, index) => {
      const one = saved[index] as { readonly [field: string]: SnapshotValue } | null;
      if (drive && one) drive.restore(one);
    });
    this.#interrupt = state.interrupt as boolean;
    this.#irq.setLevel(this.#interrupt);
  }

  get #drive(): TaskFileDrive | null {
    return this.drives[this.#selected];
  }

  #readRegister(offset: number): number {
    if (!this.decodeEnabled) return 0xff;
    if (offset === COMMAND_BLOCK.DATA) return this.#drive?.readData(1) ?? 0;
    const value = this.#peekRegister(offset);
    if (offset === COMMAND_BLOCK.STATUS) this.#drive?.acknowledge();
    return value;
  }

  /** Device 0 answers for a missing device 1, and the other way round, with zeros. */
  #peekRegister(offset: number): number {
    if (!this.decodeEnabled) return 0xff;
    if (!this.drives[0] && !this.drives[1]) return EMPTY_CABLE;
    const previous = (this.#control & DEVICE_CONTROL.HOB) !== 0;
    return this.#drive?.readRegister(offset, previous) ?? 0;
  }

  #writeRegister(offset: number, value: number): void {
    if (!this.decodeEnabled) return;
    this.#control &= ~DEVICE_CONTROL.HOB;
    switch (offset) {
      case COMMAND_BLOCK.DATA:
        return this.#writeData(1, value);
      case COMMAND_BLOCK.STATUS:
        return this.#writeCommand(value);
      case COMMAND_BLOCK.DEVICE:
        this.#selected = value & DEVICE.DEV ? 1 : 0;
        break;
    }
    for (const drive of this.drives) drive?.writeRegister(offset, value);
    this.#driveInterrupt();
  }

  /** A command goes to the selected drive; EXECUTE DEVICE DIAGNOSTIC to both, answered by device 0. */
  #writeCommand(command: number): void {
    if (command !== COMMAND.EXECUTE_DEVICE_DIAGNOSTIC) return this.#drive?.writeCommand(command);
    this.#selected = 0;
    this.drives[1]?.diagnose();
    this.drives[0]?.writeCommand(command);
  }

  #readData(size: PortSize): number {
    return this.decodeEnabled ? this.#drive?.readData(size) ?? 0 : 0xffffffff;
  }

  #writeData(size: PortSize, value: number): void {
    if (this.decodeEnabled) this.#drive?.writeData(size, value);
  }

  #writeControl(value: number): void {
    if (!this.decodeEnabled) return;
    const before = this.#control & DEVICE_CONTROL.SRST;
    const after = value & DEVICE_CONTROL.SRST;
    this.#control = value & (DEVICE_CONTROL.nIEN | DEVICE_CONTROL.SRST | DEVICE_CONTROL.HOB);
    if (after !== before) {
      this.#selected = 0;
      for (const drive of this.drives) drive?.reset(after !== 0);
    }
    this.#driveInterrupt();
  }

  #driveInterrupt(): void {
    const enabled = (this.#control & DEVICE_CONTROL.nIEN) === 0;
    const level = enabled && (this.#drive?.intrq ?? false);
    if (level === this.#interrupt) return;
    this.#interrupt = level;
    if (level) this.#dma.interruptRaised();
    this.#irq.setLevel(level);
  }
}

function eachByte(size: PortSize, read: (byte: number) => number): number {
  let value = 0;
  for (let byte = 0; byte < size; byte++) value |= read(byte) << (8 * byte);
  return value >>> 0;
}
