/** The disruptive one for processes: a program that forks as often as it may, and whose children do the same (SOSP'03, 4.4). */

import { call, compute, type Program } from "../kernel/action.ts";

/** The shared segment in which all count themselves, as the kernel counts a user's processes. */
const SEGMENT = "fork bomb";
/** Cycles between two attempts. */
const SPIN_CYCLES = 50_000;

/** Locals: `limit`, how many processes its user may have (`RLIMIT_NPROC`). */
export const forkBomb: Program = {
  name: "fork bomb",
  image: { textPages: 2, dataPages: 2, heapPages: 4 },
  steps: {
    begin: () => call("shmget", { name: SEGMENT, contents: { processes: 1 } }, "more"),
    more: ({ locals, segments }) => {
      const user = segments.get(SEGMENT)!;
      if ((user.processes as number) >= (locals.limit as number)) {
        return compute(SPIN_CYCLES, "more");
      }
      user.processes = (user.processes as number) + 1;
      return call("fork", { child: "more" }, "forked");
    },
    forked: () => compute(SPIN_CYCLES, "more"),
  },
};
