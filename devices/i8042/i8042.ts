/**
 * The 8042 keyboard controller of a PC with a PS/2 mouse port, as software sees it at ports 60h and 64h.
 *
 * ```
 * status (64h)    7  6  5    4     3    2    1    0
 *                 -  -  AUXB KBEN  C/D  SYS  IBF  OBF
 * command byte    7  6     5      4      3  2    1       0
 *                 -  XLATE AUXDIS KBDDIS -  SYS  AUXINT  KBDINT
 * output port     7 .. 5     4     3 2  1    0
 *                      IRQ12 IRQ1       A20  reset (active low)
 * ```
 *
 * It works as fast as it is asked, so the input buffer is never full. After reset the command byte
 * is what a PC's firmware leaves (translation and keyboard interrupt on, mouse off), because a kernel
 * may start without firmware.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { translateToSet1 } from "./scan_codes.ts";
import type { Ps2Device } from "./ps2_device.ts";

/** Bits of the status register. */
const STATUS = {
  obf: 0x01,
  sys: 0x04,
  command: 0x08,
  keyboardEnabled: 0x10,
  auxObf: 0x20,
} as const;
/** Bits of the command byte. */
const CONTROL = {
  keyboardInterrupt: 0x01,
  auxInterrupt: 0x02,
  sys: 0x04,
  keyboardDisable: 0x10,
  auxDisable: 0x20,
  translate: 0x40,
} as const;
const CONTROL_RESET = CONTROL.keyboardInterrupt | CONTROL.sys | CONTROL.auxDisable |
  CONTROL.translate;
/** Bits of the output port. */
const OUTPUT = { notReset: 0x01, a20: 0x02, irq1: 0x10, irq12: 0x20 } as const;

/** Commands written to port 64h. */
const COMMAND = {
  /** 20h to 3Fh and 60h to 7Fh: read and write the controller's RAM; its first byte is the command byte. */
  readRam: 0x20,
  writeRam: 0x60,
  disableAux: 0xa7,
  enableAux: 0xa8,
  testAux: 0xa9,
  selfTest: 0xaa,
  testKeyboard: 0xab,
  disableKeyboard: 0xad,
  enableKeyboard: 0xae,
  readInputPort: 0xc0,
  readOutputPort: 0xd0,
  writeOutputPort: 0xd1,
  writeKeyboardBuffer: 0xd2,
  writeAuxBuffer: 0xd3,
  writeAux: 0xd4,
  disableA20: 0xdd,
  enableA20: 0xdf,
  readTestInputs: 0xe0,
  /** F0h to FFh: pulse the output port's low bits that are zero here. */
  pulse: 0xf0,
} as const;

const SELF_TEST_PASSED = 0x55;
const INTERFACE_TEST_PASSED = 0x00;
const BREAK_PREFIX = 0xf0;
/** Keyboard not inhibited by its lock. */
const INPUT_PORT = 0x80;
/** The controller's own replies that may wait for the host. */
const REPLY_LIMIT = 16;

/** What the controller drives. */
export interface I8042Ports {
  /** IRQ1 and IRQ12, true for high. */
  setInterrupts(irq1: boolean, irq12: boolean): void;
  /** The controller's A20 gate, true for open; see `A20Gate`. */
  setA20(open: boolean): void;
  /** The reset line of the processor is pulsed. */
  reset(): void;
}

type Source = "keyboard" | "aux";
interface Output {
  readonly byte: number;
  readonly source: Source;
}

/** The controller; see the module comment. */
export class I8042 implements Snapshot {
  readonly #ports: I8042Ports;
  readonly #keyboard: Ps2Device;
  readonly #mouse: Ps2Device;
  readonly #ram = new Uint8Array(32);
  #output: Output | null = null;
  #lastByte = 0;
  /** Bytes of the controller itself, which go before those of the devices. */
  #replies: Output[] = [];
  #pending: number | null = null;
  #lastWasCommand = false;
  #breakPrefix = false;
  #a20 = true;
  #irq1 = false;
  #irq12 = false;

  constructor(ports: I8042Ports, keyboard: Ps2Device, mouse: Ps2Device) {
    this.#ports = ports;
    this.#keyboard = keyboard;
    this.#mouse = mouse;
    this.#ram[0] = CONTROL_RESET;
  }

  /** Reset of the board; the devices get theirs too. A20 is open afterwards. */
  reset(): void {
    this.#ram.fill(0);
    this.#ram[0] = CONTROL_RESET;
    this.#output = null;
    this.#replies = [];
    this.#pending = null;
    this.#lastWasCommand = this.#breakPrefix = false;
    this.#keyboard.reset();
    this.#mouse.reset();
    this.#setA20(true);
    this.#driveInterrupts();
  }

  /** A device has a byte; the controller takes it when its output buffer is free. */
  deviceReady(): void {
    this.#fillOutput();
  }

  /** Port 64h. */
  readStatus(): number {
    let status = STATUS.keyboardEnabled | (this.#ram[0] & CONTROL.sys ? STATUS.sys : 0);
    if (this.#lastWasCommand) status |= STATUS.command;
    if (this.#output) status |= STATUS.obf;
    if (this.#output?.source === "aux") status |= STATUS.auxObf;
    return status;
  }

  /** Port 60h; without a byte to read, the last one again. */
  readData(): number {
    const byte = this.#output?.byte ?? this.#lastByte;
    if (this.#output) {
      this.#lastByte = byte;
      this.#output = null;
      this.#driveInterrupts();
      this.#fillOutput();
    }
    return byte;
  }

  /** Port 60h: a parameter, or a byte for the keyboard. */
  writeData(value: number): void {
    const pending = this.#pending;
    this.#pending = null;
    this.#lastWasCommand = false;
    if (pending !== null) {
      this.#parameter(pending, value);
    } else {
      this.#ram[0] &= ~CONTROL.keyboardDisable;
      this.#keyboard.command(value);
    }
    this.#fillOutput();
  }

  /** Port 64h: a command. */
  writeCommand(command: number): void {
    this.#pending = null;
    this.#lastWasCommand = true;
    this.#execute(command);
    this.#fillOutput();
  }

  save(): SnapshotRecord {
    return {
      kind: "i8042",
      version: 1,
      state: {
        ram: this.#ram.slice(),
        output: this.#output && { ...this.#output },
        lastByte: this.#lastByte,
        replies: this.#replies.map((reply) => ({ ...reply })),
        pending: this.#pending,
        lastWasCommand: this.#lastWasCommand,
        breakPrefix: this.#breakPrefix,
        a20: this.#a20,
        irq1: this.#irq1,
        irq12: this.#irq12,
        keyboard: { ...this.#keyboard.save() },
        mouse: { ...this.#mouse.save() },
      },
    };
  }

  /** Restores controller and devices; drives no wire, because the other sides restore their own state. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "i8042", 1);
    this.#ram.set(state.ram as Uint8Array);
    this.#output = state.output as Output | null;
    this.#lastByte = state.lastByte as number;
    this.#replies = [...state.replies as unknown as Output[]];
    this.#pending = state.pending as number | null;
    this.#lastWasCommand = state.lastWasCommand as boolean;
    this.#breakPrefix = state.breakPrefix as boolean;
    this.#a20 = state.a20 as boolean;
    this.#irq1 = state.irq1 as boolean;
    this.#irq12 = state.irq12 as boolean;
    this.#keyboard.restore(state.keyboard as unknown as SnapshotRecord);
    this.#mouse.restore(state.mouse as unknown as SnapshotRecord);
  }

  #execute(command: number): void {
    if (command >= COMMAND.pulse) {
      if (!(command & OUTPUT.notReset)) this.#ports.reset();
      return;
    }
    if (command >= COMMAND.readRam && command < COMMAND.readRam + 0x20) {
      return this.#reply(this.#ram[command & 0x1f]);
    }
    if (command >= COMMAND.writeRam && command < COMMAND.writeRam + 0x20) {
      this.#pending = command;
      return;
    }
    this.#executeNamed(command);
  }

  #executeNamed(command: number): void {
    switch (command) {
      case COMMAND.disableAux:
        return this.#setControl(this.#ram[0] | CONTROL.auxDisable);
      case COMMAND.enableAux:
        return this.#setControl(this.#ram[0] & ~CONTROL.auxDisable);
      case COMMAND.disableKeyboard:
        return this.#setControl(this.#ram[0] | CONTROL.keyboardDisable);
      case COMMAND.enableKeyboard:
        return this.#setControl(this.#ram[0] & ~CONTROL.keyboardDisable);
      case COMMAND.testAux:
      case COMMAND.testKeyboard:
        return this.#reply(INTERFACE_TEST_PASSED);
      case COMMAND.selfTest:
        this.#ram[0] |= CONTROL.sys;
        return this.#reply(SELF_TEST_PASSED);
      case COMMAND.readInputPort:
        return this.#reply(INPUT_PORT);
      case COMMAND.readOutputPort:
        return this.#reply(this.#outputPort());
      case COMMAND.readTestInputs:
        return this.#reply(0);
      case COMMAND.disableA20:
        return this.#setA20(false);
      case COMMAND.enableA20:
        return this.#setA20(true);
      case COMMAND.writeOutputPort:
      case COMMAND.writeKeyboardBuffer:
      case COMMAND.writeAuxBuffer:
      case COMMAND.writeAux:
        this.#pending = command;
        return;
      default: // commands of other makers' controllers have no effect
        return;
    }
  }

  #parameter(command: number, value: number): void {
    switch (command) {
      case COMMAND.writeOutputPort:
        this.#setA20((value & OUTPUT.a20) !== 0);
        if (!(value & OUTPUT.notReset)) this.#ports.reset();
        break;
      case COMMAND.writeKeyboardBuffer:
        this.#reply(value);
        break;
      case COMMAND.writeAuxBuffer:
        this.#reply(value, "aux");
        break;
      case COMMAND.writeAux:
        this.#ram[0] &= ~CONTROL.auxDisable;
        this.#mouse.command(value);
        break;
      case COMMAND.writeRam:
        this.#setControl(value);
        break;
      default:
        this.#ram[command & 0x1f] = value;
    }
  }

  #setControl(value: number): void {
    this.#ram[0] = value;
    this.#driveInterrupts();
  }

  #outputPort(): number {
    return OUTPUT.notReset | (this.#a20 ? OUTPUT.a20 : 0) | (this.#irq1 ? OUTPUT.irq1 : 0) |
      (this.#irq12 ? OUTPUT.irq12 : 0);
  }

  #setA20(open: boolean): void {
    if (open === this.#a20) return;
    this.#a20 = open;
    this.#ports.setA20(open);
  }

  #reply(byte: number, source: Source = "keyboard"): void {
    if (this.#replies.length < REPLY_LIMIT) this.#replies.push({ byte, source });
  }

  /** Moves the next byte into the output buffer, if that is free. */
  #fillOutput(): void {
    if (this.#output) return;
    this.#output = this.#replies.shift() ?? this.#fromKeyboard() ?? this.#fromMouse();
    this.#driveInterrupts();
  }

  #fromKeyboard(): Output | null {
    if (this.#ram[0] & CONTROL.keyboardDisable) return null;
    for (let byte = this.#keyboard.take(); byte !== null; byte = this.#keyboard.take()) {
      if (!(this.#ram[0] & CONTROL.translate)) return { byte, source: "keyboard" };
      if (byte === BREAK_PREFIX) {
        this.#breakPrefix = true;
        continue;
      }
      const code = translateToSet1(byte) | (this.#breakPrefix ? 0x80 : 0);
      this.#breakPrefix = false;
      return { byte: code, source: "keyboard" };
    }
    return null;
  }

  #fromMouse(): Output | null {
    if (this.#ram[0] & CONTROL.auxDisable) return null;
    const byte = this.#mouse.take();
    return byte === null ? null : { byte, source: "aux" };
  }

  #driveInterrupts(): void {
    const source = this.#output?.source;
    const irq1 = source === "keyboard" && (this.#ram[0] & CONTROL.keyboardInterrupt) !== 0;
    const irq12 = source === "aux" && (this.#ram[0] & CONTROL.auxInterrupt) !== 0;
    if (irq1 === this.#irq1 && irq12 === this.#irq12) return;
    this.#irq1 = irq1;
    this.#irq12 = irq12;
    this.#ports.setInterrupts(irq1, irq12);
  }
}
