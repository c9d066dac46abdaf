/**
 * Building a Linux 2.4 kernel (SOSP 2003, Figure 3): `make` starts a compiler for each source file, one after the other; a compiler
 * is a new process that reads headers, asks for memory bit by bit, computes, and writes an object file.
 *
 * The counts for one source file are those of gcc 2.96 in round numbers: some 180 headers, 20 MB of memory, a quarter of a second of
 * preprocessing and compiling; the whole is 930 files.
 */

import { type Action, call, compute, exit, type Program } from "../kernel/action.ts";

const PAGE_BYTES = 4096;
/** Files in a default configuration. */
export const BUILD_FILES = 930;
/** Headers that a source file includes, all of them in the page cache after the first few. */
const HEADERS = 180;
const HEADER_BYTES = 9000;
/** Pages that the compiler uses and gives back at its end: supposed, with Figure 3's bars at hand. */
const MEMORY_PAGES = 5200;
/** Its work is in so many parts: a header, memory, computing, and the small calls between. */
const PARTS = HEADERS;
/** `brk`, `lseek`, `gettimeofday`, `fcntl`, `ioctl` on the way: cheap calls, for each part. */
const SMALL_CALLS = 16;
const OBJECT_BYTES = 24_000;
/** What it computes for a file, in seconds of a 2.4 GHz Xeon. */
const SECONDS_PER_FILE = 0.2583;

const header = (number: number) => `include/header${number}.h`;

/** `cc1`: compiles one file. Locals: `frequencyHz`. */
export const compiler: Program = {
  name: "cc1",
  image: { textPages: 700, dataPages: 60, heapPages: 30 },
  steps: {
    begin: ({ locals }) => {
      locals.part = 0;
      return call("mmap", { pages: MEMORY_PAGES }, "mapped");
    },
    mapped: ({ locals, value }) => {
      locals.address = value;
      return open(locals.part as number);
    },
    part: ({ locals }) => {
      const part = locals.part as number;
      return part < PARTS
        ? open(part)
        : call("open", { path: "object.o", create: true, truncate: true }, "object");
    },
    opened: ({ locals, value }) => {
      locals.fd = value;
      return call("read", { fd: value, bytes: HEADER_BYTES }, "read");
    },
    read: ({ locals }) => call("close", { fd: locals.fd }, "use"),
    use: ({ locals }): Action => {
      const part = locals.part as number;
      const pages = Math.floor(MEMORY_PAGES / PARTS);
      locals.part = part + 1;
      locals.small = 0;
      const address = locals.address as number + part * pages * PAGE_BYTES;
      // A page is used here and there before it is full.
      return { does: "touch", address, bytes: pages * PAGE_BYTES, write: true, then: "compute" };
    },
    compute: ({ locals }) =>
      compute(Math.round(SECONDS_PER_FILE * (locals.frequencyHz as number) / PARTS), "small"),
    small: ({ locals }) => {
      const small = locals.small as number + 1;
      locals.small = small;
      return small <= SMALL_CALLS ? call("getpid", {}, "small") : call("getpid", {}, "part");
    },
    object: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: OBJECT_BYTES }, "written");
    },
    written: ({ locals }) => call("close", { fd: locals.fd }, "end"),
    end: () => exit(),
  },
};

function open(part: number): Action {
  return call("open", { path: header(part) }, "opened");
}

/** `make`. Locals: `files`, how many there are, and `frequencyHz`; reports `cycles`, those of the whole build. */
export const kernelBuild: Program = {
  name: "make",
  image: { textPages: 60, dataPages: 20, heapPages: 60 },
  steps: {
    begin: ({ locals }) => {
      locals.number = 0;
      return call("mkdir", { path: "include" }, "header");
    },
    // The headers are there; whoever reads them first has them read from the disk.
    header: ({ locals }) =>
      call("open", { path: header(locals.number as number), create: true }, "fill"),
    fill: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: HEADER_BYTES }, "filled");
    },
    filled: ({ locals }) => call("close", { fd: locals.fd }, "next"),
    next: ({ locals, now }) => {
      const number = locals.number as number + 1;
      locals.number = number;
      if (number < HEADERS) return call("open", { path: header(number), create: true }, "fill");
      locals.number = 0;
      locals.begun = now;
      return call("getpid", {}, "make");
    },
    make: () => call("stat", { path: header(0) }, "fork"),
    fork: ({ locals, now }) => {
      const number = locals.number as number;
      if (number === locals.files) {
        const cycles = now - (locals.begun as number);
        return call("report", { name: "cycles", value: cycles }, "end");
      }
      locals.number = number + 1;
      return call("fork", { child: "compile" }, "wait");
    },
    compile: ({ locals }) =>
      call(
        "execve",
        { program: compiler.name, locals: { frequencyHz: locals.frequencyHz } },
        "end",
      ),
    wait: () => call("wait4", {}, "fork"),
    end: () => exit(),
  },
};
