/** lmbench's suite of processes: system calls, signals, fork, exec, shell (`lat_syscall`, `lat_sig`, `lat_proc`). */

import { type Action, call, compute, exit, type Program } from "../../kernel/action.ts";
import { LAYOUT } from "../../memory/layout.ts";
import { timed, timedCall } from "./timed.ts";

const PAGE_BYTES = 4096;

/** The smallest system call. */
export const nullCall: Program = timedCall("lat_syscall null", "getppid");

/** A byte of `/dev/zero` read, or a byte written to `/dev/null`. */
export const nullIo: Program = timed({
  name: "lat_syscall read and write",
  iterations: 1000,
  prepare: {
    begin: () => call("open_device", { name: "zero" }, "zero"),
    zero: ({ locals, value }) => {
      locals.zero = value;
      return call("open_device", { name: "null" }, "null");
    },
    null: (context) => {
      context.locals.null = context.value;
      return compute(1, "again");
    },
  },
  iteration: "operation",
  steps: {
    operation: ({ locals }) => {
      locals.reads = !locals.reads;
      return locals.reads
        ? call("read", { fd: locals.zero, bytes: 1 }, "again")
        : call("write", { fd: locals.null, bytes: 1 }, "again");
    },
  },
});

/** Installing a handler. */
export const signalInstall: Program = timedCall("lat_sig install", "sigaction", {
  signal: "SIGUSR1",
  handler: "handler",
});

/** A handler called, by a signal of one's own. */
export const signalCatch: Program = timed({
  name: "lat_sig catch",
  iterations: 1000,
  prepare: { begin: () => call("sigaction", { signal: "SIGUSR1", handler: "handler" }, "again") },
  iteration: "operation",
  steps: {
    operation: ({ pid }) => call("kill", { pid, signal: "SIGUSR1" }, "again"),
    handler: () => compute(20, "back"),
    back: () => call("sigreturn", {}, "again"),
  },
});

/** A signal that is not sent: what `kill` itself takes. */
export const signalSend: Program = timed({
  name: "lat_sig send",
  iterations: 1000,
  iteration: "operation",
  steps: { operation: ({ pid }) => call("kill", { pid, signal: 0 }, "again") },
});

/** A handler called because of a write to a page that may not be written. */
export const protectionFault: Program = timed({
  name: "lat_sig prot",
  iterations: 1000,
  prepare: {
    begin: () => call("sigaction", { signal: "SIGSEGV", handler: "handler" }, "map"),
    map: () => call("mmap", { pages: 1, file: "lat_sig", readOnly: true }, "mapped"),
    mapped: ({ locals, value }) => {
      locals.address = value;
      return { does: "touch", address: value, bytes: 4, write: false, then: "again" };
    },
  },
  iteration: "operation",
  steps: {
    operation: ({ locals }) => ({
      does: "touch",
      address: locals.address as number,
      bytes: 4,
      write: true,
      then: "again",
    }),
    handler: () => compute(20, "back"),
    back: () => call("sigreturn", {}, "again"),
  },
});

/** A program's parts used: so many pages from the beginning of each. */
function use(part: keyof typeof LAYOUT, pages: number, then: string): Action {
  const write = part !== "text";
  return { does: "touch", address: LAYOUT[part], bytes: pages * PAGE_BYTES, write, then };
}

/** Pages that `lat_proc`, with the C library, uses. */
const LAT_PROC = { textPages: 190, dataPages: 24, heapPages: 24 };
/** Pages that parent and child write after a fork: stack, the C library's data. */
const WRITTEN = { data: 9, stack: 2 };

/** `fork`, a child that ends, and the wait for it. */
export const forkExit: Program = timed({
  name: "lat_proc fork",
  iterations: 20,
  image: LAT_PROC,
  prepare: {
    begin: () => use("text", LAT_PROC.textPages, "data"),
    data: () => use("data", LAT_PROC.dataPages, "heap"),
    heap: () => use("heap", LAT_PROC.heapPages, "stack"),
    stack: () => use("stack", 4, "again"),
  },
  iteration: "operation",
  steps: {
    operation: () => call("fork", { child: "child" }, "parent"),
    parent: () => use("stack", WRITTEN.stack, "parentData"),
    parentData: () => use("data", WRITTEN.data, "wait"),
    wait: () => call("wait4", {}, "again"),
    child: () => use("stack", WRITTEN.stack, "childData"),
    childData: () => use("data", WRITTEN.data, "childEnd"),
    childEnd: () => exit(),
  },
});

/** What `/tmp/hello` uses, linked with the C library by `ld.so`. */
const HELLO = { textPages: 70, dataPages: 12, heapPages: 8 };
/** System calls of `ld.so` and the C library before `main`: open, read, map, protect. */
const LINKING_CALLS = 14;

/** `write(1, "Hello world\n")`, dynamically linked. */
export const hello: Program = {
  name: "hello",
  image: HELLO,
  steps: {
    begin: () => use("stack", 3, "text"),
    text: () => use("text", HELLO.textPages, "data"),
    data: () => use("data", HELLO.dataPages, "heap"),
    heap: () => use("heap", HELLO.heapPages, "link"),
    link: ({ locals }) => {
      locals.calls = (locals.calls as number ?? 0) + 1;
      return locals.calls as number <= LINKING_CALLS
        ? call("mmap", { pages: 4, file: "libc", readOnly: true }, "link")
        : compute(290_000, "end");
    },
    end: () => exit(),
  },
};

/** What a shell uses, and how long it takes to begin. */
const SHELL = { textPages: 200, dataPages: 30, heapPages: 40 };
const SHELL_CYCLES = 5_080_000;

/** `sh -c /tmp/hello`. */
export const shell: Program = {
  name: "sh",
  image: SHELL,
  steps: {
    begin: () => use("stack", 4, "text"),
    text: () => use("text", SHELL.textPages, "data"),
    data: () => use("data", SHELL.dataPages, "heap"),
    heap: () => use("heap", SHELL.heapPages, "read"),
    read: () => compute(SHELL_CYCLES, "fork"),
    fork: () => call("fork", { child: "child" }, "parent"),
    parent: () => use("stack", WRITTEN.stack, "wait"),
    wait: () => call("wait4", {}, "end"),
    child: () => use("stack", WRITTEN.stack, "exec"),
    exec: () => call("execve", { program: "hello" }, "end"),
    end: () => exit(),
  },
};

/** `fork`, and a child that executes `program`. */
function executes(name: string, program: string, iterations: number): Program {
  const steps = { ...forkExit.steps };
  return timed({
    name,
    iterations,
    image: LAT_PROC,
    prepare: { begin: steps.begin, data: steps.data, heap: steps.heap, stack: steps.stack },
    iteration: "operation",
    steps: {
      operation: () => call("fork", { child: "child" }, "parent"),
      parent: steps.parent,
      parentData: steps.parentData,
      wait: steps.wait,
      child: () => use("stack", WRITTEN.stack, "exec"),
      exec: () => call("execve", { program }, "childEnd"),
      childEnd: () => exit(1),
    },
  });
}

export const forkExec: Program = executes("lat_proc exec", "hello", 20);
export const forkShell: Program = executes("lat_proc shell", "sh", 5);
