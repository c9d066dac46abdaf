/**
 * dbench: the file operations that a file server makes for one client of NetBench, without network or client.
 *
 * The mix of operations is that of dbench's own summary of its load file, as its users print it; the file itself is not
 * public reading here, so names, sizes and order are drawn. The score is megabytes read and written per second; the mean
 * sizes are chosen such that native Linux's comes out as the paper's. Flushes do nothing, as in dbench 1.
 */

import { type Action, call, exit, type Locals, type Program } from "../kernel/action.ts";
import { draw, drawBelow } from "./draw.ts";

/** What dbench reports. */
export const DBENCH = { bytes: "dbench bytes", cycles: "dbench cycles" } as const;

/** Operations of the mix: how many of each in a thousand of files opened. */
const MIX = {
  open: 1000,
  rename: 42,
  unlink: 202,
  mkdir: 2,
  pathInfo: 907,
  find: 350,
  write: 496,
  read: 1570,
} as const;
type Operation = keyof typeof MIX;

const OPERATIONS = Object.keys(MIX) as Operation[];
const TOTAL = Object.values(MIX).reduce((sum: number, each) => sum + each, 0);

/** Files that the client knows at most, and how many it keeps open. */
const FILES = 300;
const OPEN_FILES = 16;
const DIRECTORIES = 12;
/** Bytes of a read and of a write on average, and the size that a file does not exceed. */
const READ_BYTES = 15_000;
const WRITE_BYTES = 14_000;
const FILE_BYTES = 256 * 1024;
/** Cycles of the program between two operations: a line of the load file read and taken apart. */
const LINE_CYCLES = 4650;

/** The program between two operations. */
const PAUSE: Action = { does: "compute", cycles: LINE_CYCLES, then: "operation" };

/** Locals: `operations`, how many, and `random`, where the draws begin. */
export const dbench: Program = {
  name: "dbench",
  image: { textPages: 60, dataPages: 10, heapPages: 80 },
  steps: {
    begin: ({ locals }) => {
      Object.assign(locals, { directory: 0, open: [], bytes: 0, done: 0 });
      return call("mkdir", { path: "clients" }, "prepare");
    },
    prepare: ({ locals, now }) => {
      const directory = locals.directory as number;
      locals.directory = directory + 1;
      if (directory < DIRECTORIES) {
        return call("mkdir", { path: `clients/d${directory}` }, "prepare");
      }
      locals.begun = now;
      return PAUSE;
    },
    operation,
    opened: ({ locals, value }) => {
      if (value < 0) return PAUSE;
      const open = locals.open as number[];
      open.push(value);
      if (open.length <= OPEN_FILES) return PAUSE;
      locals.done = (locals.done as number) + 1;
      return call("close", { fd: open.shift()! }, "next");
    },
    placed: ({ locals }) => {
      const { what, fd, size } = locals;
      return call(what as string, { fd, bytes: size }, "moved");
    },
    moved: ({ locals, value }) => {
      locals.bytes = (locals.bytes as number) + Math.max(0, value);
      return PAUSE;
    },
    next: () => PAUSE,
    closing: ({ locals, now }) => {
      const fd = (locals.open as number[]).shift();
      if (fd !== undefined) return call("close", { fd }, "closing");
      locals.cycles = now - (locals.begun as number);
      return call("report", { name: DBENCH.bytes, value: locals.bytes }, "report");
    },
    report: ({ locals }) => call("report", { name: DBENCH.cycles, value: locals.cycles }, "end"),
    end: () => exit(),
  },
};

/** Draws the next operation. */
function operation({ locals }: { readonly locals: Locals }): Action {
  if ((locals.done as number) >= (locals.operations as number)) {
    return { does: "compute", cycles: 0, then: "closing" };
  }
  locals.done = (locals.done as number) + 1;
  let at = draw(locals) * TOTAL;
  const kind = OPERATIONS.find((name) => (at -= MIX[name]) < 0) ?? "open";
  switch (kind) {
    case "open":
      return call("open", { path: fileOf(locals), create: draw(locals) < 0.35 }, "opened");
    case "unlink":
      return call("unlink", { path: fileOf(locals) }, "next");
    case "rename":
      return call("rename", { path: fileOf(locals), to: fileOf(locals) }, "next");
    case "mkdir":
      return call("mkdir", { path: directoryOf(locals) }, "next");
    case "pathInfo":
      return call("stat", { path: fileOf(locals) }, "next");
    case "find":
      return call("readdir", { path: directoryOf(locals) }, "next");
    case "read":
    case "write":
      return transfer(locals, kind);
  }
}

/** A place in one of the open files, and what to do there. */
function transfer(locals: Locals, what: "read" | "write"): Action {
  const open = locals.open as number[];
  if (open.length === 0) return PAUSE;
  const mean = what === "read" ? READ_BYTES : WRITE_BYTES;
  const size = 1 + drawBelow(locals, 2 * mean);
  Object.assign(locals, { what, fd: open[drawBelow(locals, open.length)], size });
  const position = what === "read" ? 0 : drawBelow(locals, FILE_BYTES - size);
  return call("lseek", { fd: locals.fd, position }, "placed");
}

function directoryOf(locals: Locals): string {
  return `clients/d${drawBelow(locals, DIRECTORIES)}`;
}

function fileOf(locals: Locals): string {
  const number = drawBelow(locals, FILES);
  return `clients/d${number % DIRECTORIES}/f${number}`;
}
