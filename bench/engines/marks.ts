/** From the bytes that a guest image marks its progress with to times. */

import { type GuestImage, Mark } from "../guest/image.ts";

/** Reads marks as they come. */
export class MarkReader {
  readonly times = new Map<string, number>();
  #started = 0;
  #kernel = -1;

  constructor(private readonly image: GuestImage) {}

  /** Takes the mark `byte` that arrived at `nowMs`; returns true once the last kernel has ended. Other bytes are ignored. */
  take(byte: number, nowMs: number): boolean {
    if (byte === Mark.finished) return true;
    if (byte === Mark.end) {
      const kernel = this.image.kernels[this.#kernel];
      if (kernel) this.times.set(kernel.name, nowMs - this.#started);
      this.#kernel = -1;
    } else if (byte >= Mark.start && byte < Mark.start + this.image.kernels.length) {
      this.#kernel = byte - Mark.start;
      this.#started = nowMs;
    }
    return false;
  }
}
