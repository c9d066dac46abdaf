import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { call, exit, LAYOUT, type Program } from "../../guests/model/mod.ts";
import type { Primitive } from "../../guests/model/mod.ts";
import { primitiveNumber } from "../../guests/model/kernel/primitives.ts";
import { ModelBox } from "./model_box.ts";

const SECOND = 2_400_000_000 as Cycle;
const PAGE = 4096;

/** Runs `program` to its end; what it reported, and how often it had the kernel use a primitive. */
function run(program: Program, memory = "64MiB") {
  const box = ModelBox.boot({ profile: "xeon-2003", platform: "native", memory });
  const { kernel } = box.linux;
  const before = box.linux.memory.frames.freeCount;
  kernel.spawn(program);
  box.machine.dispatcher.advance(SECOND);
  const freed = box.linux.memory.frames.freeCount - before;
  return {
    freed,
    reports: kernel.reports.map(({ name, value }) => `${name} ${value}`),
    left: kernel.processes.size,
    count: (primitive: Primitive) => kernel.counts[primitiveNumber(primitive)],
  };
}

const touch = (address: number, pages: number, write: boolean, then: string) =>
  ({ does: "touch", address, bytes: pages * PAGE, write, then }) as const;

Deno.test("a forked process shares pages until one of both writes, and all are free at the end", () => {
  const { freed, left, count } = run({
    name: "sharer",
    steps: {
      begin: () => touch(LAYOUT.heap, 4, true, "fork"),
      fork: () => call("fork", { child: "child" }, "parent"),
      child: () => touch(LAYOUT.heap, 4, false, "childWrites"),
      childWrites: () => touch(LAYOUT.heap, 3, true, "end"),
      parent: () => call("wait4", {}, "alone"),
      // The child is gone: nobody shares these any more, and nothing is copied.
      alone: () => touch(LAYOUT.heap, 4, true, "end"),
      end: () => exit(),
    },
  });
  assertEquals({ left, freed, copied: count("copiedPages") }, { left: 0, freed: 0, copied: 3 });
  // Four pages come, the child breaks three, the parent, alone, takes all four back.
  assertEquals(count("fault"), 11);
});

Deno.test("a mapped file's pages fault once each, and unmapping takes them away", () => {
  const { count } = run({
    name: "mapper",
    steps: {
      begin: () => call("mmap", { pages: 8, file: "f", shared: true }, "mapped"),
      mapped: ({ locals, value }) => {
        locals.at = value;
        return touch(value, 8, false, "twice");
      },
      twice: ({ locals }) => touch(locals.at as number, 8, false, "unmap"),
      unmap: ({ locals }) => call("munmap", { address: locals.at }, "end"),
      end: () => exit(),
    },
  });
  assertEquals([count("fault"), count("entryWrites"), count("entryBatch")], [8, 8, 8]);
});

Deno.test("lines that are used here and there have a price of their own, once for as long as they are in the cache", () => {
  const steps = (scattered: boolean) => ({
    begin: () => ({ ...touch(LAYOUT.heap, 2, true, "again"), scattered }) as const,
    again: () => ({ ...touch(LAYOUT.heap, 2, true, "end"), scattered }) as const,
    end: () => exit(),
  });
  const [row, scattered] = [false, true].map((each) => run({ name: "user", steps: steps(each) }));
  const lines = 2 * PAGE / 64;
  assertEquals(scattered.count("scatteredRefills"), lines);
  assertEquals(row.count("scatteredRefills"), 0);
  assertEquals(row.count("lineRefills") - scattered.count("lineRefills"), lines);
});

Deno.test("a write where there is nothing ends the process, unless it handles the signal", () => {
  const steps = {
    wild: () => touch(0x1000, 1, true, "report"),
    report: () => call("report", { name: "survived", value: 1 }, "end"),
    end: () => exit(),
  };
  assertEquals(run({ name: "wild", steps }).reports, []);
  const handled = run({
    name: "handled",
    steps: {
      begin: () => call("sigaction", { signal: "SIGSEGV", handler: "handler" }, "wild"),
      ...steps,
      handler: () => call("sigreturn", {}, "unreached"),
      unreached: () => exit(),
    },
  });
  assertEquals([handled.reports, handled.left], [["survived 1"], 0]);
});

Deno.test("a signal ends a sleep, its handler runs, and the call returns EINTR", () => {
  const { reports } = run({
    name: "sleeper",
    steps: {
      begin: () => call("sigaction", { signal: "SIGUSR1", handler: "handler" }, "fork"),
      fork: () => call("fork", { child: "child" }, "parent"),
      child: () => call("nanosleep", { cycles: SECOND }, "woken"),
      handler: () => call("report", { name: "handled", value: 1 }, "back"),
      back: () => call("sigreturn", {}, "lost"),
      woken: ({ value }) => call("report", { name: "slept", value }, "end"),
      parent: ({ locals, value }) => {
        locals.child = value;
        return call("nanosleep", { cycles: 50_000_000 }, "send");
      },
      send: ({ locals }) => call("kill", { pid: locals.child, signal: "SIGUSR1" }, "wait"),
      wait: () => call("wait4", {}, "end"),
      end: () => exit(),
    },
  });
  assertEquals(reports, ["handled 1", "slept -4"]);
});

Deno.test("every platform makes the same system calls, and each takes its own time", () => {
  const cycles = (["native", "xen-pv", "full-virtualization", "user-mode-linux"] as const).map(
    (platform) => {
      const { linux, machine } = ModelBox.boot({ profile: "xeon-2003", platform });
      linux.kernel.spawn({
        name: "asker",
        steps: {
          begin: ({ locals, now }) => {
            locals.begun = now;
            return call("getppid", {}, "again");
          },
          again: ({ locals, now }) =>
            call("report", { name: "cycles", value: now - (locals.begun as number) }, "end"),
          end: () => exit(),
        },
      });
      machine.dispatcher.advance(SECOND);
      return linux.kernel.reports[0].value as number;
    },
  );
  assertEquals(cycles[0], cycles[1]);
  assert(cycles[1] < cycles[2] && cycles[2] < cycles[3]);
});
