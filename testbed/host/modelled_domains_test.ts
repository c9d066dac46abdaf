import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { call, exit, type Program } from "../../guests/model/mod.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { Host } from "./host.ts";

const program = computing(1e9);
const boot = (scheduler: "bvt" | "credit" | "credit2" | "sedf" | "rtds" = "bvt") =>
  Host.boot({ memory: "64MiB", scheduler, profile: "xeon-2003" });

Deno.test("a modelled domain has the memory that it asked for, and gives it back", async () => {
  const host = await boot();
  const { frames } = host.hypervisor;
  const before = frames.freeFrames;
  const domain = host.modelled.create({ name: "a", memory: "8MiB" });
  assertEquals(domain.domain.pages, 2048);
  domain.kernel.spawn(program);
  host.dispatcher.advance(50_000_000 as Cycle);
  host.modelled.destroy(domain);
  assertEquals([frames.freeFrames, host.modelled.all.length], [before, 0]);
  host.dispatcher.advance(100_000_000 as Cycle);
});

Deno.test("a domain that wants more memory than there is leaves nothing behind", async () => {
  const host = await boot();
  const before = [host.hypervisor.frames.freeFrames, host.hypervisor.domains.size];
  assertThrows(
    () => host.modelled.create({ name: "big", memory: "1GiB" }),
    RangeError,
    "the machine has not the 1GiB that big needs",
  );
  assertEquals([host.hypervisor.frames.freeFrames, host.hypervisor.domains.size], before);
});

Deno.test("a domain whose kernel or whose parameters are no good leaves nothing behind", async () => {
  const host = await boot();
  const before = [host.hypervisor.frames.freeFrames, host.hypervisor.domains.size];
  const kernel = () => {
    throw new RangeError("no such kernel");
  };
  const wrong = [{ kernel }, { parameters: { colour: 1 } }];
  for (const config of wrong) {
    assertThrows(
      () => host.modelled.create({ name: "bad", memory: "8MiB", ...config }),
      RangeError,
    );
    assertEquals([host.hypervisor.frames.freeFrames, host.hypervisor.domains.size], before);
  }
  host.modelled.create({ name: "good", memory: "8MiB" });
});

for (const scheduler of ["bvt", "credit", "credit2", "sedf", "rtds"] as const) {
  Deno.test(`modelled domains that compute share a CPU equally under ${scheduler}`, async () => {
    const host = await boot(scheduler);
    const domains = ["a", "b"].map((name) => host.modelled.create({ name, memory: "8MiB" }));
    for (const { kernel } of domains) kernel.spawn(program);
    host.dispatcher.advance(2_000_000_000 as Cycle);
    const [a, b] = domains.map(({ domain }) => host.dispatcher.domainCycles(domain.id));
    assert(Math.abs(a / b - 1) < 0.05, `${a} and ${b}`);
  });
}

Deno.test("a host that goes back to a snapshot does the same again", async () => {
  const sleeper: Program = {
    name: "sleeper",
    steps: {
      sleep: () => call("nanosleep", { cycles: 30_000_000 }, "woken"),
      woken: ({ now }) => call("report", { name: "woken", value: now }, "again"),
      again: ({ locals }) => {
        locals.times = (locals.times as number ?? 0) + 1;
        return locals.times === 8 ? exit() : call("nanosleep", { cycles: 30_000_000 }, "woken");
      },
    },
  };
  const host = await boot();
  const domains = ["a", "b"].map((name) => host.modelled.create({ name, memory: "8MiB" }));
  for (const { kernel } of domains) {
    kernel.spawn(program);
    kernel.spawn(sleeper);
  }
  host.dispatcher.advance(100_000_000 as Cycle);
  const snapshot = host.snapshot();
  const on = () => {
    host.dispatcher.advance(600_000_000 as Cycle);
    return domains.map(({ kernel }) => [kernel.reports.map(({ value }) => value), kernel.counts]);
  };
  const first = structuredClone(on());
  host.restore(snapshot);
  assertEquals(structuredClone(on()), first);
});
