/** lmbench's latencies of names and descriptors: `stat`, `open` and `close`, and `select` on TCP sockets. */

import { call, compute, type Program } from "../../kernel/action.ts";
import { timed } from "./timed.ts";

const DIRECTORIES = ["usr", "usr/tmp"];
const PATH = "usr/tmp/lmbench";
const PORT = 31_236;
/** Descriptors that `lat_select` waits for. */
const SELECTED = 100;

/** Steps that make the file that is asked for. */
const makeFile = {
  begin: () => call("mkdir", { path: DIRECTORIES[0] }, "inner"),
  inner: () => call("mkdir", { path: DIRECTORIES[1] }, "make"),
  make: () => call("open", { path: PATH, create: true }, "made"),
  made: ({ value }: { value: number }) => call("close", { fd: value }, "again"),
};

/** What is known of a file, by its name. */
export const statFile: Program = timed({
  name: "lat_syscall stat",
  iterations: 1000,
  prepare: makeFile,
  iteration: "operation",
  steps: { operation: () => call("stat", { path: PATH }, "again") },
});

/** A file opened and closed. */
export const openClose: Program = timed({
  name: "lat_syscall open",
  iterations: 1000,
  prepare: makeFile,
  iteration: "operation",
  steps: {
    operation: () => call("open", { path: PATH }, "opened"),
    opened: ({ value }) => call("close", { fd: value }, "again"),
  },
});

/** A look at 100 descriptors of a TCP connection, one of which can be written to. */
export const selectTcp: Program = timed({
  name: "lat_select tcp",
  iterations: 200,
  prepare: {
    begin: () => call("listen", { port: PORT }, "listening"),
    listening: ({ locals, value }) => {
      locals.listening = value;
      return call("fork", { child: "connect" }, "accept");
    },
    accept: ({ locals }) => call("accept", { fd: locals.listening }, "accepted"),
    accepted: ({ locals, value }) => {
      locals.fds = [value];
      return call("dup", { fd: value }, "duplicated");
    },
    duplicated: ({ locals, value }) => {
      const fds = [...locals.fds as number[], value];
      locals.fds = fds;
      return fds.length < SELECTED ? call("dup", { fd: value }, "duplicated") : compute(1, "again");
    },
    connect: ({ locals }) => call("connect", { address: locals.address, port: PORT }, "connected"),
    connected: ({ value }) => call("recv", { fd: value, bytes: 1 }, "over"),
    over: () => ({ does: "exit", status: 0 }),
  },
  iteration: "operation",
  steps: {
    operation: ({ locals }) => call("select", { read: locals.fds, cycles: 0 }, "again"),
  },
});
