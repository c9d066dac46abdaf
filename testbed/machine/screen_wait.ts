/** Waiting for text on the screen, which unlike the console is looked at now and then. */

import type { Cycle, Nanoseconds } from "../../core/clock/clock.ts";
import type { Machine, ScreenWaitOptions } from "../machine_api.ts";
import { parseDuration } from "../units.ts";
import { describeStop } from "../views.ts";

/** Simulated time between two looks: short against what a person sees. */
const LOOK_INTERVAL_NS = 5_000_000;

/** Runs `machine` until its screen shows `pattern`; see {@link Machine.waitForScreen}. */
export async function waitForScreen(
  machine: Pick<Machine, "now" | "clock" | "run" | "screen">,
  pattern: string | RegExp,
  { timeoutSimulated, signal }: ScreenWaitOptions = {},
): Promise<string> {
  const { frequencyHz } = machine.clock;
  const cyclesOf = (ns: number) => Math.ceil(ns * frequencyHz / 1e9);
  const limit = timeoutSimulated === undefined
    ? Infinity
    : machine.now + cyclesOf(nanosecondsOf(timeoutSimulated));
  for (;;) {
    const found = search(machine.screen(), pattern);
    if (found !== null) return found;
    const untilCycle = Math.min(machine.now + cyclesOf(LOOK_INTERVAL_NS), limit) as Cycle;
    const stop = await machine.run({ untilCycle, signal });
    if (stop.kind === "limit" && machine.now < limit) continue;
    const last = search(machine.screen(), pattern);
    if (last !== null) return last;
    const lines = machine.screen().filter((line) => line.trim() !== "").join("\n");
    throw new Error(
      `the screen did not show ${String(pattern)}: ${describeStop(stop)}. It shows:\n${lines}`,
    );
  }
}

function nanosecondsOf(duration: string | Nanoseconds): number {
  return typeof duration === "string" ? parseDuration(duration) : duration;
}

function search(lines: readonly string[], pattern: string | RegExp): string | null {
  const text = lines.join("\n");
  if (typeof pattern === "string") return text.includes(pattern) ? pattern : null;
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(text)?.[0] ?? null;
}
