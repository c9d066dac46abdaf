import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { LoadBox } from "./load_box.ts";

Deno.test("domains that compute share the CPUs, and their work is what they were given", async () => {
  const box = await LoadBox.boot({ cpus: 2, scheduler: "credit2" });
  const domains = [256, 256, 512].map((weight, n) =>
    box.create({ name: `d${n}`, load: { kind: "computes" }, parameters: { weight } })
  );
  await box.run("10s");
  assertEquals(domains.map(({ cpuSeconds }) => Math.round(cpuSeconds)), [5, 5, 10]);
  assertEquals(domains.map(({ workSeconds }) => Math.round(workSeconds)), [5, 5, 10]);
});

Deno.test("what switches cost is time that was given and not worked", async () => {
  const box = await LoadBox.boot({ scheduler: "bvt", profile: "xeon-2003" });
  const [one, other] = ["a", "b"].map((name) => box.create({ name, load: { kind: "computes" } }));
  await box.run("10s");
  const given = one.cpuSeconds + other.cpuSeconds;
  const worked = one.workSeconds + other.workSeconds;
  assertEquals([Math.round(given * 100), worked < given * 0.98, worked > given * 0.9], [
    1000,
    true,
    true,
  ]);
});

Deno.test("a request to a machine with nothing else to do takes as long as its work", async () => {
  const box = await LoadBox.boot();
  const domain = box.create({ name: "a", load: { kind: "answers", work: "2ms", rest: "10ms" } });
  await box.run("5s");
  const { count, meanMs, worstMs } = domain.delays;
  assertEquals([count > 300, Math.round(meanMs * 1e6), Math.round(worstMs * 1e6)], [
    true,
    2e6,
    2e6,
  ]);
});

Deno.test("a domain that computes answers between two pieces of its work", async () => {
  const box = await LoadBox.boot();
  const load = { kind: "computes and answers", work: "1us", rest: "50ms" } as const;
  const domain = box.create({ name: "a", load });
  await box.run("5s");
  const { count, worstMs } = domain.delays;
  assertEquals([count > 60, worstMs < 1.01, domain.workSeconds > 4.9], [true, true, true]);
});

Deno.test("one seed gives one schedule, another seed another", async () => {
  const hashOf = async (seed: number) => {
    const box = await LoadBox.boot({ seed });
    for (const name of ["a", "b"]) {
      box.create({ name, load: { kind: "answers", work: "1ms", rest: "5ms" } });
    }
    await box.run("1s");
    return box.trace.hash;
  };
  assertEquals(await hashOf(1), await hashOf(1));
  assertNotEquals(await hashOf(1), await hashOf(2));
});

Deno.test("an interrupt ends a run where it is", async () => {
  const box = await LoadBox.boot();
  box.create({ name: "a", load: { kind: "computes" } });
  await box.run("1h", { signal: AbortSignal.abort() });
  assertEquals(Number(box.clock.now), 0);
});

Deno.test("wrong options are refused with what is accepted", async () => {
  await assertRejects(() => LoadBox.boot({ cpus: 0 }), RangeError, "1 to 4096");
  await assertRejects(() => LoadBox.boot({ profile: "x" }), RangeError);
  const box = await LoadBox.boot();
  const load = { kind: "computes" } as const;
  assertThrows(
    () => box.create({ name: "a", load, parameters: { mcu_adv: 1 } }),
    RangeError,
    "no parameter of this scheduler",
  );
});
