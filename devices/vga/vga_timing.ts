/**
 * Where the beam is: computed from the CRTC's registers and simulated time, never counted.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "CRT Controller Registers" and
 * "Input Status Register 1".
 */

import type { Clock } from "../../core/clock/clock.ts";

/** Dot clocks by bits 3 and 2 of Miscellaneous Output; the external ones are not connected. */
const DOT_CLOCKS_HZ = [25_175_000, 28_322_000, 25_175_000, 28_322_000] as const;

/** A frame's measures in dots and scan lines. */
export interface VgaTiming {
  readonly dotHz: number;
  readonly lineDots: number;
  readonly visibleDots: number;
  readonly frameLines: number;
  readonly visibleLines: number;
  readonly retraceStart: number;
  readonly retraceLines: number;
}

/** The timing that the registers ask for. */
export function vgaTiming(crtc: Uint8Array, clockingMode: number, misc: number): VgaTiming {
  const dots = (clockingMode & 0x01 ? 8 : 9) * (clockingMode & 0x08 ? 2 : 1);
  const overflow = crtc[0x07];
  const tenBits = (low: number, bit8: number, bit9: number) =>
    low | ((overflow >> bit8) & 1) << 8 | ((overflow >> bit9) & 1) << 9;
  const retraceStart = tenBits(crtc[0x10], 2, 7);
  return {
    dotHz: DOT_CLOCKS_HZ[(misc >> 2) & 3],
    lineDots: (crtc[0x00] + 5) * dots,
    visibleDots: (crtc[0x01] + 1) * dots,
    frameLines: tenBits(crtc[0x06], 0, 5) + 2,
    visibleLines: tenBits(crtc[0x12], 1, 6) + 1,
    retraceStart,
    retraceLines: ((crtc[0x11] - retraceStart) & 0x0f) || 16,
  };
}

/** Whether the beam shows nothing, and whether it is in vertical retrace, now. */
export function beam(timing: VgaTiming, clock: Clock): { blank: boolean; retrace: boolean } {
  const dot = clock.ticks(timing.dotHz) % (timing.lineDots * timing.frameLines);
  const line = Math.floor(dot / timing.lineDots);
  const blank = line >= timing.visibleLines || dot % timing.lineDots >= timing.visibleDots;
  const sinceRetrace = line - timing.retraceStart;
  return { blank, retrace: sinceRetrace >= 0 && sinceRetrace < timing.retraceLines };
}
