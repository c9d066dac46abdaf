/** What something took of the host's time. */

import process from "node:process";

/** A span, in seconds. */
export interface Spent {
  /** As the clock on the wall has it. */
  readonly wall: number;
  /** Of all threads of this process. */
  readonly cpu: number;
}

export const NOTHING_SPENT: Spent = { wall: 0, cpu: 0 };

/** Runs `body`; resolves with what that took. */
export async function timed(body: () => unknown): Promise<Spent> {
  const { user, system } = process.cpuUsage();
  const from = performance.now();
  await body();
  const wall = (performance.now() - from) / 1000;
  const after = process.cpuUsage();
  return { wall, cpu: (after.user + after.system - user - system) / 1e6 };
}

/** Both together. */
export function sum(one: Spent, other: Spent): Spent {
  return { wall: one.wall + other.wall, cpu: one.cpu + other.cpu };
}

/** How many times `other` is in `one`, in words. */
export function ratio(one: Spent, other: Spent): string {
  return `wall x ${(one.wall / other.wall).toFixed(3)}, CPU x ${(one.cpu / other.cpu).toFixed(3)}`;
}
