/** The REPL's commands for machines: what each takes, what it prints. */

import { physical } from "../../core/lib/brand.ts";
import { DEBUG_COMMANDS, valueIn } from "../debugger/commands.ts";
import type { HostDomain } from "../host/host_domain.ts";
import type { DebugTarget, Machine } from "../machine_api.ts";
import type { MachineRegistry } from "../machine_registry.ts";
import { type GuestProfile, listFunctions } from "../profile/guest_profile.ts";
import { suggest } from "../suggestion.ts";
import { table } from "../tables.ts";
import {
  describeCpu,
  describeStop,
  dumpBytes,
  hex,
  listCounters,
  listDevices,
  listInstructions,
  listMachines,
  listRegions,
  listTrace,
} from "../views.ts";

import { HISTORY_COMMANDS, type Made } from "./history_commands.ts";
import type { Attachable, XlSessions } from "./xl_command.ts";

/** What a command works on. */
export interface CommandContext {
  readonly machines: MachineRegistry;
  /** The machine that commands mean; the newest one until another is chosen. */
  selected: string | null;
  /** The domain that debugger commands mean instead, if one was chosen. */
  domain: HostDomain | null;
  /** The profile that was started of each machine. */
  readonly profiles: WeakMap<Machine, GuestProfile>;
  /** Connects the terminal to a console and runs its machine, until the user leaves. */
  attach(target: Attachable): Promise<string>;
  readonly xl: XlSessions;
}

/** One dot command. */
export interface DotCommand {
  readonly usage: string;
  readonly help: string;
  /** Returns what to print; throws an error that says what would be right. */
  run(words: readonly string[], context: CommandContext): string | Promise<string>;
}

const DEFAULT_LINES = 10;
const DEFAULT_DUMP_BYTES = 128;
const MAX_COUNT = 1_000_000;

/** The commands by name. */
export const DOT_COMMANDS: Readonly<Record<string, DotCommand>> = {
  machines: {
    usage: ".machines [name]",
    help: "list the machines, or choose the one that commands mean",
    run: ([name], context) => {
      if (name === undefined) return listMachines(context.machines);
      context.selected = named(name, context.machines).name;
      context.domain = null;
      return `commands mean ${context.selected} now`;
    },
  },
  domain: {
    usage: ".domain [[host] name]",
    help: "say or choose which domain of the newest host (or of another) debugger commands mean",
    run: async (words, context) => {
      if (words.length > 0) {
        const [host, name] = words.length > 1 ? words : [undefined, words[0]];
        context.domain = await context.xl.domain(name, host);
      }
      const { domain } = context;
      return domain
        ? `debugger commands mean domain ${domain.name} now; .machines NAME chooses a machine`
        : "debugger commands mean a machine; .domain NAME chooses a domain";
    },
  },
  console: {
    usage: ".console [name]",
    help: "connect the keyboard to the serial console and run; Ctrl-C comes back",
    run: ([name], context) =>
      context.attach(name === undefined ? chosen(context) : named(name, context.machines)),
  },
  step: {
    usage: ".step [count]",
    help: "carry out instructions of CPU 0 and show where it is",
    run: async ([count], context) => {
      const machine = chosen(context);
      const stop = await machine.step(countOf(count, 1));
      const lines = listInstructions(await machine.disassemble(undefined, 1));
      return stop.kind === "limit" ? lines : `${describeStop(stop)}\n${lines}`;
    },
  },
  disas: {
    usage: ".disas [address] [count]",
    help: "list instructions, from RIP or from a linear address",
    run: async ([address, count], context) => {
      const machine = debugged(context);
      const from = address === undefined ? undefined : addressOf(address, machine);
      return listInstructions(await machine.disassemble(from, countOf(count, DEFAULT_LINES)));
    },
  },
  regs: {
    usage: ".regs [cpu]",
    help: "show the registers of one CPU, or of all",
    run: ([index], context) => {
      const { cpus } = debugged(context);
      if (index === undefined) return cpus.map(describeCpu).join("\n\n");
      const cpu = cpus[countOf(index, 0)];
      if (!cpu) throw new RangeError(`there is no CPU ${index}; there are ${cpus.length}`);
      return describeCpu(cpu);
    },
  },
  mem: {
    usage: ".mem address [length]",
    help: "dump memory at a linear address of CPU 0; phys:address for a physical one",
    run: ([address, length], context) => {
      if (address === undefined) throw new SyntaxError("expected an address: .mem 0x1000 64");
      const machine = debugged(context);
      const { memory } = machine;
      const count = countOf(length, DEFAULT_DUMP_BYTES);
      const at = addressOf(address.replace(/^phys:/, ""), machine);
      const bytes = address.startsWith("phys:")
        ? memory.readBytes(physical(Number(at)), count)
        : memory.readLinear(0, at, count);
      return bytes.length === 0 ? `nothing is mapped at ${hex(at)}` : dumpBytes(bytes, at);
    },
  },
  trace: {
    usage: ".trace [count]",
    help: "show the latest trace events, the trace hash, and what the engine did",
    run: ([count], context) => {
      const { trace } = chosen(context);
      const events = trace.recent(countOf(count, 2 * DEFAULT_LINES));
      const lines = events.length === 0 ? "no events" : listTrace(events);
      return `${lines}\nhash ${trace.hash}\n${listCounters(trace.counters)}`;
    },
  },
  profile: {
    usage: ".profile [cycles]",
    help: "sample the guest by function every so many cycles; once it does, show the hottest ones",
    run: ([cycles], context) => {
      const machine = chosen(context);
      const known = context.profiles.get(machine);
      if (known && cycles === undefined) return listFunctions(known);
      const everyCycles = cycles === undefined ? undefined : countOf(cycles, 0);
      const profile = machine.profile({ everyCycles });
      context.profiles.set(machine, profile);
      return `one sample in ${profile.everyCycles} cycles of each CPU from now on; run the machine`;
    },
  },
  regions: {
    usage: ".regions [address]",
    help: "list the most executed regions of translated code, or print those at a linear address",
    run: async ([address], context) => {
      const machine = chosen(context);
      const { translations } = machine;
      if (address === undefined) {
        return listRegions(translations.list().slice(0, 2 * DEFAULT_LINES));
      }
      const found = translations.find(addressOf(address, machine));
      if (found.length === 0) return `no code is translated at ${address}`;
      return (await Promise.all(found.map((region) => region.text()))).join("\n\n");
    },
  },
  screen: {
    usage: ".screen",
    help: "show the text screen",
    run: (_words, context) => chosen(context).screen().join("\n"),
  },
  xl: {
    usage: ".xl [-h host] verb ...",
    help:
      "manage the domains of the newest host (or of another) as Xen's xl does; .xl help lists the verbs",
    run: (words, { xl }) => xl.run(words),
  },
  devices: {
    usage: ".devices",
    help: "list the devices and their resources",
    run: (_words, context) => listDevices(chosen(context).devices),
  },
  ...Object.fromEntries(
    Object.entries(HISTORY_COMMANDS).map(([name, { usage, help, run }]): [string, DotCommand] => [
      name,
      {
        usage,
        help,
        run: async (words, context) => select(await run(words, () => chosen(context)), context),
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(DEBUG_COMMANDS).map(([name, { usage, help, run }]): [string, DotCommand] => [
      name,
      { usage, help, run: (words, context) => run(words, debugged(context)) },
    ]),
  ),
};

/** What `.help` prints; `others` are the line editor's own commands. */
export function helpText(others: readonly (readonly [usage: string, help: string])[]): string {
  const rows = Object.values(DOT_COMMANDS).map(({ usage, help }) => [usage, help]);
  return [
    table(["", ""], [...rows, ...others.map((row) => [...row])]),
    "",
    "Everything else is TypeScript; await works, _ is the last value. For example:",
    '  const m = await createMachine({ kernel: "debian", memory: "256MiB" })',
    '  await m.console.waitFor("# ")',
    '  m.console.send("uname -a\\n"); await m.run({ untilText: "GNU/Linux" })',
    "  m.cpus[0]",
    "Ctrl-C interrupts a running machine, which can then be looked at. Ctrl-D leaves.",
  ].join("\n");
}

/** What to print; commands mean a machine that was made. */
function select(outcome: string | Made, context: CommandContext): string {
  if (typeof outcome === "string") return outcome;
  context.selected = outcome.machine.name;
  context.domain = null;
  return outcome.text;
}

function chosen({ machines, selected }: CommandContext): Machine {
  const machine = (selected && machines.get(selected)) || [...machines].at(-1);
  if (!machine) throw new RangeError("there is no machine: make one with await createMachine({})");
  return machine;
}

/** What the debugger's commands work on. */
function debugged(context: CommandContext): DebugTarget {
  const { domain } = context;
  if (domain === null) return chosen(context);
  if (domain.host.domains.includes(domain)) return domain;
  throw new RangeError(`domain ${domain.name} is gone: choose another by .domain, or .machines`);
}

function named(name: string, machines: MachineRegistry): Machine {
  const machine = machines.get(name);
  if (machine) return machine;
  const names = [...machines].map((each) => each.name);
  throw new RangeError(`there is no machine named ${name}: ${suggest(name, names)}`);
}

function countOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0 && count <= MAX_COUNT) return count;
  throw new SyntaxError(`expected a whole number up to ${MAX_COUNT}, found ${text}`);
}

/** Bare digits are hexadecimal; whatever else is an expression, as the debugger's commands take it. */
function addressOf(text: string, machine: DebugTarget): bigint {
  if (/^(?:0x)?[0-9a-f]{1,16}$/i.test(text)) return BigInt(text.replace(/^(?:0x)?/i, "0x"));
  return valueIn(text, machine);
}
