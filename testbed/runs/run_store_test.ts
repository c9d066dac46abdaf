import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { compareRuns } from "./compare_runs.ts";
import { toCsv, toJson } from "./export.ts";
import type { RunEvent } from "./run_events.ts";
import { errorPercent, type RunHead } from "./run_record.ts";
import { RunStore } from "./run_store.ts";
import { SCHEMA_VERSION, StoreError } from "./store_file.ts";
import { defaultStorePath } from "./store_path.ts";

const HEAD: Omit<RunHead, "id"> = {
  scenario: "demo",
  title: "A demonstration",
  parameters: { domains: 4, slice: "5ms" },
  seed: 1,
  profile: "xeon-2003",
  version: "0.1.0",
  startedMs: 1000,
};

const STORY: RunEvent[] = [
  { kind: "image", image: { name: "vmlinux", sha256: "ab" } },
  {
    kind: "table",
    table: {
      name: "shares",
      title: "Shares",
      columns: [{ name: "domain", unit: "" }, { name: "share", unit: "%" }],
      notes: ["one CPU"],
    },
  },
  { kind: "row", table: "shares", cells: ['dom "A", first', 75] },
  { kind: "row", table: "shares", cells: ["domB", null] },
  { kind: "comparison", comparison: { name: "fig6", title: "Figure 6", source: "SOSP'03" } },
  {
    kind: "cell",
    comparison: "fig6",
    cell: {
      row: "Xen",
      column: "128",
      unit: "",
      measured: 1.9,
      published: 2,
      errorPercent: errorPercent(1.9, 2),
      fitted: false,
      confidence: { low: 1.8, high: 2, level: 0.95 },
    },
  },
  {
    kind: "series",
    series: { name: "load", title: "Load", unit: "%", xName: "time", xUnit: "s" },
  },
  { kind: "points", series: "load", points: [[0, 1], [1, 2]] },
  { kind: "points", series: "load", points: [[2, 3]] },
  {
    kind: "figure",
    figure: { name: "f", title: "Load", kind: "lines", of: { series: ["load"] } },
  },
  { kind: "line", text: "hello" },
  { kind: "conclusion", text: "shares follow weights" },
];
const COMPLETE: RunEvent = {
  kind: "ended",
  end: { status: "complete", finishedMs: 2000, traceHash: "cafe", error: null },
};

/** Runs `body` with the path of a store that is not there yet. */
async function withPath(body: (path: string) => Promise<void> | void) {
  const folder = await Deno.makeTempDir();
  try {
    await body(`${folder}/deep/runs.sqlite`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function filled(path: string, events: readonly RunEvent[] = [...STORY, COMPLETE]) {
  const store = RunStore.open(path);
  const writer = store.begin(HEAD);
  for (const event of events) writer.append(event);
  return { store, id: writer.id };
}

Deno.test("a run reads back as its events made it, in this process and in a later one", () =>
  withPath((path) => {
    const { store, id } = filled(path);
    const record = store.read(id);
    assertEquals(record.status, "complete");
    assertEquals([record.startedMs, record.finishedMs, record.traceHash], [1000, 2000, "cafe"]);
    assertEquals(record.parameters, HEAD.parameters);
    assertEquals(record.tables[0].rows, [['dom "A", first', 75], ["domB", null]]);
    assertEquals(record.comparisons[0].cells.map((cell) => cell.measured), [1.9]);
    assertEquals(record.series[0].points, [[0, 1], [1, 2], [2, 3]]);
    assertEquals([record.log, record.conclusions], [["hello"], ["shares follow weights"]]);
    store.close();
    const again = RunStore.open(path);
    assertEquals(again.read(id), record);
    again.close();
  }));

Deno.test("the events after a number are those that a reader who saw that far lacks", () =>
  withPath((path) => {
    const { store, id } = filled(path);
    const all = store.eventsAfter(id, 0);
    assertEquals(all.map(({ seq }) => seq), all.map((_, index) => index + 1));
    assertEquals(all.map(({ event }) => event.kind)[0], "started");
    assertEquals(store.eventsAfter(id, all.length - 1), all.slice(-1));
    store.close();
  }));

Deno.test("a run is found by its id, the beginning of it, or as the last one", () =>
  withPath((path) => {
    const { store, id } = filled(path);
    for (const name of [id, id.slice(0, 6), id.toUpperCase(), "last"]) {
      assertEquals(store.find(name).id, id);
    }
    for (const name of ["", "zz", `${id}0`]) {
      assertThrows(() => store.find(name), RangeError, "there is no run");
    }
    store.delete(id);
    assertThrows(() => store.find("last"), RangeError, "there is no run last");
    assertThrows(() => store.read(id), RangeError, "there is no run");
    store.close();
  }));

Deno.test("a run that goes on is not deleted, and its lock goes with its end", () =>
  withPath((path) => {
    const store = RunStore.open(path);
    const writer = store.begin(HEAD);
    assertThrows(() => store.delete(writer.id), RangeError, "goes on");
    writer.append(COMPLETE);
    const folder = path.slice(0, path.lastIndexOf("/"));
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".lock")), []);
    store.close();
  }));

/** Another process that writes half a run and then does `ending`. */
async function writeElsewhere(path: string, ending: string) {
  const program = `
    import { RunStore } from ${JSON.stringify(new URL("./run_store.ts", import.meta.url).href)};
    const writer = RunStore.open(${JSON.stringify(path)}).begin(${JSON.stringify(HEAD)});
    for (const event of ${JSON.stringify(STORY)}) writer.append(event);
    writer.append({ kind: "progress", progress: { fraction: 0.5, step: "half" } });
    ${ending}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-write", "--allow-run", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(program));
  await input.close();
  return child;
}

Deno.test("a run killed in the middle is there with what it said, and marked incomplete", () =>
  withPath(async (path) => {
    await (await writeElsewhere(path, `Deno.kill(Deno.pid, "SIGKILL");`)).output();
    const store = RunStore.open(path);
    const [{ id, status, finishedMs, progress }] = store.list();
    assertEquals([status, finishedMs, progress.step], ["incomplete", null, "half"]);
    const record = store.read(id);
    assertEquals(record.tables[0].rows.length, 2);
    assertEquals(record.status, "incomplete");
    store.close();
  }));

Deno.test("a run of another living process is running, and both processes' runs are kept", () =>
  withPath(async (path) => {
    const child = await writeElsewhere(
      path,
      `console.log("there"); await new Promise((resolve) => setTimeout(resolve, 60_000));`,
    );
    const output = child.stdout.getReader();
    await output.read();
    const { store } = filled(path);
    assertEquals(store.list().map(({ status }) => status), ["complete", "running"]);
    child.kill("SIGKILL");
    await child.status;
    await output.cancel();
    assertEquals(store.list().map(({ status }) => status), ["complete", "incomplete"]);
    store.close();
  }));

const BAD_FILES: [claim: string, make: (path: string) => void, message: string][] = [
  ["text", (path) => Deno.writeTextFileSync(path, "no store ".repeat(50)), "is damaged"],
  ["a few bytes", (path) => Deno.writeTextFileSync(path, "x"), "is damaged"],
  ["a torn store", (path) => {
    filled(path, [...STORY, ...Array<RunEvent>(300).fill(STORY[0]), COMPLETE]).store.close();
    const bytes = Deno.readFileSync(path);
    bytes.fill(0x5a, 4096, 4096 * 3);
    Deno.writeFileSync(path, bytes);
  }, "is damaged"],
  ["half a store", (path) => {
    filled(path, [...STORY, ...Array<RunEvent>(300).fill(STORY[0]), COMPLETE]).store.close();
    Deno.truncateSync(path, 8192);
  }, "is damaged"],
  ["another program's database", (path) => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE t (a); PRAGMA user_version = 1");
    database.close();
  }, "no run store"],
  ["a newer version's store", (path) => {
    filled(path).store.close();
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    database.close();
  }, "newer Xenarium"],
];
for (const [claim, make, message] of BAD_FILES) {
  Deno.test(`${claim} is refused with one clear error and is not touched`, () =>
    withPath((path) => {
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")));
      make(path);
      const before = Deno.readFileSync(path);
      const error = assertThrows(() => RunStore.open(path), StoreError, message);
      assertMatch(error.message, /--store/);
      assertEquals(Deno.readFileSync(path), before);
    }));
}

Deno.test("CSV has a file for each table, quoted where it must be; JSON reads back", () =>
  withPath((path) => {
    const { store, id } = filled(path);
    const record = store.read(id);
    assertEquals(JSON.parse(toJson(record)), record);
    const files = toCsv(record);
    assertEquals(
      files.map(({ name }) => name),
      ["shares", "fig6", "load"].map((n) => `${id}-${n}.csv`),
    );
    assertEquals(files[0].text, 'domain,share (%)\r\n"dom ""A"", first",75\r\ndomB,\r\n');
    assertEquals(files[2].text, "time (s),Load (%)\r\n0,1\r\n1,2\r\n2,3\r\n");
    store.close();
  }));

Deno.test("comparing runs sets number beside number, with the change from the first", () =>
  withPath((path) => {
    const { store, id } = filled(path);
    const record = store.read(id);
    const [table] = record.tables;
    const other = { ...record, tables: [{ ...table, rows: [['dom "A", first', 60], ["new", 1]] }] };
    const compared = compareRuns([record, other]);
    assertEquals(compared.map(({ row, values }) => [row, ...values]), [
      ['dom "A", first', 75, 60],
      ["Xen", 1.9, 1.9],
      ["new", null, 1],
    ]);
    assertEquals(Math.round(compared[0].changePercent[1]!), -20);
    store.close();
  }));

Deno.test("the store's place is what the environment says, else the user's data folder", () => {
  const at = (environment: Record<string, string>, system?: typeof Deno.build.os) =>
    defaultStorePath({ get: (name) => environment[name] }, system);
  assertEquals(at({ XENARIUM_STORE: "/x", HOME: "/h" }, "linux"), "/x");
  assertEquals(at({ HOME: "/h" }, "linux"), "/h/.local/share/xenarium/runs.sqlite");
  assertEquals(at({ HOME: "/h", XDG_DATA_HOME: "/d" }, "linux"), "/d/xenarium/runs.sqlite");
  assertNotEquals(at({ HOME: "/h" }, "darwin"), at({ HOME: "/h" }, "linux"));
  assertThrows(() => at({}, "linux"), RangeError, "--store");
});
