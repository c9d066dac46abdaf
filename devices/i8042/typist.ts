/**
 * Hands on the keyboard: turns text and chords into key presses, one every few milliseconds of
 * simulated time, as fast as firmware's small key buffer bears.
 */

import { type Clock, nanoseconds, type Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Ps2Keyboard } from "./ps2_keyboard.ts";
import { KEY_NAMES, type KeyName, keyStroke } from "./scan_codes.ts";

/** The most key movements that wait. */
const QUEUE_LIMIT = 1 << 16;

interface KeyMovement {
  readonly key: KeyName;
  readonly down: boolean;
}

/** Types on a keyboard. */
export class Typist implements Snapshot {
  readonly #keyboard: Ps2Keyboard;
  readonly #intervalNs: number;
  readonly #timer: Timer;
  #queue: KeyMovement[] = [];

  /** `intervalNs` is the time between two key movements; default 10 ms. */
  constructor(keyboard: Ps2Keyboard, clock: Clock, intervalNs = 10_000_000) {
    this.#keyboard = keyboard;
    this.#intervalNs = intervalNs;
    this.#timer = clock.createTimer("keyboard.typist", () => this.#move());
  }

  /** How many key movements wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Types `text` on the US layout. Throws `RangeError`, and types nothing, if a character is on no
   * key or too much waits.
   */
  typeText(text: string): void {
    const movements = [...text].flatMap((character): KeyMovement[] => {
      const { key, shift } = keyStroke(character);
      return shift ? chord(["ShiftLeft", key]) : chord([key]);
    });
    this.#enqueue(movements);
  }

  /** Presses keys in order and releases them in reverse, for example Control, Alt and Delete. */
  pressKeys(...keys: KeyName[]): void {
    const unknown = keys.find((key) => !KEY_NAMES.includes(key));
    if (unknown) {
      throw new RangeError(`no key ${unknown}; keys are ${KEY_NAMES.join(", ")}`);
    }
    this.#enqueue(chord(keys));
  }

  /** Forgets what was not typed yet. */
  stop(): void {
    this.#queue = [];
    this.#timer.disarm();
  }

  save(): SnapshotRecord {
    const queue = this.#queue.map((movement) => ({ ...movement }));
    return { kind: "typist", version: 1, state: { queue } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "typist", 1);
    this.#queue = [...state.queue as unknown as KeyMovement[]];
  }

  #enqueue(movements: readonly KeyMovement[]): void {
    if (this.#queue.length + movements.length > QUEUE_LIMIT) {
      throw new RangeError(
        `${movements.length} key movements are too many: ${QUEUE_LIMIT} may wait, ` +
          `${this.#queue.length} do`,
      );
    }
    for (const movement of movements) this.#queue.push(movement);
    this.#arm();
  }

  #arm(): void {
    if (this.#queue.length === 0 || this.#timer.deadline !== null) return;
    this.#timer.armIn(nanoseconds(this.#intervalNs));
  }

  /** A movement that the keyboard cannot take now is tried again next time. */
  #move(): void {
    const next = this.#queue[0];
    if (next && this.#keyboard.key(next.key, next.down)) this.#queue.shift();
    this.#arm();
  }
}

function chord(keys: readonly KeyName[]): KeyMovement[] {
  return [
    ...keys.map((key) => ({ key, down: true })),
    ...keys.toReversed().map((key) => ({ key, down: false })),
  ];
}
