/** The seam between the 8042 and what is plugged into its two PS/2 ports. */

import type { Snapshot } from "../../core/lib/snapshot.ts";

/** A keyboard or a mouse as the controller sees it. */
export interface Ps2Device extends Snapshot {
  /** The next byte to the host, or `null` if there is none. */
  take(): number | null;
  /** A byte from the host. */
  command(byte: number): void;
  /** Power-on: buffers and settings are lost. */
  reset(): void;
}

/** Replies that all PS/2 devices share. */
export const PS2_REPLY = { ack: 0xfa, resend: 0xfe, testPassed: 0xaa } as const;
