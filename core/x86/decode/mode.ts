/** From the `modeKey` field of a CPU's state to what the decoder wants to know. */

import type { DecodeMode } from "./decoder.ts";

const cache = new Map<number, DecodeMode>();

/** The decode mode of a mode key (its bits are system/mode.ts's `ModeKey`). */
export function decodeMode(modeKey: number): DecodeMode {
  const bits = modeKey & 0xf;
  let mode = cache.get(bits);
  if (!mode) {
    const long = (bits & 1) !== 0;
    mode = {
      long,
      defaultSize: (bits & 2) !== 0 ? 32 : 16,
      stackSize: long ? 64 : (bits & 4) !== 0 ? 32 : 16,
      flat: (bits & 8) !== 0,
    };
    cache.set(bits, mode);
  }
  return mode;
}
