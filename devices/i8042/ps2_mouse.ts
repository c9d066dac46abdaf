/**
 * A PS/2 mouse: three buttons, packets of three bytes, and Microsoft's IntelliMouse wheel.
 *
 * What the hand does waits as events, not as packets, so that a slow guest gets fewer and longer
 * movements and no lost clicks.
 *
 * Sources: IBM Personal System/2 Hardware Interface Technical Reference, "Auxiliary Device";
 * Microsoft, "IntelliMouse PS/2 wheel protocol" (sample rates 200, 100, 80 turn the wheel on).
 */

import { expectRecord, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { PS2_REPLY, type Ps2Device } from "./ps2_device.ts";

/** Commands from the host. */
const COMMAND = {
  scaling1To1: 0xe6,
  scaling2To1: 0xe7,
  setResolution: 0xe8,
  statusRequest: 0xe9,
  setStream: 0xea,
  readData: 0xeb,
  resetWrap: 0xec,
  setWrap: 0xee,
  setRemote: 0xf0,
  readType: 0xf2,
  setRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  setDefault: 0xf6,
  resend: 0xfe,
  reset: 0xff,
} as const;

/** The sample rates that turn the wheel on, one after the other. */
const WHEEL_RATES = [200, 100, 80] as const;
const TYPE = { standard: 0x00, wheel: 0x03 } as const;
/** Events that wait before movements merge even across clicks. */
const EVENT_LIMIT = 64;
const REPLY_BYTES = 16;
/** The scaling of 2:1 for small movements; larger ones double. */
const SCALED = [0, 1, 1, 3, 6, 9] as const;

/** Which buttons are down. */
export interface MouseButtons {
  readonly left?: boolean;
  readonly right?: boolean;
  readonly middle?: boolean;
}

/** A movement (right, up and wheel towards the user are positive) with the buttons after it. */
interface MouseEvent {
  dx: number;
  dy: number;
  dz: number;
  buttons: number;
}

/** A mouse; see the module comment. */
export class Ps2Mouse implements Ps2Device {
  #replies: number[] = [];
  #packet: number[] = [];
  #events: MouseEvent[] = [];
  #buttons = 0;
  #awaiting: number | null = null;
  #mode: "stream" | "remote" | "wrap" = "stream";
  #modeBeforeWrap: "stream" | "remote" = "stream";
  #reporting = false;
  #rate = 100;
  #resolution = 2;
  #scaling2To1 = false;
  #type: number = TYPE.standard;
  /** How many of {@link WHEEL_RATES} were set in a row. */
  #wheelKnocks = 0;
  #lastSent = 0;

  /** `dataReady` is called when a byte may wait for the host. */
  constructor(private readonly dataReady: () => void) {}

  /** Moves by counts: right, up, and the wheel towards the user are positive. */
  move(dx: number, dy: number, dz = 0): void {
    this.#event(Math.trunc(dx), Math.trunc(dy), Math.trunc(dz));
  }

  /** Sets which buttons are down. */
  setButtons(buttons: MouseButtons): void {
    this.#buttons = (buttons.left ? 1 : 0) | (buttons.right ? 2 : 0) | (buttons.middle ? 4 : 0);
    this.#event(0, 0, 0);
  }

  take(): number | null {
    const streams = this.#mode === "stream" && this.#reporting;
    if (this.#replies.length === 0 && this.#packet.length === 0) {
      if (!streams || this.#events.length === 0) return null;
      this.#packet = this.#nextPacket();
    }
    const byte = this.#replies.shift() ?? this.#packet.shift()!;
    if (byte !== PS2_REPLY.resend) this.#lastSent = byte;
    return byte;
  }

  command(byte: number): void {
    const awaiting = this.#awaiting;
    this.#awaiting = null;
    this.#packet = []; // a command ends a packet that is under way
    if (this.#mode === "wrap" && byte !== COMMAND.resetWrap && byte !== COMMAND.reset) {
      this.#reply(byte);
    } else if (awaiting !== null) {
      this.#parameter(awaiting, byte);
    } else {
      this.#execute(byte);
    }
    this.dataReady();
  }

  reset(): void {
    this.#replies = [];
    this.#awaiting = null;
    this.#type = TYPE.standard;
    this.#wheelKnocks = 0;
    this.#setDefault();
  }

  save(): SnapshotRecord {
    return {
      kind: "ps2-mouse",
      version: 1,
      state: {
        replies: [...this.#replies],
        packet: [...this.#packet],
        events: this.#events.map((event) => ({ ...event })),
        buttons: this.#buttons,
        awaiting: this.#awaiting,
        mode: this.#mode,
        modeBeforeWrap: this.#modeBeforeWrap,
        reporting: this.#reporting,
        rate: this.#rate,
        resolution: this.#resolution,
        scaling2To1: this.#scaling2To1,
        type: this.#type,
        wheelKnocks: this.#wheelKnocks,
        lastSent: this.#lastSent,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "ps2-mouse", 1);
    this.#replies = [...state.replies as number[]];
    this.#packet = [...state.packet as number[]];
    this.#events = (state.events as unknown as MouseEvent[]).map((event) => ({ ...event }));
    this.#buttons = state.buttons as number;
    this.#awaiting = state.awaiting as number | null;
    this.#mode = state.mode as "stream" | "remote" | "wrap";
    this.#modeBeforeWrap = state.modeBeforeWrap as "stream" | "remote";
    this.#reporting = state.reporting as boolean;
    this.#rate = state.rate as number;
    this.#resolution = state.resolution as number;
    this.#scaling2To1 = state.scaling2To1 as boolean;
    this.#type = state.type as number;
    this.#wheelKnocks = state.wheelKnocks as number;
    this.#lastSent = state.lastSent as number;
  }

  #event(dx: number, dy: number, dz: number): void {
    const last = this.#events.at(-1);
    const buttons = this.#buttons;
    if (last && (this.#events.length >= EVENT_LIMIT || last.buttons === buttons)) {
      last.dx += dx;
      last.dy += dy;
      last.dz += dz;
      last.buttons = buttons;
    } else {
      this.#events.push({ dx, dy, dz, buttons });
    }
    this.dataReady();
  }

  #execute(byte: number): void {
    const handler = this.#handlers[byte];
    if (!handler) return this.#reply(PS2_REPLY.resend);
    handler();
  }

  readonly #handlers: { readonly [command: number]: (() => void) | undefined } = {
    [COMMAND.scaling1To1]: () => this.#acknowledge(() => this.#scaling2To1 = false),
    [COMMAND.scaling2To1]: () => this.#acknowledge(() => this.#scaling2To1 = true),
    [COMMAND.setResolution]: () => this.#acknowledge(() => this.#awaiting = COMMAND.setResolution),
    [COMMAND.setRate]: () => this.#acknowledge(() => this.#awaiting = COMMAND.setRate),
    [COMMAND.statusRequest]: () =>
      this.#reply(PS2_REPLY.ack, this.#status(), this.#resolution, this.#rate),
    [COMMAND.setStream]: () => this.#acknowledge(() => this.#setMode("stream")),
    [COMMAND.setRemote]: () => this.#acknowledge(() => this.#setMode("remote")),
    [COMMAND.setWrap]: () =>
      this.#acknowledge(() => {
        if (this.#mode !== "wrap") this.#modeBeforeWrap = this.#mode;
        this.#setMode("wrap");
      }),
    [COMMAND.resetWrap]: () =>
      this.#acknowledge(() => {
        if (this.#mode === "wrap") this.#setMode(this.#modeBeforeWrap);
      }),
    [COMMAND.readData]: () => this.#reply(PS2_REPLY.ack, ...this.#nextPacket()),
    [COMMAND.readType]: () => this.#reply(PS2_REPLY.ack, this.#type),
    [COMMAND.enable]: () => this.#acknowledge(() => this.#setReporting(true)),
    [COMMAND.disable]: () => this.#acknowledge(() => this.#setReporting(false)),
    [COMMAND.setDefault]: () => this.#acknowledge(() => this.#setDefault()),
    [COMMAND.resend]: () => this.#reply(this.#lastSent),
    [COMMAND.reset]: () => {
      this.reset();
      this.#reply(PS2_REPLY.ack, PS2_REPLY.testPassed, TYPE.standard);
    },
  };

  #acknowledge(effect: () => void): void {
    effect();
    this.#reply(PS2_REPLY.ack);
  }

  #parameter(command: number, value: number): void {
    if (command === COMMAND.setResolution) {
      this.#resolution = value & 3;
    } else {
      this.#rate = value;
      this.#wheelKnocks = value === WHEEL_RATES[this.#wheelKnocks]
        ? this.#wheelKnocks + 1
        : value === WHEEL_RATES[0]
        ? 1
        : 0;
      if (this.#wheelKnocks === WHEEL_RATES.length) {
        this.#type = TYPE.wheel;
        this.#wheelKnocks = 0;
      }
    }
    this.#reply(PS2_REPLY.ack);
  }

  /** Movements before a change of mode are forgotten, as the movement counters are cleared. */
  #setMode(mode: "stream" | "remote" | "wrap"): void {
    this.#mode = mode;
    this.#events = [];
    this.#packet = [];
  }

  #setReporting(on: boolean): void {
    this.#reporting = on;
    this.#events = [];
    this.#packet = [];
  }

  #setDefault(): void {
    this.#setMode("stream");
    this.#reporting = false;
    this.#rate = 100;
    this.#resolution = 2;
    this.#scaling2To1 = false;
  }

  /** The first of the three bytes that answer a status request. */
  #status(): number {
    const buttons = (this.#buttons & 1 ? 4 : 0) | (this.#buttons & 4 ? 2 : 0) |
      (this.#buttons & 2 ? 1 : 0);
    return (this.#mode === "remote" ? 0x40 : 0) | (this.#reporting ? 0x20 : 0) |
      (this.#scaling2To1 ? 0x10 : 0) | buttons;
  }

  /** Takes the next event, or the part of it that one packet can tell. */
  #nextPacket(): number[] {
    const event = this.#events[0] ?? { dx: 0, dy: 0, dz: 0, buttons: this.#buttons };
    const dx = clamp(event.dx, 255);
    const dy = clamp(event.dy, 255);
    const dz = this.#type === TYPE.wheel ? clamp(event.dz, 7) : event.dz;
    event.dx -= dx;
    event.dy -= dy;
    event.dz -= dz;
    if (event.dx === 0 && event.dy === 0 && event.dz === 0) this.#events.shift();
    const [x, y] = this.#scaling2To1 && this.#mode === "stream" ? [scale(dx), scale(dy)] : [dx, dy];
    const first = 0x08 | event.buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
    const packet = [first, x & 0xff, y & 0xff];
    if (this.#type === TYPE.wheel) packet.push(dz & 0xff);
    return packet;
  }

  #reply(...bytes: number[]): void {
    this.#replies.push(...bytes);
    this.#replies.length = Math.min(this.#replies.length, REPLY_BYTES);
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

function scale(value: number): number {
  const size = Math.abs(value);
  const scaled = size < SCALED.length ? SCALED[size] : clamp(2 * size, 255);
  return value < 0 ? -scaled : scaled;
}
