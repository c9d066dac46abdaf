/**
 * What the past costs: recording and checkpoints while Debian boots, snapshots in memory and in files, and going back
 * over a billion instructions. Each figure stands beside the one that is wanted. Machines that are compared boot in turns of
 * a few million cycles, so that a host whose load changes is fair to all.
 */

import type { Cycle, Cycles } from "../core/clock/clock.ts";
import {
  createMachine,
  defineScenario,
  loadMachine,
  type Machine,
  type MachineOptions,
} from "../mod.ts";
import { ratio, type Spent, timed } from "./measuring/spent.ts";

const PROMPT = "xenarium# ";
const DEBIAN: MachineOptions = { kernel: "debian", append: "console=ttyS0", memory: "256MiB" };
/** A turn of one of the machines that are compared. */
const TURN = 25_000_000 as Cycles;
/** A boot that takes longer has failed. */
const MAX_TURNS = 400;
const REVERSED_CYCLES = 1_000_000_000;
/** Is called once, some ten million cycles after the start. */
const EARLY_FUNCTION = "start_kernel";
/** No kernel comes here. */
const NOWHERE = 0xffff_ffff_ffff_f000n;

type Tell = (what: string, spent: Spent, wanted?: string) => void;

export default defineScenario({
  summary: "snapshots, recording, checkpoints, and going back over a billion instructions",

  async run({ print, table }) {
    const rows = table({
      name: "time_travel",
      title: "Time travel",
      columns: ["what", "wall|s", "CPU|s", "wanted"],
      hostTime: true,
    });
    const tell: Tell = (what, { wall, cpu }, wanted = "") => {
      rows.row(what, wall, cpu, wanted);
      print(`${what.padEnd(62)} ${wall.toFixed(3)} s  CPU ${cpu.toFixed(3)} s  ${wanted}`);
    };
    const folder = await Deno.makeTempDir({ prefix: "xenarium-bench-" });
    try {
      const booted = await boots(folder, tell, print);
      await files(booted, `${folder}/machine.snapshot`, tell, print);
      await reverse(tell);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Boots three machines side by side: one plain, one recorded, one with checkpoints; returns the plain one. */
async function boots(folder: string, tell: Tell, print: (line: string) => void): Promise<Machine> {
  const plain = await createMachine(DEBIAN);
  const recorded = await createMachine(DEBIAN);
  const recording = await recorded.record(`${folder}/log`);
  const kept = await createMachine({ ...DEBIAN, checkpoints: "1GiB" });
  const machines = [plain, recorded, kept];
  const spent = machines.map(() => ({ wall: 0, cpu: 0 }));
  const checkpoints: number[] = [];
  for (let turn = 0; turn < MAX_TURNS && !kept.console.text.includes(PROMPT); turn++) {
    for (const i of turn % 2 === 0 ? [0, 1, 2] : [2, 1, 0]) {
      const { wall, cpu } = await timed(() => machines[i].run({ forCycles: TURN }));
      spent[i] = { wall: spent[i].wall + wall, cpu: spent[i].cpu + cpu };
    }
    // The first one marks all frames.
    const { wall } = await timed(() => kept.checkpoint());
    if (turn > 0) checkpoints.push(wall);
  }
  recording.stop();
  tell("boot to the prompt", spent[0]);
  tell("the same, recorded", spent[1], `${ratio(spent[1], spent[0])} (at most 1.05)`);
  tell("the same, with automatic checkpoints", spent[2], ratio(spent[2], spent[0]));
  checkpoints.sort((a, b) => a - b);
  for (const [name, part] of [["median", 0.5], ["ninth of ten", 0.9], ["longest", 1]] as const) {
    const wall = checkpoints[Math.ceil(checkpoints.length * part) - 1];
    tell(`checkpoint in memory after the first, ${name}`, { wall, cpu: wall }, "< 0.020");
  }
  print(`${kept.checkpoints.length} checkpoints are kept`);
  return plain;
}

async function files(
  machine: Machine,
  path: string,
  tell: Tell,
  print: (line: string) => void,
): Promise<void> {
  for (const time of ["first", "second"]) {
    tell(`save to a file, ${time} time`, await timed(() => machine.save(path)), "< 3");
    const { size } = await Deno.stat(path);
    print(`the file takes ${(size / 1e6).toFixed(1)} MB (< 60)`);
    const running = async () => {
      const loaded = await loadMachine(path, { name: `loaded ${time} time` });
      await loaded.run({ forCycles: 1000 as Cycles });
    };
    tell(`load it and run, ${time} time`, await timed(running), "< 1");
  }
}

async function reverse(tell: Tell): Promise<void> {
  const end = REVERSED_CYCLES as Cycle;
  const machine = await createMachine({ ...DEBIAN, checkpoints: "1GiB" });
  const forward = await timed(() => machine.run({ untilCycle: end }));
  tell("a billion cycles forward", forward);
  const wanted = (spent: Spent) =>
    `<= ${(1.5 * forward.wall + 0.5).toFixed(1)}; ${ratio(spent, forward)}`;
  const back = async (what: string) => {
    await machine.seek(end);
    const spent = await timed(() => machine.reverseContinue());
    tell(`reverseContinue, ${what}`, spent, wanted(spent));
  };
  const none = machine.debugger.break(NOWHERE);
  await back("nothing is hit");
  machine.debugger.remove(none);
  machine.debugger.break(EARLY_FUNCTION);
  await back("hit near the start");
  machine.debugger.clear();
  machine.debugger.stopAt({ kind: "trap", vector: 14 });
  await back("the last of many page faults");
}
