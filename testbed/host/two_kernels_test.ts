import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { call, createBsd, createLinux, type Kernel, type Program } from "../../guests/model/mod.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { Host } from "./host.ts";

const HZ = 1_000_000_000;
const program = computing(HZ);

/** Sleeps for 300 ms, computes for 1 ms, and adds up how late that was done. */
const sleeper: Program = {
  name: "sleeper",
  steps: {
    sleep: ({ locals, now }) => {
      locals.due = now + 300_000_000;
      return call("nanosleep", { cycles: 300_000_000 }, "work");
    },
    work: () => ({ does: "compute", cycles: 1_000_000, then: "done" }),
    done: ({ locals, now }) => {
      locals.late = (locals.late as number ?? 0) + now - (locals.due as number);
      locals.times = (locals.times as number ?? 0) + 1;
      return call("getpid", {}, "sleep");
    },
  },
};

Deno.test("a Linux and a BSD share one box, and each shares its part among its processes", async () => {
  const host = await Host.boot({ memory: "64MiB", scheduler: "bvt", profile: "xeon-2003" });
  const kernels = [createLinux, createBsd].map((create, n) =>
    host.modelled.create({
      name: ["linux", "bsd"][n],
      memory: "16MiB",
      kernel: (place) => create(place).kernel,
    }).kernel
  );
  const pids = kernels.map((kernel) => [0, 1, 2].map(() => kernel.spawn(program)));
  const sleepers = kernels.map((kernel) => kernel.spawn(sleeper));
  host.dispatcher.advance(9 * HZ as Cycle);
  const rounds = (kernel: Kernel, pid: number) =>
    kernel.processes.get(pid)!.locals.rounds as number;
  kernels.forEach((kernel, n) => {
    const each = pids[n].map((pid) => rounds(kernel, pid));
    const sum = each.reduce((total, one) => total + one, 0);
    assert(Math.abs(sum / 4500 - 1) < 0.1, `${kernel.name}: ${sum}`);
    assert(each.every((one) => Math.abs(one / (sum / 3) - 1) < 0.15), `${kernel.name}: ${each}`);
    const { times, late } = kernel.processes.get(sleepers[n])!.locals;
    assert((late as number) / (times as number) < 0.06 * HZ, `${kernel.name}: ${late} in ${times}`);
  });
});

Deno.test("a BSD's priority falls with use and is forgiven with time", async () => {
  const host = await Host.boot({ memory: "64MiB", profile: "xeon-2003" });
  const { kernel } = host.modelled.create({
    name: "bsd",
    memory: "16MiB",
    kernel: (place) => createBsd(place).kernel,
  });
  const pid = kernel.spawn(program);
  host.dispatcher.advance(5 * HZ as Cycle);
  const { recentTicks } = kernel.processes.get(pid)!;
  // A hundred ticks a second of which two thirds are remembered: at most 300.
  assert(recentTicks > 150 && recentTicks < 300, `${recentTicks}`);
  assertEquals(kernel.mostProcesses, 256);
});
