/**
 * A PS/2 keyboard: its commands, its 16-byte buffer, and scan code sets 1 and 2.
 *
 * It does not repeat held keys (typematic) and refuses scan code set 3 with a resend request.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)".
 */

import { expectRecord, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { type KeyName, scanCode } from "./scan_codes.ts";
import { PS2_REPLY, type Ps2Device } from "./ps2_device.ts";

/** Commands from the host. */
const COMMAND = {
  setLeds: 0xed,
  echo: 0xee,
  scanCodeSet: 0xf0,
  identify: 0xf2,
  setTypematic: 0xf3,
  enable: 0xf4,
  defaultDisable: 0xf5,
  setDefault: 0xf6,
  /** F7h to FAh: key types of set 3, for all keys. */
  firstAllKeys: 0xf7,
  lastAllKeys: 0xfa,
  /** FBh to FDh: key types of set 3, for the key that follows. */
  firstOneKey: 0xfb,
  lastOneKey: 0xfd,
  resend: 0xfe,
  reset: 0xff,
} as const;

const IDENTITY = [0xab, 0x83] as const;
const BUFFER_BYTES = 16;
/** Replies that may wait; a host that sends more without reading loses the last. */
const REPLY_BYTES = 16;

/** The lock lights, true for lit. */
export interface KeyboardLeds {
  readonly scrollLock: boolean;
  readonly numLock: boolean;
  readonly capsLock: boolean;
}

/** A keyboard; see the module comment. */
export class Ps2Keyboard implements Ps2Device {
  #replies: number[] = [];
  #buffer: number[] = [];
  /** The command whose parameter comes next. */
  #awaiting: number | null = null;
  #set: 1 | 2 = 2;
  #scanning = true;
  #leds = 0;
  #lastSent = 0;

  /** `dataReady` is called when a byte waits for the host. */
  constructor(private readonly dataReady: () => void) {}

  /** The lock lights as the host set them. */
  get leds(): KeyboardLeds {
    const lit = (bit: number) => (this.#leds & bit) !== 0;
    return { scrollLock: lit(1), numLock: lit(2), capsLock: lit(4) };
  }

  /** Presses or releases a key; false, and nothing happens, while the keyboard cannot take it. */
  key(name: KeyName, down: boolean): boolean {
    if (!this.#scanning) return false;
    const bytes = scanCode(name, down, this.#set);
    if (this.#buffer.length + bytes.length > BUFFER_BYTES) return false;
    this.#buffer.push(...bytes);
    this.dataReady();
    return true;
  }

  take(): number | null {
    const byte = this.#replies.shift() ?? this.#buffer.shift();
    if (byte === undefined) return null;
    if (byte !== PS2_REPLY.resend) this.#lastSent = byte;
    return byte;
  }

  command(byte: number): void {
    const awaiting = this.#awaiting;
    this.#awaiting = null;
    // A parameter is below EDh; anything else is a new command in its place.
    if (awaiting !== null && byte < COMMAND.setLeds) this.#parameter(awaiting, byte);
    else this.#execute(byte);
    this.dataReady();
  }

  reset(): void {
    this.#replies = [];
    this.#awaiting = null;
    this.#leds = 0;
    this.#setDefault();
    this.#scanning = true;
  }

  save(): SnapshotRecord {
    return {
      kind: "ps2-keyboard",
      version: 1,
      state: {
        replies: [...this.#replies],
        buffer: [...this.#buffer],
        awaiting: this.#awaiting,
        set: this.#set,
        scanning: this.#scanning,
        leds: this.#leds,
        lastSent: this.#lastSent,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "ps2-keyboard", 1);
    this.#replies = [...state.replies as number[]];
    this.#buffer = [...state.buffer as number[]];
    this.#awaiting = state.awaiting as number | null;
    this.#set = state.set as 1 | 2;
    this.#scanning = state.scanning as boolean;
    this.#leds = state.leds as number;
    this.#lastSent = state.lastSent as number;
  }

  #execute(byte: number): void {
    switch (byte) {
      case COMMAND.setLeds:
      case COMMAND.scanCodeSet:
      case COMMAND.setTypematic:
        this.#awaiting = byte;
        return this.#reply(PS2_REPLY.ack);
      case COMMAND.echo:
        return this.#reply(COMMAND.echo);
      case COMMAND.identify:
        return this.#reply(PS2_REPLY.ack, ...IDENTITY);
      case COMMAND.enable:
        this.#buffer = [];
        this.#scanning = true;
        return this.#reply(PS2_REPLY.ack);
      case COMMAND.defaultDisable:
        this.#setDefault();
        this.#scanning = false;
        return this.#reply(PS2_REPLY.ack);
      case COMMAND.setDefault:
        this.#setDefault();
        return this.#reply(PS2_REPLY.ack);
      case COMMAND.resend:
        return this.#reply(this.#lastSent);
      case COMMAND.reset:
        this.reset();
        return this.#reply(PS2_REPLY.ack, PS2_REPLY.testPassed);
      default:
        return this.#executeKeyType(byte);
    }
  }

  /** Key types matter in set 3 only: they are acknowledged and have no effect. */
  #executeKeyType(byte: number): void {
    const oneKey = byte >= COMMAND.firstOneKey && byte <= COMMAND.lastOneKey;
    if (oneKey) this.#awaiting = byte;
    const allKeys = byte >= COMMAND.firstAllKeys && byte <= COMMAND.lastAllKeys;
    this.#reply(oneKey || allKeys ? PS2_REPLY.ack : PS2_REPLY.resend);
  }

  #parameter(command: number, value: number): void {
    if (command === COMMAND.setLeds) this.#leds = value & 7;
    if (command === COMMAND.scanCodeSet) {
      if (value === 0) return this.#reply(PS2_REPLY.ack, this.#set);
      if (value !== 1 && value !== 2) return this.#reply(PS2_REPLY.resend);
      this.#set = value;
      this.#buffer = [];
    }
    // One key of set 3 after another may follow FBh to FDh.
    if (command >= COMMAND.firstOneKey) this.#awaiting = command;
    this.#reply(PS2_REPLY.ack);
  }

  #setDefault(): void {
    this.#buffer = [];
    this.#set = 2;
  }

  #reply(...bytes: number[]): void {
    this.#replies.push(...bytes);
    this.#replies.length = Math.min(this.#replies.length, REPLY_BYTES);
  }
}
