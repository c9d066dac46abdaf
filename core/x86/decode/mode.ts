/** What of a CPU's mode decides how bytes are decoded, and how it follows from the `modeKey` field of a CPU's state. */

/** The mode of code. */
export interface DecodeMode {
  /** 64-bit code. */
  readonly long: boolean;
  /** Default operand and address size in bits (CS.D); 64-bit mode ignores it. */
  readonly defaultSize: 16 | 32;
  /** Size of the stack pointer. */
  readonly stackSize: 16 | 32 | 64;
  /** DS, ES and SS are flat, so that accesses through them need no check. */
  readonly flat: boolean;
}

const MODES: readonly DecodeMode[] = Array.from({ length: 16 }, (_, bits) => {
  const long = (bits & 1) !== 0;
  return {
    long,
    defaultSize: (bits & 2) !== 0 ? 32 : 16,
    stackSize: long ? 64 : (bits & 4) !== 0 ? 32 : 16,
    flat: (bits & 8) !== 0,
  };
});

/** The decode mode of a mode key (its bits are system/mode.ts's `ModeKey`). */
export function decodeMode(modeKey: number): DecodeMode {
  return MODES[modeKey & 0xf];
}
