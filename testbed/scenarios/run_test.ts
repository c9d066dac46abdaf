import { assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { pathToFileURL } from "node:url";
import { recordOf, type RunEvent, type RunNews } from "../runs/run_events.ts";
import { RunStore } from "../runs/run_store.ts";
import { executeRun } from "./execute_run.ts";
import { defineScenario, type Scenario } from "./scenario.ts";
import { scenarioShelf } from "./scenario_shelf.ts";
import { startRun } from "./start_run.ts";

const counting = defineScenario({
  summary: "counts",
  parameters: { to: { kind: "integer", default: 2, min: 1, max: 9, help: "where to stop" } },
  run({ parameters, seed, table, series, comparison, conclude, progress }) {
    const numbers = table({ name: "numbers", title: "Numbers", columns: ["n", "square|m²"] });
    const line = series({ name: "line", title: "Line", unit: "m" });
    const figures = comparison({ name: "c", title: "C", source: "a paper" });
    for (let n = 1; n <= parameters.to; n++) {
      progress(n / parameters.to, `at ${n}`);
      numbers.row(n, n * n + seed);
      line.add(n, n / 0);
    }
    figures.cell({ row: "r", column: "c", measured: 9, published: 10 });
    conclude("squares grow");
    return Promise.resolve();
  },
});

async function run(scenario: Scenario, seed = 1, signal = new AbortController().signal) {
  const events: RunEvent[] = [{
    kind: "started",
    head: {
      ...{ id: "0" as never, scenario: "s", title: "s", parameters: {}, seed, profile: "" },
      ...{ version: "", startedMs: 0 },
    },
  }];
  const settings = { to: 2 };
  await executeRun({ scenario, settings, seed, signal, emit: (event) => void events.push(event) });
  return recordOf(events)!;
}

Deno.test("what a scenario says becomes the record", async () => {
  const record = await run(counting);
  assertEquals(record.status, "complete");
  assertEquals(record.tables[0].columns[1], { name: "square", unit: "m²" });
  assertEquals(record.tables[0].rows, [[1, 2], [2, 5]]);
  assertEquals(record.series[0].xUnit, "s");
  assertEquals(Math.round(record.comparisons[0].cells[0].errorPercent!), -10);
  assertEquals([record.conclusions, record.progress.fraction], [["squares grow"], 1]);
});

Deno.test("one seed gives one trace hash, another seed another", async () => {
  const [first, again, other] = [await run(counting), await run(counting), await run(counting, 2)];
  assertEquals(first.traceHash, again.traceHash);
  assertNotEquals(first.traceHash, other.traceHash);
  assertEquals(first.conclusions, other.conclusions);
});

Deno.test("a machine's trace and a simulated result are in the hash, the host's time is not", async () => {
  const telling = (hash: string, hostTime: number, result: number): Scenario => ({
    summary: "",
    run({ traced, done, table }) {
      const machine = traced({ trace: { hash } });
      done(machine);
      table({ name: "wall", title: "", columns: ["s"], hostTime: true }).row(hostTime);
      table({ name: "sim", title: "", columns: ["s"] }).row(result);
      return Promise.resolve();
    },
  });
  const hashOf = async (scenario: Scenario) => (await run(scenario)).traceHash;
  const hash = await hashOf(telling("a", 1, 1));
  assertEquals(await hashOf(telling("a", 2, 1)), hash);
  assertNotEquals(await hashOf(telling("b", 1, 1)), hash);
  assertNotEquals(await hashOf(telling("a", 1, 2)), hash);
});

Deno.test("a scenario that throws has failed, and keeps what it had said", async () => {
  const record = await run({
    summary: "",
    run({ table }) {
      table({ name: "t", title: "", columns: ["a"] }).row(1);
      return Promise.reject(new RangeError("no such thing"));
    },
  });
  assertEquals([record.status, record.error, record.traceHash], ["failed", "no such thing", null]);
  assertEquals(record.tables[0].rows, [[1]]);
});

Deno.test("an interrupted scenario keeps what it had said, whether it returns or throws", async () => {
  const stop = new AbortController();
  const record = await run(
    {
      summary: "",
      run({ table, signal }) {
        const rows = table({ name: "t", title: "", columns: ["a"] });
        rows.row(1);
        stop.abort();
        signal.throwIfAborted();
        return Promise.resolve();
      },
    },
    1,
    stop.signal,
  );
  assertEquals([record.status, record.error], ["interrupted", null]);
  assertEquals(record.tables[0].rows, [[1]]);
});

const BUSY = `export default {
  title: "Busy", summary: "computes until it is stopped",
  parameters: { step: { kind: "integer", default: 1, min: 1, max: 9, help: "" } },
  async run({ parameters, signal, table, print }) {
    const rows = table({ name: "t", title: "T", columns: ["n"] });
    print("<b>busy</b>");
    for (let n = 0; !signal.aborted; n += parameters.step) {
      rows.row(n);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
};`;
const BROKEN = `export default { summary: "breaks its thread",
  run() { setTimeout(() => { throw new Error("out of nowhere"); }); return new Promise(() => {}); } };`;

/** Runs `body` with a store and a shelf of scenarios that test what threads do. */
async function withRuns(
  body: (store: RunStore, shelf: ReturnType<typeof scenarioShelf>) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/busy.ts`, BUSY);
  await Deno.writeTextFile(`${folder}/broken.ts`, BROKEN);
  const store = RunStore.open(`${folder}/runs.sqlite`);
  try {
    await body(store, scenarioShelf(pathToFileURL(`${folder}/`)));
  } finally {
    store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Resolves with the first news that `wanted` accepts; `listener` is to be given the news. */
function firstOf(wanted: (news: RunNews) => boolean) {
  const { promise, resolve } = Promise.withResolvers<RunNews>();
  return { seen: promise, listener: (news: RunNews) => wanted(news) ? resolve(news) : undefined };
}

Deno.test("a run in a thread of its own tells its news while this thread goes on, and stops when asked", () =>
  withRuns(async (store, shelf) => {
    const { seen, listener } = firstOf((news) => news.kind === "row");
    const running = await startRun("busy", { step: "2" }, { store, shelf, onEvent: listener });
    await seen;
    assertEquals(store.find(running.id).status, "running");
    running.stop();
    assertEquals((await running.ended).status, "interrupted");
    const record = store.read(running.id);
    assertEquals([record.status, record.title, record.parameters], ["interrupted", "Busy", {
      step: 2,
    }]);
    assertEquals(record.tables[0].rows[0], [0]);
  }));

Deno.test("two runs at once are two records of one store", () =>
  withRuns(async (store, shelf) => {
    const waits = [1, 2].map(() => firstOf((news) => news.kind === "row"));
    const runs = await Promise.all(
      waits.map(({ listener }) => startRun("busy", {}, { store, shelf, onEvent: listener })),
    );
    await Promise.all(waits.map(({ seen }) => seen));
    assertEquals(store.list().map(({ status }) => status), ["running", "running"]);
    const stop = new AbortController();
    const third = await startRun("busy", {}, { store, shelf, signal: stop.signal });
    stop.abort();
    for (const each of runs) each.stop();
    const ends = await Promise.all([...runs, third].map(({ ended }) => ended));
    assertEquals(ends.map(({ status }) => status), Array(3).fill("interrupted"));
    assertEquals(new Set(store.list().map(({ id }) => id)).size, 3);
  }));

Deno.test("a thread that breaks ends its run as failed, with the reason", () =>
  withRuns(async (store, shelf) => {
    const running = await startRun("broken", {}, { store, shelf });
    const end = await running.ended;
    assertEquals(end.status, "failed");
    assertMatch(store.read(running.id).error ?? "", /out of nowhere/);
  }));

Deno.test("an unknown scenario and a wrong parameter are refused before anything is entered", () =>
  withRuns(async (store, shelf) => {
    await assertRejects(() => startRun("bussy", {}, { store, shelf }), RangeError, "mean busy?");
    await assertRejects(
      () => startRun("busy", { step: 10 }, { store, shelf }),
      RangeError,
      "1 to 9",
    );
    await assertRejects(() => startRun("busy", {}, { store, shelf, seed: -1 }), RangeError, "seed");
    assertEquals(store.list(), []);
  }));
