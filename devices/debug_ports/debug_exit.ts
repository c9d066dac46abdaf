/**
 * A port by which a guest ends its machine with a result, for tests.
 *
 * Source: QEMU, device `isa-debug-exit`: writing `value` ends the emulator with (value << 1) | 1, so that a
 * guest's result never looks like success of the emulator itself.
 */

import type { PortBus } from "../../core/memory/ports.ts";
import type { PowerControl } from "../power.ts";

/** Attaches the exit port (four ports wide) at `first`; it has no state. */
export function attachDebugExit(
  ports: PortBus,
  power: Pick<PowerControl, "exit">,
  first = 0xf4,
): void {
  ports.attachPorts(first, first + 3, "debug exit", {
    readPort: () => 0,
    writePort: (_port, _size, value) => power.exit(debugExitCode(value)),
  });
}

/** The exit code (0 to 255, as a process has it) that a write of `value` makes. */
export function debugExitCode(value: number): number {
  return ((value << 1) | 1) & 0xff;
}
