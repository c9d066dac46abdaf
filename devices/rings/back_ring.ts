/**
 * The back end's half of a ring of requests and responses (`io/ring.h`).
 *
 * The page belongs to the peer: of its counters only differences within the ring's size are believed,
 * and a request is copied out before anybody looks at it.
 */

import { ringEntries, SRING } from "../../core/abi/io/ring.ts";
import type { MachineFrame } from "../../core/abi/ids.ts";
import type { FrameMemory } from "../../core/hypervisor/frame_memory.ts";

/** A back end's private counters, as a snapshot keeps them. */
export interface BackRingState {
  readonly requestsTaken: number;
  readonly responsesMade: number;
}

/** One ring from the back end's side. */
export class BackRing {
  /** Entries: a power of two. */
  readonly entries: number;
  #requestsTaken: number;
  #responsesMade: number;

  /** Begins where the page's counters are: both are 0 on a fresh page. */
  constructor(
    private readonly memory: FrameMemory,
    private readonly frame: MachineFrame,
    readonly entryBytes: number,
    state?: BackRingState,
  ) {
    this.entries = ringEntries(entryBytes);
    this.#responsesMade = state?.responsesMade ?? this.#read(SRING.rspProd);
    this.#requestsTaken = state?.requestsTaken ?? this.#responsesMade;
  }

  /** Requests that wait to be taken, or `null` if the peer's counter cannot be true. */
  get waiting(): number | null {
    const produced = this.#read(SRING.reqProd);
    if (((produced - this.#responsesMade) >>> 0) > this.entries) return null;
    const untaken = (produced - this.#requestsTaken) >>> 0;
    const unanswered = (this.#requestsTaken - this.#responsesMade) >>> 0;
    return Math.min(untaken, this.entries - unanswered);
  }

  /** The request `ahead` places after the next one, without taking it; see {@link waiting}. */
  peek(ahead = 0): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.entryBytes);
    this.memory.readBytes(this.frame, this.#place(this.#requestsTaken + ahead), bytes);
    return bytes;
  }

  /** Takes the next request; see {@link waiting}. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.peek();
    this.#requestsTaken = (this.#requestsTaken + 1) >>> 0;
    return bytes;
  }

  /** Takes the next request as words, as many as `into` has; see {@link waiting}. */
  takeWords(into: Uint32Array): void {
    const place = this.#place(this.#requestsTaken);
    for (let word = 0; word < into.length && 4 * word < this.entryBytes; word++) {
      into[word] = this.memory.read32(this.frame, place + 4 * word);
    }
    this.#requestsTaken = (this.#requestsTaken + 1) >>> 0;
  }

  /** Puts a response of `count` words in place; see {@link put}. */
  putWords(words: Uint32Array, count: number): void {
    const place = this.#place(this.#responsesMade);
    for (let word = 0; word < count; word++) {
      this.memory.write32(this.frame, place + 4 * word, words[word]);
    }
    this.#responsesMade = (this.#responsesMade + 1) >>> 0;
  }

  /** Puts a response in place; the peer sees it after {@link publish}. */
  put(response: Uint8Array): void {
    this.memory.writeBytes(this.frame, this.#place(this.#responsesMade), response);
    this.#responsesMade = (this.#responsesMade + 1) >>> 0;
  }

  /** Shows the peer all responses; answers whether it wants an event for them. */
  publish(): boolean {
    const before = this.#read(SRING.rspProd);
    const now = this.#responsesMade;
    this.memory.write32(this.frame, SRING.rspProd, now);
    const wanted = this.#read(SRING.rspEvent);
    return ((now - wanted) >>> 0) < ((now - before) >>> 0);
  }

  /** Asks the peer for an event at its next request; answers whether one is there already. */
  rearm(): boolean {
    if ((this.waiting ?? 0) > 0) return true;
    this.memory.write32(this.frame, SRING.reqEvent, (this.#requestsTaken + 1) >>> 0);
    return (this.waiting ?? 0) > 0;
  }

  save(): { requestsTaken: number; responsesMade: number } {
    return { requestsTaken: this.#requestsTaken, responsesMade: this.#responsesMade };
  }

  #place(index: number): number {
    return SRING.ring + (index >>> 0) % this.entries * this.entryBytes;
  }

  #read(offset: number): number {
    return this.memory.read32(this.frame, offset);
  }
}
