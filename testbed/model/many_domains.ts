/**
 * Scalability (SOSP 2003, section 4.5 and Figure 6): many copies of a program that computes, on two CPUs; each in a domain of its
 * own under BVT, or all as processes of one native kernel.
 */

import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import type { Kernel } from "../../guests/model/mod.ts";
import { computing, secondsOf } from "../../guests/model/workloads/compute.ts";
import { Host } from "../host/host.ts";
import { ModelBox } from "./model_box.ts";
import { type Advancing, runUntil } from "./run_until.ts";
import { digestSchedule } from "./schedule_digest.ts";

/** What {@link manyCopies} is asked for. */
export interface ManyCopiesOptions {
  /** Copies of the program: 1 to 128 of the paper's. */
  readonly copies: number;
  /** A domain for each, which keeps a CPU for so many milliseconds (`ctx_allow`); null: processes of one native kernel. */
  readonly sliceMs: number | null;
  /** Simulated seconds that are measured; default: several rounds of everybody's turns, at least 4. */
  readonly seconds?: number;
  /** Decides when each kernel is up, and which memory it uses; default 1. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** What {@link manyCopies} found. */
export interface ManyCopiesResult {
  /** How much is computed, in CPUs' worth. */
  readonly throughput: number;
  readonly trace: { readonly hash: string };
}

/** Figure 6: copies, then throughput of Linux, of Xen with slices of 50 ms, of Xen with slices of 5 ms. */
export const FIGURE_6: readonly (readonly [number, number, number, number])[] = [
  [1, 1.00, 1.00, 1.00],
  [2, 1.99, 2.00, 2.00],
  [4, 1.99, 1.99, 1.93],
  [8, 1.99, 1.99, 1.88],
  [16, 1.99, 1.99, 1.86],
  [32, 1.99, 1.98, 1.86],
  [64, 1.98, 1.98, 1.85],
  [96, 1.98, 1.98, 1.85],
  [128, 1.98, 1.98, 1.85],
];

const PROFILE = "xeon-2003";
const CPUS = 2;
/** A timeslice of Linux 2.4. */
const NATIVE_SLICE_MS = 60;
const LEAST_SECONDS = 4;

/** Runs the copies and measures. Rejects with `RangeError` for more domains than memory holds, with the signal's reason if it is aborted. */
export async function manyCopies(options: ManyCopiesOptions): Promise<ManyCopiesResult> {
  const { copies, sliceMs, seed = 1, signal } = options;
  const turns = copies / CPUS * (sliceMs ?? NATIVE_SLICE_MS) / 1000;
  const seconds = options.seconds ?? Math.max(LEAST_SECONDS, 2 * turns);
  const warmUp = Math.max(1, turns);
  const { frequencyHz } = profileNamed(PROFILE);
  const running = sliceMs === null
    ? native(copies, seed)
    : await domains(copies, sliceMs, frequencyHz, seed);
  const { kernels, dispatcher } = running;
  const trace = digestSchedule(dispatcher);
  const at = (time: number) => Math.round(time * frequencyHz);
  await runUntil(running, at(warmUp), { signal });
  const before = done(kernels);
  await runUntil(running, at(warmUp + seconds), { signal });
  signal?.throwIfAborted();
  return { throughput: (done(kernels) - before) / seconds, trace: { hash: trace.hash } };
}

interface Running extends Advancing {
  readonly kernels: readonly Kernel[];
}

async function domains(
  copies: number,
  sliceMs: number,
  frequencyHz: number,
  seed: number,
): Promise<Running> {
  const host = await Host.boot({
    cpus: CPUS,
    memory: "1GiB",
    scheduler: "bvt",
    profile: PROFILE,
    frequencyHz,
  });
  const program = computing(frequencyHz);
  const { policy } = host.dispatcher.pools.all[0];
  policy.adjust({ ctx_allow: sliceMs * 1e6 }, host.dispatcher.now);
  const kernels = Array.from({ length: copies }, (_, i) => {
    const about = { name: `spec${i + 1}`, memory: "6MiB", seed: seed * 1000 + i };
    const { kernel } = host.modelled.create(about);
    kernel.spawn(program);
    return kernel;
  });
  return { kernels, dispatcher: host.dispatcher, clock: host.hardware.clock };
}

function native(copies: number, seed: number): Running {
  const machine = { profile: PROFILE, platform: "native", cpus: CPUS, memory: "1GiB" } as const;
  const box = ModelBox.boot({ ...machine, seed });
  const { kernel } = box.linux;
  const program = computing(kernel.frequencyHz);
  for (let i = 0; i < copies; i++) kernel.spawn(program);
  return { kernels: [kernel], dispatcher: box.machine.dispatcher, clock: box.machine.clock };
}

/** Seconds of computing that are done. */
function done(kernels: readonly Kernel[]): number {
  return kernels.reduce((sum, kernel) => {
    for (const { locals } of kernel.processes.values()) {
      sum += secondsOf(locals.rounds as number ?? 0);
    }
    return sum;
  }, 0);
}
