/** `xenarium run` and `xenarium runs` as a user meets them: in a process of their own, with a store in a file. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

const LAB = `
import { defineScenario } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
export default defineScenario({
  title: "A lab", summary: "counts slowly",
  parameters: {
    rounds: { kind: "integer", default: 3, min: 1, max: 1000, unit: "rounds", help: "how long" },
    pauseLength: { kind: "duration", default: "1ms", min: "1ns", max: "1s", help: "between rounds" },
  },
  async run({ parameters, seed, signal, table, comparison, progress, print, conclude }) {
    const rows = table({ name: "rounds", title: "Rounds", columns: ["round", "value|ms"] });
    for (let n = 1; n <= parameters.rounds && !signal.aborted; n++) {
      progress(n / parameters.rounds, "round");
      print("round " + n);
      rows.row("round " + n, n * seed);
      await new Promise((resolve) => setTimeout(resolve, parameters.pauseLength / 1e6));
    }
    comparison({ name: "c", title: "Totals", source: "a paper" })
      .cell({ row: "total", column: "1", measured: 3, published: 4, fitted: true });
    conclude("values follow the seed");
  },
});`;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `body` with a way to run the command, and the path of the scenario and of a store. */
async function withLab(
  body: (
    xenarium: (...args: string[]) => Promise<Outcome>,
    lab: string,
    start: (...args: string[]) => Deno.ChildProcess,
  ) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/lab.ts`, LAB);
  const start = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-read", "--allow-write", "--allow-env", MAIN, ...args],
      env: { XENARIUM_STORE: `${folder}/data/runs.sqlite`, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const xenarium = async (...args: string[]) => {
    const { code, stdout, stderr } = await start(...args).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), error: decoder.decode(stderr) };
  };
  try {
    await body(xenarium, `${folder}/lab.ts`, start);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a run prints its results, is kept, shown, compared, exported and deleted", () =>
  withLab(async (xenarium, lab) => {
    const first = await xenarium("run", lab, "--rounds", "2", "--pause-length", "2ms");
    assertEquals(first.code, 0);
    assertMatch(first.out, /^round 1\nround 2\n\nRounds\nround +value \(ms\)\nround 1 +1\n/);
    assertMatch(first.out, /total +1 +3 +4 +-25.0 +fitted/);
    assertMatch(first.error, /run [0-9a-f]{8} is kept in .*runs.sqlite; trace hash [0-9a-f]{32}/);

    const json = await xenarium("run", lab, "--seed", "2", "--json");
    const record = JSON.parse(json.out);
    assertEquals([record.status, record.seed, record.parameters.rounds], ["complete", 2, 3]);
    const again = JSON.parse(
      (await xenarium("run", lab, "--seed", "2", "--json", "--no-store")).out,
    );
    assertEquals(again.traceHash, record.traceHash);

    const list = JSON.parse((await xenarium("runs", "list", "--json")).out);
    assertEquals(list.map(({ seed }: { seed: number }) => seed), [2, 1]);
    assertMatch((await xenarium("runs", "show", "last")).out, /^seed +2$/m);
    const compared = await xenarium("runs", "compare", list[1].id, "last");
    assertMatch(compared.out, /rounds +round 2 +value \(ms\) +2 +4 +100.0/);
    assertEquals(JSON.parse((await xenarium("runs", "export", "last")).out), record);
    const folder = `${lab}.results`;
    assertMatch(
      (await xenarium("runs", "export", "last", "--format", "csv", "-o", folder)).out,
      /rounds.csv/,
    );
    assertStringIncludes(
      await Deno.readTextFile(`${folder}/${record.id}-rounds.csv`),
      "round,value (ms)\r\nround 1,2\r\n",
    );
    assertEquals((await xenarium("runs", "delete", list[0].id)).code, 0);
    assertMatch((await xenarium("runs", "show", list[0].id)).error, /there is no run/);
  }));

Deno.test("an interrupted run keeps what it measured and says so, with exit code 130", () =>
  withLab(async (xenarium, lab, start) => {
    const child = start("run", lab, "--rounds", "1000", "--pause-length", "20ms");
    const output = child.stdout.getReader();
    await output.read();
    child.kill("SIGINT");
    let text = "";
    for (let part = await output.read(); !part.done; part = await output.read()) {
      text += new TextDecoder().decode(part.value);
    }
    const error = await new Response(child.stderr).text();
    assertEquals((await child.status).code, 130);
    assertMatch(text, /Rounds\n/);
    assertMatch(error, /interrupted: what was measured so far is above, and run \w+ is kept/);
    const record = JSON.parse((await xenarium("runs", "show", "last", "--json")).out);
    assertEquals(record.status, "interrupted");
    assert(record.tables[0].rows.length >= 1);
  }));

const MISTAKES: [claim: string, args: (lab: string) => string[], message: RegExp][] = [
  [
    "an unknown scenario",
    () => ["run", "tiny_kernel"],
    /no scenario named tiny_kernel: did you mean tiny_kernels\?/,
  ],
  [
    "an unknown parameter",
    (lab) => ["run", lab, "--round", "2"],
    /--round.*Did you mean --rounds/s,
  ],
  [
    "a parameter out of range",
    (lab) => ["run", lab, "--rounds", "1001"],
    /--rounds <rounds>.*1001.*whole number from 1 to 1000/,
  ],
  ["a bad seed", (lab) => ["run", lab, "--seed", "x"], /--seed.*whole number from 0/],
  ["a run that is not there", () => ["runs", "show", "beef"], /no run beef in .*runs list/],
  ["a store that is none", (lab) => ["run", lab, "--store", lab], /run store .*lab.ts is damaged/],
];
Deno.test("mistakes are refused with exit code 2 and what would be right", () =>
  withLab(async (xenarium, lab) => {
    for (const [claim, args, message] of MISTAKES) {
      const { code, error } = await xenarium(...args(lab));
      assertEquals([claim, code], [claim, 2]);
      assertMatch(error, message);
    }
  }));

Deno.test("a scenario's help shows its parameters with defaults, units and ranges", () =>
  withLab(async (xenarium, lab) => {
    const { code, out } = await xenarium("run", lab, "--help");
    assertEquals(code, 0);
    assertMatch(
      out,
      /--rounds <rounds> +how long: a whole number from 1 to 1000\s+\(default: 3\s+rounds\)/,
    );
    assertMatch(out, /--pause-length <value> +between rounds/);
  }));
