/**
 * Programs that compute, as those of SPEC CINT2000: a working set that fits into the second-level cache, few page faults,
 * hardly any system calls. What others displaced of the working set is fetched again when it is next used.
 */

import { compute, type Program } from "../kernel/action.ts";
import { LAYOUT } from "../memory/layout.ts";

/** Bytes that such a program uses again and again. */
const WORKING_SET = 192 * 1024;
/** How long it computes between two looks at its whole working set, in seconds. */
const ROUND_SECONDS = 0.001;

/** Computes for ever, and counts in `rounds` how far it got. */
export function computing(frequencyHz: number): Program {
  const cycles = Math.round(frequencyHz * ROUND_SECONDS);
  return {
    name: "compute",
    image: { textPages: 64, dataPages: 16, heapPages: WORKING_SET / 4096 },
    steps: {
      use: () => ({
        does: "touch",
        address: LAYOUT.heap,
        bytes: WORKING_SET,
        write: true,
        then: "round",
      }),
      round: () => compute(cycles, "count"),
      count: ({ locals }) => {
        locals.rounds = (locals.rounds as number ?? 0) + 1;
        return compute(1, "use");
      },
    },
  };
}

/** The seconds of computing that `rounds` are. */
export function secondsOf(rounds: number): number {
  return rounds * ROUND_SECONDS;
}
