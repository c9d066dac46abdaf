/** The machine's power, as the chips that switch it see it. The composer of a machine plugs it in. */

/** What a chip asks of the machine that it sits in; each call takes effect after the current instruction. */
export interface PowerControl {
  /** Switches the machine off (ACPI S5). */
  powerOff(): void;
  /** Pulls the reset line of every CPU and device. */
  reset(): void;
  /** Ends the machine with `code` as its result (0 to 255), as a debug-exit device does. */
  exit(code: number): void;
}
