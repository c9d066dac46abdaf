/**
 * A profile of a guest: how much of the time its CPUs spent in which function, seen by deterministic sampling.
 *
 * Names are those of the kernel that the machine was given, at the addresses that it is linked to. Code without a name
 * (processes, modules, firmware, a kernel that has moved) is told by its page. Callers are known where the kernel
 * keeps frame pointers; Debian's amd64 kernels do not, and a sample is then the function alone.
 */

import type { SymbolTable } from "../../core/lib/symbol_table.ts";
import { type CodePosition, SampleLog } from "../../core/trace/sample_log.ts";
import {
  callersByFramePointer,
  codeAddress,
  ringOf,
  type Sampler,
} from "../../core/x86/sampling.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import type { KernelCode } from "../../guests/linux/mod.ts";
import { printAs, table } from "../tables.ts";

/** Default distance of two samples of a CPU, in cycles. */
export const DEFAULT_SAMPLE_CYCLES = 10_090;
const PAGE_BITS = 12n;
/** Lines of what a profile prints of itself. */
const TOP = 20;

/** How many samples found a CPU in a function. */
export interface FunctionShare {
  readonly name: string;
  readonly samples: number;
  /** Of all samples, 0 to 1. */
  readonly share: number;
}

/** Consecutive samples that found one CPU at one place. */
export interface StackRun {
  readonly cpu: number;
  /** The instant of the first one. */
  readonly cycle: number;
  /** Frames, outermost first: the ring, callers, the function. */
  readonly frames: readonly string[];
  readonly samples: number;
}

/** Samples of one machine, and names for them. Prints as a table of the functions with most samples. */
export class GuestProfile implements Sampler {
  /** Whether nothing is sampled: what happens has happened before. */
  muted = false;
  readonly #log: SampleLog;
  /** A position is named once. */
  readonly #frames = new Map<CodePosition, readonly string[]>();

  /** `stop` ends the sampling; `everyCycles` is the distance of two samples of a CPU. */
  constructor(
    private readonly kernel: Pick<KernelCode, "symbols" | "framePointers"> | null,
    /** Cycles in a second of simulated time. */
    readonly frequencyHz: number,
    everyCycles: number,
    readonly stop: () => void,
  ) {
    this.#log = new SampleLog(everyCycles);
  }

  get everyCycles(): number {
    return this.#log.everyCycles;
  }

  /** Samples taken so far. */
  get samples(): number {
    return this.#log.length;
  }

  nextAfter(cycle: number): number {
    return this.#log.nextAfter(cycle);
  }

  sample(cpu: Cpu, cycle: number): void {
    if (this.muted) return;
    const ring = ringOf(cpu);
    const follows = ring === 0 && this.kernel?.framePointers;
    const callers = follows ? callersByFramePointer(cpu) : [];
    this.#log.add(cpu.index, cycle, { ring, addresses: [codeAddress(cpu), ...callers] });
  }

  /** What was sampled, for each CPU in the order of time. */
  *runs(): Generator<StackRun> {
    const open = new Map<number, StackRun>();
    for (const { cpu, cycle, position } of this.#log) {
      const frames = this.#framesOf(position);
      const last = open.get(cpu);
      const isSame = last && last.frames.length === frames.length &&
        frames.every((frame, i) => frame === last.frames[i]);
      if (last && !isSame) yield last;
      const samples = isSame ? last.samples + 1 : 1;
      open.set(cpu, { cpu, cycle: isSame ? last.cycle : cycle, frames, samples });
    }
    yield* open.values();
  }

  /** The functions with most samples of their own, most first. */
  functions(): FunctionShare[] {
    const counts = new Map<string, number>();
    for (const { frames, samples } of this.runs()) {
      const name = frames[frames.length - 1];
      counts.set(name, (counts.get(name) ?? 0) + samples);
    }
    return [...counts]
      .map(([name, samples]) => ({ name, samples, share: samples / this.samples }))
      .sort((a, b) => b.samples - a.samples);
  }

  #framesOf(position: CodePosition): readonly string[] {
    let frames = this.#frames.get(position);
    if (!frames) {
      const { ring, addresses } = position;
      frames = [`ring ${ring}`, ...this.#names(ring, addresses).reverse()];
      this.#frames.set(position, frames);
    }
    return frames;
  }

  #names(ring: number, [place, ...callers]: readonly bigint[]): string[] {
    const symbols = ring === 0 ? this.kernel?.symbols : undefined;
    // A return point may lie behind its function's end, if that is a call which never returns.
    return [place, ...callers.map((point) => point - 1n)].map((at) => nameOf(at, symbols));
  }
}

function nameOf(address: bigint, symbols: SymbolTable | undefined): string {
  return symbols?.find(address)?.name ??
    `page 0x${((address >> PAGE_BITS) << PAGE_BITS).toString(16)}`;
}

/** The functions of a profile with most samples, as a table. */
export function listFunctions(profile: GuestProfile, count = TOP): string {
  if (profile.samples === 0) return "no samples yet: run the machine";
  const rows = profile.functions().slice(0, count).map(({ name, samples, share }) => [
    samples,
    `${(100 * share).toFixed(1)} %`,
    name,
  ]);
  return [
    table(["samples", "share", "function"], rows),
    `${profile.samples} samples, one in ${profile.everyCycles} cycles of each CPU`,
  ].join("\n");
}

printAs(GuestProfile.prototype, listFunctions);
