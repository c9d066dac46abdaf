/**
 * Profiles as files that viewers open: speedscope's own format, and folded stacks as of Brendan Gregg's flame graphs.
 * Source: speedscope, `src/lib/file-format-spec.ts`, and its wiki, "Importing from custom sources".
 */

import type { GuestProfile, StackRun } from "./guest_profile.ts";

/** A file of speedscope's format, as far as it is used here. */
export interface SpeedscopeFile {
  readonly $schema: "https://www.speedscope.app/file-format-schema.json";
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly SampledProfile[];
  readonly name: string;
  readonly activeProfileIndex: number;
  readonly exporter: string;
}

/** One timeline: `samples[i]` are numbers of frames, outermost first, that lasted for `weights[i]`. */
export interface SampledProfile {
  readonly type: "sampled";
  readonly name: string;
  readonly unit: "nanoseconds";
  readonly startValue: number;
  readonly endValue: number;
  readonly samples: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

/** A profile in speedscope's format: a timeline for each CPU. `name` is the machine's. */
export function speedscopeFile(profile: GuestProfile, name: string): SpeedscopeFile {
  const frames = new Map<string, number>();
  const numberOf = (frame: string) => {
    const known = frames.get(frame);
    if (known !== undefined) return known;
    frames.set(frame, frames.size);
    return frames.size - 1;
  };
  const weightNs = (profile.everyCycles * 1e9) / profile.frequencyHz;
  const byCpu = new Map<number, StackRun[]>();
  for (const run of profile.runs()) {
    const runs = byCpu.get(run.cpu);
    if (runs) runs.push(run);
    else byCpu.set(run.cpu, [run]);
  }
  const profiles = [...byCpu].sort(([a], [b]) => a - b).map(([cpu, runs]): SampledProfile => {
    const weights = runs.map(({ samples }) => samples * weightNs);
    return {
      type: "sampled",
      name: `CPU ${cpu}`,
      unit: "nanoseconds",
      startValue: 0,
      endValue: weights.reduce((sum, weight) => sum + weight, 0),
      samples: runs.map((run) => run.frames.map(numberOf)),
      weights,
    };
  });
  return {
    $schema: "https://www.speedscope.app/file-format-schema.json",
    shared: { frames: [...frames.keys()].map((frame) => ({ name: frame })) },
    profiles,
    name,
    activeProfileIndex: 0,
    exporter: "xenarium",
  };
}

/** A profile as folded stacks: `CPU 0;ring 0;caller;function samples`, one line for each stack. */
export function foldedStacks(profile: GuestProfile): string[] {
  const counts = new Map<string, number>();
  for (const { cpu, frames, samples } of profile.runs()) {
    const stack = [`CPU ${cpu}`, ...frames].join(";");
    counts.set(stack, (counts.get(stack) ?? 0) + samples);
  }
  return [...counts].map(([stack, samples]) => `${stack} ${samples}`).sort();
}
