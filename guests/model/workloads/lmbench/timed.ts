/** The frame of a latency benchmark: an operation again and again, and what one took, as lmbench's `BENCH`. */

import {
  type Action,
  call,
  exit,
  type Program,
  type ProgramImage,
  type Step,
} from "../../kernel/action.ts";

/** How a benchmark does its operation; steps of an iteration end by going to `again`. */
export interface Timed {
  readonly name: string;
  readonly iterations: number;
  readonly image?: ProgramImage;
  /** Steps before the first iteration, from `begin` on, ending at `again`; without it there is nothing to prepare. */
  readonly prepare?: Readonly<Record<string, Step>>;
  /** Where an iteration begins. */
  readonly iteration: string;
  readonly steps: Readonly<Record<string, Step>>;
}

/** Iterations that are not counted: caches fill, tables are made. */
const WARM_UP = 4;

/** The program that reports `cycles`, those of one iteration. */
export function timed(benchmark: Timed): Program {
  const { name, iterations, prepare, iteration, steps, image } = benchmark;
  const frame: Record<string, Step> = {
    again: (context): Action => {
      const { locals, now } = context;
      const done = (locals.done as number ?? -WARM_UP) + 1;
      locals.done = done;
      if (done === 1) locals.begun = now;
      if (done <= iterations) return steps[iteration](context);
      const cycles = (now - (locals.begun as number)) / iterations;
      return call("report", { name: "cycles", value: cycles }, "end");
    },
    end: () => exit(),
  };
  return { name, image, steps: { ...(prepare ?? { begin: frame.again }), ...frame, ...steps } };
}

/** A benchmark of one system call. */
export function timedCall(
  name: string,
  callName: string,
  args: Parameters<typeof call>[1] = {},
): Program {
  return timed({
    name,
    iterations: 1000,
    iteration: "operation",
    steps: { operation: () => call(callName, args, "again") },
  });
}
