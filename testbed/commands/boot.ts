/** `xenarium boot`: one machine, whose serial console is the terminal. */

import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { Cycle, Nanoseconds } from "../../core/clock/clock.ts";
import { describeParting, LOCKSTEP_CYCLES, runLockstep, type Tiers } from "../lockstep.ts";
import type {
  EngineName,
  Machine,
  MachineOptions,
  RunOptions,
  StopReason,
} from "../machine_api.ts";
import { foldedStacks, speedscopeFile } from "../profile/speedscope.ts";
import { writeChromeTrace } from "../trace_export/chrome_trace.ts";
import { type Bytes, formatDuration } from "../units.ts";
import { describeStop, listCounters, listRegions } from "../views.ts";
import { ExitCode, exitCodeOf, exitCodeTable } from "./exit_codes.ts";
import { ConsoleKeys } from "./console_keys.ts";
import {
  durationValue,
  enginePair,
  ENGINES,
  repeated,
  sizeValue,
  wholeNumber,
} from "./option_values.ts";
import type { Services } from "./services.ts";

/** More CPUs than this have no use: their turns are taken one after the other. */
const MAX_CPUS = 64;
/** Regions that `--regions` writes in full; a boot has ten thousand, of up to a megabyte of text each. */
const FULL_REGIONS = 200;
/** Memory for checkpoints of a machine that gdb drives: it can go back. */
const GDB_CHECKPOINTS = "512MiB";
const MAX_SAMPLE_CYCLES = 1_000_000_000;

const EXAMPLES = `
Examples:
  xenarium images add debian
  xenarium boot --kernel debian                    Debian's kernel, to a busybox prompt
  xenarium boot --kernel ./vmlinuz --initrd ./initrd.img --append "console=ttyS0" --cpus 4
  xenarium boot --cdrom ./grub-rescue-cdrom.iso    through SeaBIOS
  xenarium boot --kernel debian --until "login:" --sim-limit 60s; echo $?
  xenarium boot --kernel debian --gdb 1234 --gdb-symbols debian.sym
  xenarium boot --kernel debian --lockstep cold,hot --until "xenarium# "

The serial console is standard input and output. On a terminal Ctrl-C stops the machine;
Ctrl-A sends the next key as it is (Ctrl-A Ctrl-C interrupts the guest's program), Ctrl-A x quits.

Exit codes:
${exitCodeTable().replace(/^/gm, "  ")}`;

interface BootOptions {
  kernel?: string;
  initrd?: string;
  append?: string;
  module?: string[];
  bios?: string;
  disk?: string[];
  cdrom?: string;
  net?: string;
  cpuModel?: string;
  engine?: EngineName;
  memory?: Bytes;
  cpus?: number;
  until?: string;
  simLimit?: Nanoseconds;
  trace?: string;
  profile?: string;
  profileEvery?: number;
  regions?: string;
  verbose?: boolean;
  lockstep?: Tiers;
  every?: number;
  record?: string;
  gdb?: number;
  gdbSymbols?: string;
}

/** The command; `finish` takes its exit code. */
export function bootCommand(
  services: Services,
  finish: (code: number) => void,
): CommandUnknownOpts {
  const command = new Command("boot")
    .description("boot a machine; its serial console is standard input and output")
    .option("-k, --kernel <image>", "bzImage, ELF or multiboot kernel: a file or an image's name")
    .option("-i, --initrd <image>", "initial RAM disk (default: that of the image)")
    .option("-a, --append <text>", "the kernel's command line")
    .option("--module <image>", "multiboot module, `file arguments`; repeatable", repeated)
    .option("--bios <image>", "ROM at the reset vector (default without a kernel: seabios)")
    .option("--disk <image>", "hard disk; writes stay in memory; repeatable", repeated)
    .option("--cdrom <image>", "CD in the drive")
    .option("--net <switch>", "virtual switch that the network card is wired to, or none")
    .option("--cpu-model <name>", "vendor, family and features of the CPU")
    .addOption(
      new Option("--engine <name>", "what runs the instructions")
        .choices(ENGINES),
    )
    .addOption(
      new Option("--lockstep <engines>", "run two engines side by side, stop where they differ")
        .argParser(enginePair).conflicts([
          "engine",
          "record",
          "trace",
          "profile",
          "regions",
          "gdb",
        ]),
    )
    .option(
      "--every <cycles>",
      `cycles between two comparisons in lock-step (default ${LOCKSTEP_CYCLES})`,
      wholeNumber(1, MAX_SAMPLE_CYCLES),
    )
    .option("-m, --memory <size>", "size of memory, for example 128MiB", sizeValue)
    .option("--cpus <count>", "number of CPUs", wholeNumber(1, MAX_CPUS))
    .option("--until <text>", "stop with success when the console has printed this")
    .option(
      "--sim-limit <time>",
      "stop after this much simulated time, for example 60s",
      durationValue,
    )
    .option("--record <file>", "write what the machine is given to a log for xenarium replay")
    .option(
      "--trace <file>",
      "write the trace events to a file; one that ends in .json is for Perfetto",
    )
    .option(
      "--regions <file>",
      "write what the hot tier translated: guest code, its meaning, WebAssembly, executions, exits",
    )
    .option(
      "--gdb <port>",
      "let gdb drive the machine, by this port of 127.0.0.1 (0: a free one)",
      wholeNumber(0, 65535),
    )
    .option("--gdb-symbols <file>", "write the kernel's symbols for gdb's symbol-file")
    .option("-v, --verbose", "tell at the end what the engine did")
    .option(
      "--profile <file>",
      "sample the guest by function: a file for speedscope, or with .folded folded stacks",
    )
    .option(
      "--profile-every <cycles>",
      "distance of two samples (default 10090)",
      wholeNumber(1, MAX_SAMPLE_CYCLES),
    )
    .addHelpText("after", EXAMPLES);
  return command.action(async (options) => {
    if (options.every !== undefined && options.lockstep === undefined) {
      command.error("error: option '--every <cycles>' is for --lockstep, which is not given");
    }
    finish(await (options.lockstep ? bootInLockstep : boot)(services, options));
  });
}

/** Boots and drives one machine; returns the exit code. */
export async function boot(services: Services, options: BootOptions): Promise<number> {
  const { terminal } = services;
  if (options.profileEvery !== undefined && options.profile === undefined) {
    throw new RangeError("option --profile-every needs --profile, the file to write samples to");
  }
  const machine = await services.createMachine(machineOptions(options));
  const recording = options.record === undefined ? null : await machine.record(options.record);
  const closeTrace = options.trace ? writeTrace(services, machine, options.trace) : () => {};
  const finishProfile = options.profile ? profile(services, machine, options) : () => {};
  const stopOutput = machine.console.onOutput((bytes) => terminal.write(bytes));
  const stop = await withKeyboard(services, machine, (signal) =>
    run(services, machine, options, {
      signal,
      untilText: options.until,
      untilCycle: options.simLimit && cycleAt(machine, options.simLimit),
    }));
  stopOutput();
  recording?.stop();
  closeTrace();
  finishProfile();
  if (options.regions) await writeRegions(services, machine, options.regions);
  terminal.writeError(`\n${summary(machine, stop)}\n`);
  if (options.verbose) terminal.writeError(`${listCounters(machine.trace.counters)}\n`);
  return exitCodeOf(stop, options.until !== undefined);
}

/** Runs the machine, or lets gdb do so. */
async function run(
  services: Services,
  machine: Machine,
  { gdb, gdbSymbols }: BootOptions,
  limits: RunOptions,
): Promise<StopReason> {
  if (gdbSymbols !== undefined) services.writeBytes(gdbSymbols, machine.debugger.symbolFile());
  if (gdb === undefined) return await machine.run(limits);
  const { serveGdb } = await import("../gdb/server.ts");
  const server = serveGdb(machine, { port: gdb, run: limits, runsDetached: true });
  services.terminal.writeError(
    `xenarium: stopped until gdb continues; in gdb: target remote 127.0.0.1:${server.port}\n`,
  );
  limits.signal?.addEventListener("abort", () => server.close());
  try {
    return await server.ended;
  } finally {
    server.close();
  }
}

/** Boots one machine on each of two engines in lock-step; returns the exit code. */
async function bootInLockstep(services: Services, options: BootOptions): Promise<number> {
  const { terminal } = services;
  const stopped = new AbortController();
  const ignoreInterrupts = terminal.onInterrupt(() => stopped.abort());
  const { simLimit, lockstep: tiers } = options;
  let first: Machine | undefined;
  const result = await runLockstep(services.createMachine, machineOptions(options), {
    tiers: tiers!,
    everyCycles: options.every,
    untilText: options.until,
    untilCycle: (machine) => simLimit && cycleAt(machine, simLimit),
    signal: stopped.signal,
    onStart: (machine) => {
      first = machine;
      machine.console.onOutput((bytes) => terminal.write(bytes));
    },
  });
  ignoreInterrupts();
  const { stop, comparisons, parting } = result;
  terminal.writeError(`\n${summary(first!, stop)}\n`);
  terminal.writeError(
    parting
      ? `${describeParting(parting)}\n`
      : `${tiers!.join(" and ")}: no difference in ${comparisons} comparisons\n`,
  );
  return parting ? ExitCode.parting : exitCodeOf(stop, options.until !== undefined);
}

function machineOptions(options: BootOptions): MachineOptions {
  const { kernel, initrd, append, bios, cdrom, net, cpuModel, memory, cpus, engine } = options;
  const modules = options.module?.map((text) => {
    const [image, ...words] = text.split(" ");
    return { image, commandLine: words.join(" ") };
  });
  const all = {
    kernel,
    initrd,
    append,
    bios,
    cdrom,
    net,
    cpuModel,
    memory,
    cpus,
    engine,
    modules,
    translator: options.regions === undefined ? undefined : { profile: true },
    disks: options.disk,
    checkpoints: options.gdb === undefined ? undefined : GDB_CHECKPOINTS,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The first cycle at which `limitNs` nanoseconds have passed since power-on. */
function cycleAt(machine: Machine, limitNs: Nanoseconds): Cycle {
  return machine.clock.cycleOfTick(limitNs, 1_000_000_000);
}

/** Runs `body` with the keyboard wired to the machine's console and to an abort signal. */
async function withKeyboard(
  { terminal }: Services,
  machine: Machine,
  body: (signal: AbortSignal) => Promise<StopReason>,
): Promise<StopReason> {
  const stopped = new AbortController();
  const closed = new AbortController();
  const ignoreInterrupts = terminal.onInterrupt(() => stopped.abort());
  const keys = new ConsoleKeys(terminal.interactive, {
    send: (bytes) => machine.console.send(bytes),
    quit: () => stopped.abort(),
  });
  const typing = (async () => {
    for await (const bytes of terminal.input(closed.signal)) keys.type(bytes);
  })();
  if (terminal.interactive) terminal.setRaw(true);
  try {
    return await body(stopped.signal);
  } finally {
    if (terminal.interactive) terminal.setRaw(false);
    ignoreInterrupts();
    closed.abort();
    await typing;
  }
}

function writeTrace(services: Services, machine: Machine, path: string): () => void {
  const file = services.openText(path);
  if (path.endsWith(".json")) {
    const end = writeChromeTrace(machine, (line) => file.writeLine(line));
    return () => {
      end();
      file.close();
    };
  }
  const stops = [
    machine.trace.onEvent(({ cycle, kind, text }) => file.writeLine(`${cycle} ${kind} ${text}`)),
    machine.trace.onCounters(({ cycle, counts }) => {
      const values = Object.entries(counts).map(([name, count]) => `${name}=${count}`);
      file.writeLine(`# ${cycle} ${values.join(" ")}`);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    file.writeLine(`# hash ${machine.trace.hash}`);
    file.close();
  };
}

/** Samples from now on; returns how to write what was found. */
function profile(services: Services, machine: Machine, options: BootOptions): () => void {
  const file = services.openText(options.profile!);
  const sampled = machine.profile({ everyCycles: options.profileEvery });
  return () => {
    sampled.stop();
    const lines = options.profile!.endsWith(".folded")
      ? foldedStacks(sampled)
      : [JSON.stringify(speedscopeFile(sampled, machine.name))];
    for (const line of lines) file.writeLine(line);
    file.close();
  };
}

/** A table of all regions, then the most executed ones in full. */
async function writeRegions(services: Services, machine: Machine, path: string): Promise<void> {
  const file = services.openText(path);
  const regions = machine.translations.list();
  file.writeLine(listRegions(regions));
  for (const region of regions.slice(0, FULL_REGIONS)) file.writeLine(`\n${await region.text()}`);
  file.close();
}

function summary(machine: Machine, stop: StopReason): string {
  const time = formatDuration(machine.clock.nowNs);
  const hash = machine.trace.hash;
  return `xenarium: ${describeStop(stop)}, after ${time} (cycle ${machine.now}, trace ${hash})`;
}
