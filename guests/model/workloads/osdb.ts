/**
 * The multi-user tests of the Open Source Database Benchmark: users that ask a database for one random tuple after the other
 * (IR, information retrieval), or change one each (OLTP).
 *
 * What a user sends is OSDB's: IR opens a cursor in a transaction, fetches, closes and commits; OLTP begins, updates and
 * commits. What the server makes of it (`postgresql.ts`) is ours: neither tables nor plans of the paper's runs are public.
 */

import { call, compute, type Program } from "../kernel/action.ts";
import { DATABASE_SOCKET, request, type Statement } from "./postgresql.ts";

/** The two tests, and the statements of one round: it retrieves or changes one tuple. */
export const OSDB_TESTS = {
  ir: ["simple", "select", "simple", "simple"],
  oltp: ["simple", "update", "commit"],
} as const satisfies Record<string, readonly Statement[]>;

export type OsdbTest = keyof typeof OSDB_TESTS;

/** Users unless told otherwise: OSDB's default. */
export const OSDB_USERS = 10;
/** The shared segment in which users count tuples. */
const SEGMENT = "osdb";
/** Cycles of the client library for a statement: sent, and its answer taken apart. */
const CLIENT_CYCLES = 14_000;

/** Forks users. Locals: `test` ({@link OsdbTest}), `users`. */
export const osdb: Program = {
  name: "osdb",
  image: { textPages: 60, dataPages: 8, heapPages: 30 },
  steps: {
    begin: ({ locals }) => {
      locals.started = 0;
      return call("shmget", { name: SEGMENT, contents: { tuples: 0 } }, "next");
    },
    next: ({ locals }) => {
      const started = locals.started as number;
      locals.started = started + 1;
      return started < (locals.users as number)
        ? call("fork", { child: "user" }, "next")
        : call("wait4", {}, "next");
    },
    user: () => call("unix_connect", { path: DATABASE_SOCKET }, "connected"),
    connected: ({ locals, value }) => {
      // The server may not listen yet.
      if (value < 0) return call("nanosleep", { cycles: 24_000_000 }, "user");
      Object.assign(locals, { fd: value, statement: 0 });
      return compute(CLIENT_CYCLES, "send");
    },
    send: ({ locals }) => {
      const statements: readonly Statement[] = OSDB_TESTS[locals.test as OsdbTest];
      const { bytes, message } = request(statements[locals.statement as number]);
      return call("write", { fd: locals.fd, bytes, message }, "sent");
    },
    sent: ({ locals }) => call("read", { fd: locals.fd, bytes: 8192 }, "answered"),
    answered: ({ locals, value, segments }) => {
      if (value <= 0) return { does: "exit", status: 1 };
      const { length } = OSDB_TESTS[locals.test as OsdbTest];
      const next = (locals.statement as number) + 1;
      locals.statement = next % length;
      if (next === length) {
        const counts = segments.get(SEGMENT)!;
        counts.tuples = (counts.tuples as number) + 1;
      }
      return compute(CLIENT_CYCLES, "send");
    },
  },
};

/** Tuples retrieved or changed so far, as the users' shared segment has them. */
export function tuplesOf(
  segments: ReadonlyMap<string, { readonly [name: string]: unknown }>,
): number {
  return Number(segments.get(SEGMENT)?.tuples ?? 0);
}
