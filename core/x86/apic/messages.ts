/**
 * Interrupt messages: what travels between local APICs, I/O APICs and devices, and how an ICR value
 * or an MSI write says it.
 *
 * Source: Intel SDM vol. 3, "Interrupt Command Register (ICR)", "Message Signalled Interrupts".
 */

/** Delivery modes by their number. */
export const DELIVERY = {
  FIXED: 0,
  LOWEST_PRIORITY: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  START_UP: 6,
  EXT_INT: 7,
} as const;

/** One interrupt on its way to the local APICs that its destination names. */
export interface InterruptMessage {
  /** 32 bits from an x2APIC sender, 8 bits from every other. */
  readonly destination: number;
  /** Whether `destination` has 32 bits. */
  readonly wide: boolean;
  /** Whether `destination` is a set of logical ids, not one physical id. */
  readonly logical: boolean;
  /** A number of {@link DELIVERY}. */
  readonly deliveryMode: number;
  readonly vector: number;
  /** Level-triggered: the receiver tells the I/O APICs when the interrupt is over. */
  readonly level: boolean;
}

/** Who an ICR write is for. */
export type Shorthand = "none" | "self" | "all-including-self" | "all-excluding-self";

const SHORTHANDS: readonly Shorthand[] = [
  "none",
  "self",
  "all-including-self",
  "all-excluding-self",
];

/** Bits shared by the ICR's low half and the MSI data word. */
const WORD = { VECTOR: 0xff, MODE_SHIFT: 8, LEVEL: 0x4000, TRIGGER: 0x8000 } as const;
const ICR_LOGICAL = 0x800;

/** An ICR value taken apart. */
export interface InterruptCommand {
  readonly shorthand: Shorthand;
  readonly message: InterruptMessage;
}

/** Takes apart the ICR; `null` for what sends nothing (reserved modes, SMI, INIT level de-assert). */
export function decodeIcr(
  low: number,
  destination: number,
  wide: boolean,
): InterruptCommand | null {
  const deliveryMode = (low >>> WORD.MODE_SHIFT) & 7;
  const shorthand = SHORTHANDS[(low >>> 18) & 3];
  switch (deliveryMode) {
    case DELIVERY.FIXED:
    case DELIVERY.LOWEST_PRIORITY:
      break;
    case DELIVERY.NMI:
    case DELIVERY.START_UP:
    case DELIVERY.INIT:
      // Valid for a destination and for all others only (SDM, "Valid Combinations for the … ICR").
      if (shorthand === "self" || shorthand === "all-including-self") return null;
      if (isDeassert(deliveryMode, low)) return null;
      break;
    default:
      return null;
  }
  const message: InterruptMessage = {
    destination,
    wide,
    logical: (low & ICR_LOGICAL) !== 0,
    deliveryMode,
    vector: low & WORD.VECTOR,
    // Trigger mode counts for INIT de-assert only; every other IPI is an edge.
    level: false,
  };
  return { shorthand, message };
}

/** Reads a write of `data` to `address` as an MSI; `null` if it delivers nothing. */
export function decodeMsi(address: number, data: number): InterruptMessage | null {
  const deliveryMode = (data >>> WORD.MODE_SHIFT) & 7;
  if (deliveryMode === 3 || deliveryMode === DELIVERY.SMI) return null;
  if (isDeassert(deliveryMode, data)) return null;
  const level = (data & WORD.TRIGGER) !== 0 && deliveryMode <= DELIVERY.LOWEST_PRIORITY;
  if (level && (data & WORD.LEVEL) === 0) return null;
  return {
    destination: (address >>> 12) & 0xff,
    wide: false,
    // The redirection hint asks for arbitration; the delivery mode says so too, and is what counts here.
    logical: (address & 4) !== 0,
    deliveryMode,
    vector: data & WORD.VECTOR,
    level,
  };
}

/** INIT with trigger mode level and level de-assert: a message for arbitration ids, long without effect. */
function isDeassert(deliveryMode: number, word: number): boolean {
  return deliveryMode === DELIVERY.INIT && (word & (WORD.LEVEL | WORD.TRIGGER)) === WORD.TRIGGER;
}
