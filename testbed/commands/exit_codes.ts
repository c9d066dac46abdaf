/**
 * How the command line reports what became of a machine.
 *
 * The guest's debug-exit port gives odd codes only (QEMU's rule: value * 2 + 1), so ours are even.
 */

import { unreachable } from "../../core/lib/assert.ts";
import type { StopReason } from "../machine_api.ts";
import { table } from "../tables.ts";

/** Exit codes by what they mean. */
export const ExitCode = {
  success: 0,
  usage: 2,
  powerOffBeforeMarker: 4,
  limit: 6,
  tripleFault: 8,
  halted: 10,
  reset: 12,
  breakpoint: 14,
  parting: 16,
  interrupted: 130,
} as const;

const MEANINGS: readonly (readonly [code: number | string, meaning: string])[] = [
  [ExitCode.success, "the marker (--until) was printed; without one, the guest switched off"],
  ["odd", "the guest wrote the debug-exit port (0xf4): its value * 2 + 1, modulo 256"],
  [ExitCode.usage, "an option, an image or a scenario is wrong; nothing ran, or it failed"],
  [ExitCode.powerOffBeforeMarker, "the guest switched off before it printed the marker"],
  [ExitCode.limit, "the limit of simulated time (--sim-limit) was reached"],
  [ExitCode.tripleFault, "a CPU shut down after a triple fault"],
  [ExitCode.halted, "all CPUs wait and no event is pending"],
  [ExitCode.reset, "the guest reset the machine"],
  [ExitCode.parting, "two engines in lock-step (--lockstep) differed"],
  [ExitCode.interrupted, "interrupted from the keyboard"],
];

/** The exit codes, as the help shows them. */
export function exitCodeTable(): string {
  return table(["code", "meaning"], MEANINGS.map(([code, meaning]) => [String(code), meaning]));
}

/** The exit code for `stop`; `untilGiven` says whether a marker was waited for. */
export function exitCodeOf(stop: StopReason, untilGiven: boolean): number {
  switch (stop.kind) {
    case "marker":
      return ExitCode.success;
    case "powerOff":
      return untilGiven ? ExitCode.powerOffBeforeMarker : ExitCode.success;
    case "exit":
      return stop.code & 0xff;
    case "limit":
    case "tripleFault":
    case "halted":
    case "reset":
    case "breakpoint":
      return ExitCode[stop.kind];
    case "aborted":
      return ExitCode.interrupted;
    default:
      return unreachable(stop, "stop reason");
  }
}
