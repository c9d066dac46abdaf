/**
 * Two engines in lock-step: machines that differ in their engine alone run side by side, are compared every so many
 * cycles, and stop at the first difference, whose first instruction is then looked for.
 *
 * The search halves the stretch of time that ends with a difference, from a snapshot of where it began. What restores a
 * snapshot translates anew; a difference that this hides is looked for from power-on instead.
 */

import type { Cycle } from "../core/clock/clock.ts";
import { differences } from "./machine_differences.ts";
import type {
  CreateMachine,
  EngineName,
  Machine,
  MachineOptions,
  RunOptions,
  StopReason,
} from "./machine_api.ts";
import type { SnapshotRecord } from "../core/lib/snapshot.ts";
import { describeStop } from "./views.ts";

/** Default distance of two comparisons. */
export const LOCKSTEP_CYCLES = 10_000_000;

/** Two engines, the first of which is the one that is believed. */
export type Tiers = readonly [EngineName, EngineName];

/** What runs in lock-step, and how far. */
export interface LockstepOptions {
  readonly tiers: Tiers;
  /** Cycles between two comparisons (default {@link LOCKSTEP_CYCLES}). */
  readonly everyCycles?: number;
  readonly untilText?: string;
  /** Where to end at the latest, by a machine's clock. */
  readonly untilCycle?: (machine: Machine) => Cycle | undefined;
  readonly signal?: AbortSignal;
  /** Told of the first machine before it starts, whose console is that of both. */
  readonly onStart?: (machine: Machine) => void;
}

/** Where two engines parted. */
export interface Parting {
  /** The machines were the same at the first cycle, and differed at the second. */
  readonly from: Cycle;
  readonly to: Cycle;
  /** Whether both come from one instruction (or event): the search succeeded. */
  readonly exact: boolean;
  /** The CPUs' next instructions at `from`, by CPU; empty if the machines could not be brought there again. */
  readonly instructions: readonly string[];
  /** What differs at `to`, by name, with both values; at most a dozen. */
  readonly differences: readonly string[];
}

/** How a lock-step run ended. */
export interface LockstepResult {
  readonly stop: StopReason;
  /** The cycle that was reached. */
  readonly now: Cycle;
  /** Comparisons that found nothing. */
  readonly comparisons: number;
  /** `null` if there was no difference. */
  readonly parting: Parting | null;
}

/** A pair of machines. */
type Pair = readonly [Machine, Machine];

/** Brings both machines to a cycle of the stretch that is searched. */
type Replay = (cycle: number) => Promise<Pair>;

/** Runs machines of `options` on two engines in lock-step. Throws `TypeError` if the engines are the same. */
export async function runLockstep(
  createMachine: CreateMachine,
  options: MachineOptions,
  lockstep: LockstepOptions,
): Promise<LockstepResult> {
  const { tiers, everyCycles = LOCKSTEP_CYCLES } = lockstep;
  if (tiers[0] === tiers[1]) {
    throw new TypeError(`lock-step takes two different engines, found ${tiers[0]} twice`);
  }
  const create = async (): Promise<Pair> => [
    await createMachine({ ...options, engine: tiers[0] }),
    await createMachine({ ...options, engine: tiers[1] }),
  ];
  const pair = await create();
  lockstep.onStart?.(pair[0]);
  const untilCycle = lockstep.untilCycle?.(pair[0]) ?? Infinity;
  let before = pair[0].snapshot();
  for (let comparisons = 0;; comparisons++) {
    const from = pair[0].now;
    const to = Math.min(from + everyCycles, untilCycle) as Cycle;
    const { untilText, signal } = lockstep;
    const stops = await runBoth(pair, { untilCycle: to, untilText, signal });
    const [{ now }] = pair;
    const result = { stop: stops[0], now, comparisons };
    if (stops.some(({ kind }) => kind === "aborted")) return { ...result, parting: null };
    const after = pair.map((machine) => machine.snapshot());
    const found = compare(pair, after, stops);
    if (found.length > 0) {
      const replays = [fromSnapshot(pair, before), fromPowerOn(create)];
      const parting = await findParting(replays, from, Math.max(now, pair[1].now) as Cycle, found);
      return { ...result, parting };
    }
    if (stops[0].kind !== "limit" || now >= untilCycle) {
      return { ...result, comparisons: comparisons + 1, parting: null };
    }
    before = after[0];
  }
}

/** A report for people. */
export function describeParting({ from, to, exact, instructions, differences }: Parting): string {
  const where = exact
    ? `the engines part between cycles ${from} and ${to}, at one instruction of:`
    : `the engines part between cycles ${from} and ${to}; from there they cannot be brought apart again`;
  return [where, ...instructions.map((line) => `  ${line}`), "they differ in:"]
    .concat(differences.map((line) => `  ${line}`)).join("\n");
}

/** Runs one machine after the other. */
async function runBoth(pair: Pair, options: RunOptions): Promise<[StopReason, StopReason]> {
  return [await pair[0].run(options), await pair[1].run(options)];
}

/** What differs between two machines, by name. */
function compare(
  [a, b]: Pair,
  [left, right]: readonly SnapshotRecord[],
  stops?: readonly [StopReason, StopReason],
): string[] {
  const found: string[] = [];
  const both = (what: string, one: string, other: string) => {
    if (one !== other) found.push(`${what}: ${one} and ${other}`);
  };
  if (stops) both("stop", describeStop(stops[0]), describeStop(stops[1]));
  both("cycle", String(a.now), String(b.now));
  both("trace hash", a.trace.hash, b.trace.hash);
  return [...found, ...differences(left, right)];
}

/** The machines were the same then: one snapshot does for both. */
function fromSnapshot(pair: Pair, before: SnapshotRecord): Replay {
  return async (cycle) => {
    for (const machine of pair) machine.restore(before);
    await runBoth(pair, { untilCycle: cycle as Cycle });
    return pair;
  };
}

function fromPowerOn(create: () => Promise<Pair>): Replay {
  return async (cycle) => {
    const pair = await create();
    await runBoth(pair, { untilCycle: cycle as Cycle });
    return pair;
  };
}

/** Searches [from, to] for the first cycle after which the machines differ, by the first replay that shows it. */
async function findParting(
  replays: readonly Replay[],
  from: Cycle,
  to: Cycle,
  found: readonly string[],
): Promise<Parting> {
  for (const replay of replays) {
    const at = async (cycle: number) => {
      const pair = await replay(cycle);
      return { pair, found: compare(pair, pair.map((machine) => machine.snapshot())) };
    };
    let last = await at(to);
    if (last.found.length === 0) continue;
    let [same, differ] = [from as number, to as number];
    while (differ - same > 1) {
      const middle = same + Math.floor((differ - same) / 2);
      const state = await at(middle);
      if (state.found.length === 0) same = middle;
      else [differ, last] = [middle, state];
    }
    const { found: differences } = last;
    const { pair: [machine] } = await at(same);
    const instructions = await Promise.all(machine.cpus.map((_, cpu) => nextOf(machine, cpu)));
    return { from: same as Cycle, to: differ as Cycle, exact: true, instructions, differences };
  }
  return { from, to, exact: false, instructions: [], differences: found };
}

async function nextOf(machine: Machine, cpu: number): Promise<string> {
  const [line] = await machine.disassemble(undefined, 1, cpu);
  const rip = machine.cpus[cpu].registers.rip.toString(16);
  return `cpu${cpu} at 0x${rip}: ${line?.text ?? "no code"}`;
}
