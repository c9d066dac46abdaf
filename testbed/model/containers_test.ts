import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { call, exit, type Program } from "../../guests/model/mod.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { Lab } from "./lab.ts";
import { ModelBox } from "./model_box.ts";

const HZ = 2_400_000_000;
const program = computing(HZ);
const NO_LIMITS = { processes: 1000, mappedPages: 1e6 };

const boot = () => ModelBox.boot({ profile: "xeon-2003", platform: "containers", memory: "64MiB" });

/** Rounds that each of several containers got in two seconds: container and processes by row. */
function rounds(rows: readonly (readonly [weight: number, processes: number])[]): number[] {
  const { kernel, machine } = boot();
  const pids = rows.map(([weight, processes], n) => {
    kernel.containers.spawnInto = kernel.containers.create({ name: `c${n}`, weight, ...NO_LIMITS });
    return Array.from({ length: processes }, () => kernel.spawn(program));
  });
  machine.dispatcher.advance(2 * HZ as Cycle);
  const done = (pid: number) => kernel.processes.get(pid)!.locals.rounds as number;
  return pids.map((each) => each.reduce((sum, pid) => sum + done(pid), 0));
}

Deno.test("containers get their share of the CPU, however many processes they have", () => {
  const [few, many] = rounds([[1, 1], [1, 9]]);
  assert(Math.abs(few / many - 1) < 0.05, `${few} and ${many}`);
});

Deno.test("a container of three times the weight gets three times as much", () => {
  const [light, heavy] = rounds([[1, 2], [3, 2]]);
  assert(Math.abs(heavy / light - 3) < 0.2, `${heavy / light}`);
});

Deno.test("a process in a container wakes to run at once beside others that compute", () => {
  const { kernel, machine } = boot();
  const sleeper: Program = {
    name: "sleeper",
    steps: {
      sleep: () => call("nanosleep", { cycles: 1 }, "woken"),
      woken: ({ locals }) => {
        locals.times = (locals.times as number ?? 0) + 1;
        return call("nanosleep", { cycles: 1 }, "woken");
      },
    },
  };
  kernel.containers.spawnInto = kernel.containers.create({ name: "a", weight: 1, ...NO_LIMITS });
  for (let i = 0; i < 5; i++) kernel.spawn(program);
  kernel.containers.spawnInto = kernel.containers.create({ name: "b", weight: 1, ...NO_LIMITS });
  const pid = kernel.spawn(sleeper);
  machine.dispatcher.advance(HZ as Cycle);
  // A tick to sleep, a tick at most to wait.
  assert(kernel.processes.get(pid)!.locals.times as number > 45);
});

Deno.test("a container has no more processes and no more memory mapped than it may", () => {
  const { kernel, machine } = boot();
  const limits = { processes: 3, mappedPages: 100 };
  const id = kernel.containers.create({ name: "small", weight: 1, ...limits });
  kernel.containers.spawnInto = id;
  const reports = (name: string, value: number, then: string) =>
    call("report", { name, value }, then);
  kernel.spawn({
    name: "greedy",
    steps: {
      begin: () => call("fork", { child: "sleep" }, "second"),
      second: () => call("fork", { child: "sleep" }, "third"),
      third: () => call("fork", { child: "sleep" }, "refused"),
      refused: ({ value }) => reports("fork", value, "map"),
      map: () => call("mmap", { pages: 60 }, "more"),
      more: () => call("mmap", { pages: 60 }, "mapped"),
      mapped: ({ value }) => reports("mmap", value, "end"),
      sleep: () => call("nanosleep", { cycles: HZ / 10 }, "end"),
      end: () => exit(),
    },
  });
  machine.dispatcher.advance(HZ as Cycle);
  assertEquals(kernel.reports.map(({ name, value }) => [name, value]), [["fork", -11], [
    "mmap",
    -12,
  ]]);
  const container = kernel.containers.of({ container: id } as never);
  assertEquals([container.processCount, container.mapped], [0, 0]);
});

Deno.test("a lab's systems in containers are one kernel's, each with its share of the CPUs", async () => {
  const lab = await Lab.boot({ platform: "containers", cpus: 1, memory: "128MiB" });
  const systems = ["a", "b"].map((name) => lab.system({ name, memory: "32MiB" }));
  const [alone] = systems.map((system) => system.start("compute"));
  for (let i = 0; i < 3; i++) systems[1].start("compute");
  await lab.run("2s");
  assertEquals(systems[0].kernel.linux, systems[1].kernel.linux);
  assert(Math.abs(alone.count - 1) < 0.05, `${alone.count}`);
});
