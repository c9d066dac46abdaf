import { assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import {
  call,
  Descriptors,
  ERRNO,
  exit,
  flatPlatform,
  Kernel,
  type Program,
  SharedMemory,
  UnixSockets,
} from "../../guests/model/mod.ts";
import { BareBox } from "./bare_box.ts";

const SECOND = 1_000_000_000 as Cycle;

function box(): BareBox {
  return new BareBox({
    cpus: 2,
    frequencyHz: SECOND,
    kernel: (machine) => {
      const platform = flatPlatform("test", true, { systemCall: 500 });
      const kernel = new Kernel({ name: "test", machine, platform });
      const descriptors = new Descriptors(kernel);
      kernel.install(descriptors);
      kernel.install(new UnixSockets(kernel, descriptors));
      kernel.install(new SharedMemory(kernel));
      return kernel;
    },
  });
}

/** Answers each message by the same one with `!`, until its client goes. */
const server: Program = {
  name: "server",
  steps: {
    begin: () => call("unix_listen", { path: "/tmp/.s" }, "listening"),
    listening: ({ locals, value }) => {
      locals.listener = value;
      return call("unix_accept", { fd: value }, "accepted");
    },
    accepted: ({ locals, value }) => {
      locals.fd = value;
      return call("read", { fd: value, bytes: 1000, message: true }, "answer");
    },
    answer: ({ locals, result }) =>
      result === 0
        ? call("close", { fd: locals.fd }, "end")
        : call("write", { fd: locals.fd, bytes: 20_000, message: `${result}!` }, "next"),
    next: ({ locals }) => call("read", { fd: locals.fd, bytes: 1000, message: true }, "answer"),
    end: () => exit(),
  },
};

/** Connects, says what `words` say, reads each answer in two parts. */
const client: Program = {
  name: "client",
  steps: {
    begin: () => call("unix_connect", { path: "/tmp/.s" }, "connected"),
    connected: ({ locals, value }) => {
      locals.fd = value;
      return { does: "compute", cycles: 10, then: "say" };
    },
    say: ({ locals }) => {
      const word = (locals.words as string[]).shift();
      return word === undefined
        ? call("close", { fd: locals.fd }, "end")
        : call("write", { fd: locals.fd, bytes: 100, message: word }, "first");
    },
    first: ({ locals }) => call("read", { fd: locals.fd, bytes: 15_000 }, "second"),
    second: ({ locals, value }) => {
      locals.got = value;
      return call("read", { fd: locals.fd, bytes: 15_000, message: true }, "heard");
    },
    heard: ({ locals, result }) =>
      call("report", { name: `${locals.got}`, value: result as string }, "say"),
    end: () => exit(),
  },
};

Deno.test("a Unix socket carries bytes in order, and their meaning with the last of them", () => {
  const { kernel, dispatcher } = box();
  kernel.spawn(server);
  dispatcher.advance(100_000 as Cycle);
  kernel.spawn(client, { locals: { words: ["a", "b"] } });
  dispatcher.advance(SECOND);
  assertEquals(kernel.reports.map(({ name, value }) => [name, value]), [["15000", "a!"], [
    "15000",
    "b!",
  ]]);
  assertEquals(kernel.processes.size, 0);
});

Deno.test("nobody listens: the connection is refused", () => {
  const { kernel, dispatcher } = box();
  kernel.spawn({
    name: "lonely",
    steps: {
      begin: () => call("unix_connect", { path: "/nobody" }, "tell"),
      tell: ({ value }) => call("report", { name: "error", value }, "end"),
      end: () => exit(),
    },
  });
  dispatcher.advance(SECOND);
  assertEquals(kernel.reports.map(({ value }) => value), [ERRNO.ECONNREFUSED]);
});

/** Adds to a counter that all share, in two steps, with a semaphore around them if `guarded`. */
const adder: Program = {
  name: "adder",
  steps: {
    begin: ({ locals }) => {
      locals.left = 20;
      return call("shmget", { name: "counter", contents: { value: 0 } }, "enter");
    },
    enter: ({ locals }) =>
      locals.guarded
        ? call("semop", { name: "lock", by: -1 }, "look")
        : { does: "compute", cycles: 1, then: "look" },
    look: ({ locals, segments }) => {
      locals.seen = segments.get("counter")!.value;
      return { does: "compute", cycles: 5000, then: "store" };
    },
    store: ({ locals, segments }) => {
      segments.get("counter")!.value = (locals.seen as number) + 1;
      return locals.guarded
        ? call("semop", { name: "lock", by: 1 }, "next")
        : { does: "compute", cycles: 1, then: "next" };
    },
    next: ({ locals }) => {
      const left = locals.left = (locals.left as number) - 1;
      return left > 0 ? { does: "compute", cycles: 100, then: "enter" } : exit();
    },
  },
};

Deno.test("a semaphore keeps two CPUs from losing each other's changes of shared memory", () => {
  const run = (guarded: boolean) => {
    const { kernel, dispatcher } = box();
    for (let i = 0; i < 3; i++) kernel.spawn(adder, { locals: { guarded } });
    dispatcher.advance(SECOND);
    assertEquals(kernel.processes.size, 0);
    return kernel.segments.get("counter")!.value as number;
  };
  assertEquals(run(true), 60);
  assertEquals(run(false) < 60, true);
});
