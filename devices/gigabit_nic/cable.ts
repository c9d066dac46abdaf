/**
 * A full-duplex cable between two network cards whose packets are references: only their lengths take time.
 *
 * A packet that is sent is handed over at once, with the instant at which its last bit will have arrived: whoever receives
 * it decides when to look, so that a packet needs no event of its own.
 */

import type { Clock, Cycle } from "../../core/clock/clock.ts";

/** What goes over the cable; never changed once it is sent. */
export interface FrameReference {
  /** From the destination address to the end of the payload, without the frame check sequence. */
  readonly frameBytes: number;
}

/** Takes what the other end sends, with the cycle of its arrival, which may be yet to come. */
export interface CableEnd<Frame extends FrameReference> {
  arrive(frame: Frame, at: Cycle): void;
}

/** Preamble, start delimiter, frame check sequence and interframe gap, in bytes (IEEE 802.3, sections 3.1.1 and 4.4.2). */
const FRAME_OVERHEAD_BYTES = 24;
/** A frame has at least 60 bytes before its check sequence. */
const LEAST_FRAME_BYTES = 60;

/** What a cable, and the switch in it, is like. */
export interface CableOptions {
  readonly clock: Clock;
  readonly bitsPerSecond: number;
  /** From the last bit sent to the last bit received, in nanoseconds. */
  readonly latencyNs: number;
  /** By how much a card's frames are farther apart than the standard's gap, in nanoseconds. */
  readonly frameGapNs: number;
}

/** One direction of a cable. */
export class CableDirection<Frame extends FrameReference> {
  /** When the last frame's last bit leaves; the sender's card saves it. */
  busyUntil = 0 as Cycle;
  readonly #cyclesPerByte: number;
  readonly #latency: number;
  readonly #gap: number;

  /** Throws `RangeError` for a speed that is not above 0. */
  constructor(private readonly options: CableOptions, private readonly to: CableEnd<Frame>) {
    const { clock, bitsPerSecond, latencyNs, frameGapNs } = options;
    if (!(bitsPerSecond > 0)) {
      throw new RangeError(`a cable's speed must be above 0 bits/s, found ${bitsPerSecond}`);
    }
    this.#cyclesPerByte = 8 * clock.frequencyHz / bitsPerSecond;
    this.#latency = latencyNs * clock.frequencyHz / 1e9;
    this.#gap = frameGapNs * clock.frequencyHz / 1e9;
  }

  /** Sends a frame after those that were sent before; answers when its last bit has left. */
  send(frame: Frame): Cycle {
    const { frameBytes } = frame;
    const wireBytes = Math.max(LEAST_FRAME_BYTES, frameBytes) + FRAME_OVERHEAD_BYTES;
    const start = Math.max(this.options.clock.now, this.busyUntil);
    this.busyUntil = Math.ceil(start + wireBytes * this.#cyclesPerByte + this.#gap) as Cycle;
    this.to.arrive(frame, Math.ceil(this.busyUntil + this.#latency) as Cycle);
    return this.busyUntil;
  }
}
