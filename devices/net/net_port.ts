/** The seam between a network card and what its cable is plugged into. */

/** The smallest and largest frames that the switch carries, in bytes without the frame check sequence. */
export const FRAME_LIMITS = { leastBytes: 14, mostBytes: 16384 } as const;

/**
 * One direction of a cable: takes Ethernet frames, from the destination address to the end of the
 * payload (no preamble, no frame check sequence).
 */
export interface NetPort {
  /** Hands `frame` over; the caller does not change it afterwards. */
  send(frame: Uint8Array): void;
}

/** A cable that leads nowhere. */
export const UNPLUGGED: NetPort = { send() {} };
