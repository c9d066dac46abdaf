/** Replaying logs; see replay/replay.ts for what they are. */

import type { Cycle } from "../core/clock/clock.ts";
import { SnapshotError } from "../core/lib/snapshot.ts";
import { PcMachine } from "./machine/machine.ts";
import { gatherParts } from "./machine/parts.ts";
import type { Replay, ReplayMachine, ReplayOptions } from "./machine_api.ts";
import { machines } from "./machine_registry.ts";
import { lastCycle, type LogMark, type ReplayLog } from "./replay/log_file.ts";
import { readReplay } from "./replay/replay.ts";

/** Builds the machine of a log and runs it as it was recorded; see {@link ReplayMachine}. */
export const replay: ReplayMachine = async (path, options = {}) => {
  const origin = await readReplay(path, options.snapshot);
  const { log, saved } = origin;
  const { checkpoints } = options;
  const all = checkpoints === undefined ? origin.options : { ...origin.options, checkpoints };
  const machine = new PcMachine(await gatherParts(all, freeName(log, options), origin.images));
  if (saved) machine.restore(saved.record, saved.ram);
  const { hash } = machine.trace;
  if (machine.now !== log.start.cycle || hash !== log.start.hash) {
    throw new SnapshotError(`log ${path} does not begin from this machine: its start differs`);
  }
  machines.add(machine);
  options.onStart?.(machine);
  machine.expectInputs(log.inputs);
  const checked = await follow(machine, log, options);
  const { tornBytes } = log;
  return { machine, recordedTo: lastCycle(log), checked, tornBytes } satisfies Replay;
};

function freeName(log: ReplayLog, { name }: ReplayOptions): string {
  if (name !== undefined && machines.get(name)) {
    throw new RangeError(`option name: there is a machine named ${name} already`);
  }
  return name ?? (machines.get(log.start.name) ? machines.nextName() : log.start.name);
}

/** Runs the machine to where it is wanted; returns how many marks it has passed as recorded. */
async function follow(
  machine: PcMachine,
  log: ReplayLog,
  { to, signal }: ReplayOptions,
): Promise<number> {
  const marks = new Map(log.marks.map(({ cycle, hash }) => [cycle as number, hash]));
  let checked = 0;
  const check = ({ cycle, hash }: LogMark, expected: string) => {
    if (hash !== expected) {
      throw new SnapshotError(
        `the replay differs from what was recorded at cycle ${cycle}, or before: its trace hash is ` +
          `${hash}, was ${expected}`,
      );
    }
    checked++;
  };
  machine.onStateDigest = (cycle) => {
    const expected = marks.get(cycle);
    if (expected !== undefined) check({ cycle, hash: machine.trace.hash }, expected);
  };
  try {
    const target = to ?? lastCycle(log);
    const { end } = log;
    if (end && end.cycle >= machine.now && end.cycle <= target) {
      await advance(machine, end.cycle, signal);
      if (machine.now === end.cycle) check({ ...end, hash: machine.trace.hash }, end.hash);
    }
    await advance(machine, target, signal);
  } finally {
    machine.onStateDigest = () => {};
  }
  return checked;
}

async function advance(machine: PcMachine, to: Cycle, signal?: AbortSignal): Promise<void> {
  while (machine.now < to && !signal?.aborted) {
    const from = machine.now;
    const { kind } = await machine.run({ untilCycle: to, signal });
    if (kind === "aborted" || machine.now === from) return;
  }
}
