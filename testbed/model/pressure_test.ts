import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { forkBomb } from "../../guests/model/workloads/fork_bomb.ts";
import { memoryToucher } from "../../guests/model/workloads/memory_toucher.ts";
import { type Action, call, exit, type Program } from "../../guests/model/mod.ts";
import { ModelBox } from "./model_box.ts";

const HZ = 2_400_000_000;
const PAGE = 4096;

const boot = (memory: string, swap: string | null) =>
  ModelBox.boot({ profile: "xeon-2003", platform: "native", memory, swap });

const use = (address: number, pages: number, then: string): Action => ({
  does: "touch",
  address,
  bytes: pages * PAGE,
  write: true,
  then,
});

/** Rounds that a computing process gets in a second, with `other` beside it. */
function rounds(other: Program | null, locals: { readonly [name: string]: number } = {}): number {
  const { kernel, machine } = boot("32MiB", "128MiB");
  const pid = kernel.spawn(computing(HZ));
  if (other) kernel.spawn(other, { locals: { ...locals } });
  const done = () => kernel.processes.get(pid)!.locals.rounds as number;
  machine.dispatcher.advance(3 * HZ as Cycle);
  const before = done();
  machine.dispatcher.advance(8 * HZ as Cycle);
  return (done() - before) / 5;
}

Deno.test("a fork bomb takes nearly all of a native machine", () => {
  const [alone, beside] = [rounds(null), rounds(forkBomb, { limit: 300 })];
  assert(alone > 950, `${alone}`);
  assert(beside < alone / 20, `${beside}`);
});

Deno.test("a process that uses more memory than there is has its pages swapped, and gets on", () => {
  const { kernel, machine, linux } = boot("16MiB", "64MiB");
  const pid = kernel.spawn(memoryToucher, { locals: { pages: 16_000 } });
  machine.dispatcher.advance(10 * HZ as Cycle);
  const toucher = kernel.processes.get(pid);
  assert(linux.memory.pageOut.swappedPages > 1000, `${linux.memory.pageOut.swappedPages}`);
  // It had to begin anew: four pieces are more than there is of memory and swap area.
  assert(toucher && toucher.locals.rounds as number >= 1);
});

Deno.test("a page that was swapped out comes back from the disk", () => {
  const pages = 3000;
  const program: Program = {
    name: "sweeper",
    steps: {
      begin: () => call("mmap", { pages }, "mapped"),
      mapped: ({ locals, value }) => {
        locals.at = value;
        return use(value, pages, "more");
      },
      more: () => call("mmap", { pages }, "moreMapped"),
      moreMapped: ({ value }) => use(value, pages, "back"),
      back: ({ locals, now }) => {
        locals.begun = now;
        return use(locals.at as number, pages, "done");
      },
      done: ({ locals, now }) =>
        call("report", { name: "seconds", value: (now - (locals.begun as number)) / HZ }, "end"),
      end: () => exit(),
    },
  };
  const { kernel, machine, linux } = boot("16MiB", "64MiB");
  const { freeCount } = linux.memory.frames;
  kernel.spawn(program);
  machine.dispatcher.advance(120 * HZ as Cycle);
  assertEquals(kernel.processes.size, 0);
  // Far slower than memory: at least a tenth of a millisecond for each of its pages.
  assert(kernel.reports[0].value as number > pages * 1e-4, `${kernel.reports[0].value}`);
  assertEquals([linux.memory.frames.freeCount, linux.memory.pageOut.swappedPages], [freeCount, 0]);
});

Deno.test("who uses more than there is, without a swap area, is killed, and its memory is free again", () => {
  const { kernel, machine, linux } = boot("16MiB", null);
  const { freeCount } = linux.memory.frames;
  const pages = 3000;
  const map = (then: string) => call("mmap", { pages }, then);
  kernel.spawn({
    name: "overcommitter",
    steps: {
      begin: () => map("first"),
      first: ({ locals, value }) => {
        locals.first = value;
        return map("second");
      },
      second: ({ value }) => use(value, pages, "use"),
      use: ({ locals }) => use(locals.first as number, pages, "survived"),
      survived: () => call("report", { name: "survived", value: 1 }, "end"),
      end: () => exit(),
    },
  });
  machine.dispatcher.advance(2 * HZ as Cycle);
  assertEquals([kernel.reports, kernel.processes.size], [[], 0]);
  assertEquals(linux.memory.frames.freeCount, freeCount);
});

Deno.test("a machine under pressure that is saved and restored goes on as the one that was not", () => {
  const run = (saves: boolean) => {
    const box = boot("16MiB", "64MiB");
    box.kernel.spawn(memoryToucher, { locals: { pages: 16_000 } });
    box.kernel.spawn(computing(HZ));
    box.machine.dispatcher.advance(HZ as Cycle);
    if (saves) {
      const { clock, dispatcher } = box.machine;
      const parts = [clock, box.kernel, dispatcher];
      const records = parts.map((part) => part.save());
      parts.forEach((part, i) => part.restore(records[i]));
    }
    box.machine.dispatcher.advance(2 * HZ as Cycle);
    return [...box.kernel.processes.values()].map(({ locals }) => locals);
  };
  assertEquals(run(true), run(false));
});
