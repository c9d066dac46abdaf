import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import type { MachineOptions } from "../machine_api.ts";
import { MachineStandIn, type ScriptStep } from "../machine_stand_in.ts";
import { runProgram } from "./program.ts";
import type { ImageCatalogue, ImageRow } from "../images/image_catalogue.ts";
import type { Services } from "./services.ts";

interface Setting {
  readonly script?: readonly ScriptStep[];
  readonly keys?: string;
  readonly interactive?: boolean;
  readonly sure?: boolean;
}

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
  readonly machines: MachineStandIn[];
  readonly files: Map<string, string[]>;
}

const DEBIAN: ImageRow = {
  name: "debian",
  summary: "Debian amd64",
  sizeBytes: 8 * 2 ** 20,
  details: [["sha256", "00"]],
};

/** Runs a command line (split at blanks, quotes kept out) against stand-ins. */
async function xenarium(args: string[], setting: Setting = {}): Promise<Outcome> {
  let out = "";
  let error = "";
  const machines: MachineStandIn[] = [];
  const files = new Map<string, string[]>();
  const images: ImageCatalogue = {
    known: ["debian", "debian-686"],
    add: (_name, onProgress) => {
      onProgress("download", 1, 2);
      return Promise.resolve(DEBIAN);
    },
    list: () => Promise.resolve([DEBIAN]),
    show: () => Promise.resolve(DEBIAN),
    remove: (name) => {
      out += ` removed ${name}`;
      return Promise.resolve();
    },
  };
  const services: Services = {
    terminal: {
      interactive: setting.interactive ?? false,
      write: (text) => out += typeof text === "string" ? text : new TextDecoder().decode(text),
      writeError: (text) => error += text,
      async *input() {
        if (setting.keys) yield await Promise.resolve(new TextEncoder().encode(setting.keys));
      },
      setRaw: () => {},
      onInterrupt: () => () => {},
    },
    questions: {
      choose: (_question, choices) => Promise.resolve(choices.slice(0, 1)),
      confirm: (question) => {
        out += question;
        return Promise.resolve(setting.sure ?? false);
      },
    },
    replay(path: string) {
      return Promise.reject(new SnapshotError(`log ${path}: it is no log of Xenarium`));
    },
    createMachine(options: MachineOptions) {
      if (options.kernel === "missing") throw new RangeError("--kernel: no image named missing");
      machines.push(new MachineStandIn(options, setting.script));
      return Promise.resolve(machines[machines.length - 1]);
    },
    images: () => Promise.resolve(images),
    scenarios: {
      names: () => Promise.resolve(["start"]),
      load: (name) =>
        Promise.resolve({
          name,
          url: "",
          scenario: {
            summary: "a tiny kernel",
            run: ({ print }) => Promise.resolve(print("told")),
          },
        }),
    },
    repl: () => Promise.resolve(0),
    benches: {
      names: () => Promise.resolve(["boot_debian", "sieve"]),
      load: (name) =>
        Promise.resolve({
          name,
          url: "",
          scenario: {
            summary: `measures ${name}`,
            run: ({ print }) => Promise.resolve(print(name)),
          },
        }),
    },
    dashboard: () => Promise.reject(new Error("these commands show nothing")),
    runStore: () => Promise.reject(new Error("these commands keep nothing")),
    writeText: (path, text) => void files.set(path, [text]),
    writeBytes: (path, bytes) => void files.set(path, [`${bytes.length} bytes`]),
    openText: (path) => {
      const lines: string[] = [];
      files.set(path, lines);
      return { writeLine: (line) => lines.push(line), close: () => {} };
    },
  };
  const code = await runProgram(services, args);
  return { code, out, error, machines, files };
}

const PROMPT: ScriptStep = { at: 10, print: "login: " };

const EXITS: [claim: string, args: string[], script: ScriptStep[], code: number][] = [
  ["a marker", ["--until", "login:"], [PROMPT], 0],
  ["power-off without --until", [], [{ at: 5, stop: { kind: "powerOff" } }], 0],
  [
    "power-off before the marker",
    ["--until", "login:"],
    [{ at: 5, stop: { kind: "powerOff" } }],
    4,
  ],
  ["a guest's exit code", [], [{ at: 5, stop: { kind: "exit", code: 33 } }], 33],
  ["the limit of simulated time", ["--sim-limit", "2us"], [PROMPT], 6],
  ["a triple fault", [], [{ at: 5, stop: { kind: "tripleFault", description: "at 0x0" } }], 8],
  ["a machine that waits for ever", [], [{ at: 5, stop: { kind: "halted" } }], 10],
  ["a reset", [], [{ at: 5, stop: { kind: "reset" } }], 12],
];
for (const [claim, args, script, code] of EXITS) {
  Deno.test(`boot: ${claim} gives exit code ${code}`, async () => {
    assertEquals((await xenarium(["boot", ...args], { script })).code, code);
  });
}

Deno.test("boot passes its options on to the machine, sizes as bytes", async () => {
  const { machines } = await xenarium([
    ...["boot", "--kernel", "debian", "--memory", "128MiB", "--cpus", "4", "--disk", "a.img"],
    ...["--disk", "b.img", "--append", "console=ttyS0 quiet", "--cpu-model", "qemu64"],
    ...["--engine", "reference", "--module", "mod.bin with words", "--sim-limit", "1us"],
  ]);
  assertEquals(machines[0].options, {
    kernel: "debian",
    memory: 128 * 2 ** 20 as MachineOptions["memory"],
    cpus: 4,
    disks: ["a.img", "b.img"],
    append: "console=ttyS0 quiet",
    cpuModel: "qemu64",
    engine: "reference",
    modules: [{ image: "mod.bin", commandLine: "with words" }],
  });
});

Deno.test("boot --profile writes a file for speedscope, or folded stacks by the file's name", async () => {
  const { files } = await xenarium(["boot", "--sim-limit", "1us", "--profile", "p.json"]);
  const [text] = files.get("p.json")!;
  assertEquals(JSON.parse(text).exporter, "xenarium");
  const folded = await xenarium(["boot", "--sim-limit", "1us", "--profile", "p.folded"]);
  assertEquals(folded.files.get("p.folded"), []);
});

Deno.test("boot --profile-every without a file for the samples is refused", async () => {
  const { code, error, machines } = await xenarium(["boot", "--profile-every", "100"]);
  assertEquals([code, machines.length], [2, 0]);
  assertMatch(error, /--profile-every needs --profile/);
});

Deno.test("boot --verbose tells what the engine did", async () => {
  const { error } = await xenarium(["boot", "--sim-limit", "2us", "--verbose"]);
  assertMatch(error, /counter +count\nhot.regions +2000/);
});

Deno.test("boot --regions makes the translator count, and writes what it holds at the end", async () => {
  const { files, machines } = await xenarium(["boot", "--sim-limit", "1us", "--regions", "r.txt"]);
  assertEquals(machines[0].options.translator, { profile: true });
  assertEquals(files.get("r.txt"), ["no code is translated"]);
});

Deno.test("boot connects the serial console to the standard streams", async () => {
  const { out, error, machines } = await xenarium(["boot", "--until", "login:"], {
    script: [PROMPT],
    keys: "root\n",
  });
  assertEquals(out, "login: ");
  assertEquals(machines[0].console.typed, "root\n");
  assertMatch(error, /console printed "login:", after 10ns \(cycle 10, trace 0{15}a\)/);
});

Deno.test("boot: Ctrl-C on a terminal stops the machine, exit code 130", async () => {
  const { code, machines } = await xenarium(["boot"], {
    keys: "a\x01\x03b\x03",
    interactive: true,
  });
  assertEquals(code, 130);
  assertEquals(machines[0].lastStop, { kind: "aborted" });
});

Deno.test("boot: Ctrl-A sends the next key as it is", async () => {
  const { machines } = await xenarium(["boot", "--sim-limit", "9us"], {
    keys: "a\x01\x03b",
    interactive: true,
  });
  assertEquals(machines[0].console.typed, "a\x03b");
});

Deno.test("boot --trace writes the events and the hash", async () => {
  const { files } = await xenarium(["boot", "--until", "login:", "--trace", "t.txt"], {
    script: [PROMPT],
  });
  assertEquals(files.get("t.txt"), ['10 uart "login: "', "# hash 000000000000000a"]);
});

const MISTAKES: [claim: string, args: string[], message: RegExp][] = [
  ["a bad size", ["boot", "--memory", "12xyz"], /--memory <size>.*12xyz.*unit xyz.*KiB, MiB/s],
  ["a bad time", ["boot", "--sim-limit", "60"], /--sim-limit.*without a unit.*min, h/s],
  ["too many CPUs", ["boot", "--cpus", "65"], /whole number from 1 to 64, found "65"/],
  ["an unknown engine", ["boot", "--engine", "warm"], /Allowed choices are hot, cold, reference/],
  [
    "one engine in lock-step with itself",
    ["boot", "--lockstep", "hot,hot"],
    /--lockstep <engines>.*two different ones of hot, cold, reference, such as cold,hot, found "hot,hot"/,
  ],
  [
    "an engine beside a lock-step",
    ["boot", "--lockstep", "cold,hot", "--engine", "hot"],
    /--engine/,
  ],
  ["a distance of comparisons alone", ["boot", "--every", "5"], /--every.*for --lockstep/],
  [
    "an unknown option",
    ["boot", "--kernl", "x"],
    /unknown option '--kernl'.*Did you mean --kernel/s,
  ],
  ["an unknown command", ["bot"], /unknown command 'bot'.*Did you mean boot/s],
  ["an unknown subcommand", ["images", "ad"], /unknown command 'ad'.*Did you mean add/s],
  ["an unknown image to add", ["images", "add", "debain"], /did you mean debian\?/],
  ["a machine that cannot be built", ["boot", "--kernel", "missing"], /no image named missing/],
  ["an option without its value", ["boot", "--kernel"], /--kernel <image>' argument missing/],
];
for (const [claim, args, message] of MISTAKES) {
  Deno.test(`${claim} is refused with exit code 2 and what would be right`, async () => {
    const { code, error } = await xenarium(args);
    assertEquals(code, 2);
    assertMatch(error, message);
  });
}

Deno.test("help has examples, and boot's help the table of exit codes", async () => {
  const help = await xenarium(["--help"]);
  assertEquals(help.code, 0);
  assertStringIncludes(help.out, "xenarium boot --kernel debian");
  assertMatch((await xenarium(["boot", "--help"])).out, /Exit codes:.*130 +interrupted/s);
});

Deno.test("completion offers commands and prints a script", async () => {
  const log = console.log;
  const lines: string[] = [];
  console.log = (...args: unknown[]) => lines.push(args.join(" "));
  try {
    await xenarium(["complete", "bash"]);
    assertStringIncludes(lines.join("\n"), "xenarium complete --");
  } finally {
    console.log = log;
  }
});

Deno.test("images are listed, shown and added", async () => {
  assertEquals(
    (await xenarium(["images", "list"])).out,
    "name    size  what\ndebian  8MiB  Debian amd64\n",
  );
  assertMatch((await xenarium(["images", "show", "debian"])).out, /^sha256 +00$/m);
  const { out, error } = await xenarium(["images", "add", "debian"]);
  assertMatch(out, /^image +debian$/m);
  assertEquals(error, "adding debian: download\n");
});

Deno.test("run tells a scenario, or lists what there is; start runs the default one", async () => {
  assertEquals((await xenarium(["run", "start", "--no-store"])).out, "told\n");
  assertMatch((await xenarium(["run"])).out, /start +a tiny kernel/);
  assertMatch((await xenarium(["start"])).out, /^told\n\nNext:/);
});

Deno.test("bench measures all, or what a filter names; it lists what there is", async () => {
  assertEquals((await xenarium(["bench"])).out, "boot_debian\nsieve\n");
  assertEquals((await xenarium(["bench", "sie"])).out, "sieve\n");
  assertMatch((await xenarium(["bench", "--list"])).out, /sieve +measures sieve/);
  assertMatch((await xenarium(["bench", "x"])).error, /there are: boot_debian, sieve/);
});

Deno.test("images remove asks at a terminal, unless told not to", async () => {
  const remove = ["images", "remove", "debian"];
  const atTerminal = { interactive: true };
  assertEquals((await xenarium(remove, atTerminal)).out, "Remove debian (8MiB)?");
  assertEquals(
    (await xenarium(remove, { ...atTerminal, sure: true })).out,
    "Remove debian (8MiB)? removed debian",
  );
  assertEquals((await xenarium([...remove, "--yes"], atTerminal)).out, " removed debian");
  assertEquals((await xenarium(remove)).out, " removed debian");
});

Deno.test("images add without a name asks which, or says what there is", async () => {
  assertMatch((await xenarium(["images", "add"])).error, /name of an image: debian, debian-686/);
  assertMatch((await xenarium(["images", "add"], { interactive: true })).out, /^image +debian$/m);
});

Deno.test("a log that cannot be replayed is told in one line", async () => {
  const { code, error } = await xenarium(["replay", "boot.log", "--to", "1000"]);
  assertEquals([code, error], [2, "xenarium: log boot.log: it is no log of Xenarium\n"]);
});
