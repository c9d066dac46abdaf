/**
 * lmbench's `lat_ctx`: a token goes round a ring of processes by pipes, and each sums up an array when it has it. What passing
 * the token on and summing up take without a switch is measured first, with one process, and left out.
 */

import { type Action, call, exit, type Locals, type Program } from "../../kernel/action.ts";
import { LAYOUT } from "../../memory/layout.ts";

/** Rounds that are timed, and those before. */
const ROUNDS = 60;
const WARM_UP = 5;

/** The program for `processes` with an array of `bytes` each; it reports `cycles`, those of one switch. */
export function contextSwitch(processes: number, bytes: number): Program {
  const sum = (then: string): Action => ({
    does: "touch",
    address: LAYOUT.heap,
    bytes: Math.max(bytes, 4),
    write: true,
    then,
  });
  const pipe = (locals: Locals, i: number) => (locals.pipes as number[][])[i % processes];
  const pass = (locals: Locals, then: string) =>
    call("write", { fd: pipe(locals, (locals.me as number) + 1)[1], bytes: 4 }, then);
  const take = (locals: Locals, then: string) =>
    call("read", { fd: pipe(locals, locals.me as number)[0], bytes: 4 }, then);
  return {
    name: `lat_ctx -s ${bytes / 1024} ${processes}`,
    image: { textPages: 60, dataPages: 8, heapPages: Math.max(1, bytes / 4096) },
    steps: {
      begin: ({ locals }) => {
        locals.pipes = [];
        locals.me = 0;
        locals.round = -WARM_UP;
        return call("pipe", {}, "made");
      },
      made: ({ locals, result }) => {
        const pipes = [...locals.pipes as number[][], result as number[]];
        locals.pipes = pipes;
        return pipes.length < processes ? call("pipe", {}, "made") : sum("alone");
      },
      // One process: the token comes back by the pipe it went into.
      alone: ({ locals, now }) => {
        const round = locals.round as number + 1;
        locals.round = round;
        if (round === 1) locals.begun = now;
        if (round > ROUNDS) {
          locals.overhead = (now - (locals.begun as number)) / ROUNDS;
          locals.round = -WARM_UP;
          return call("getpid", {}, "spawn");
        }
        return call("write", { fd: pipe(locals, 0)[1], bytes: 4 }, "aloneRead");
      },
      aloneRead: ({ locals }) => call("read", { fd: pipe(locals, 0)[0], bytes: 4 }, "aloneSum"),
      aloneSum: () => sum("alone"),
      spawn: ({ locals }) => {
        locals.me = locals.me as number + 1;
        if (locals.me < processes) return call("fork", { child: "listen" }, "spawn");
        locals.me = 0;
        return call("getpid", {}, "round");
      },
      round: ({ locals, now }) => {
        const round = locals.round as number + 1;
        locals.round = round;
        if (round === 1) locals.begun = now;
        if (round <= ROUNDS) return pass(locals, "receive");
        const each = (now - (locals.begun as number)) / (ROUNDS * processes);
        const cycles = each - (locals.overhead as number);
        return call("report", { name: "cycles", value: cycles }, "end");
      },
      receive: ({ locals }) => take(locals, "roundSum"),
      roundSum: () => sum("round"),
      end: () => exit(),
      listen: ({ locals }) => take(locals, "heard"),
      heard: ({ value }) => value > 0 ? sum("answer") : exit(),
      answer: ({ locals }) => pass(locals, "listen"),
    },
  };
}
