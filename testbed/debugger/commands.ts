/** The debugger's commands: what each takes and prints, at the REPL's prompt (`.walk`) and in gdb (`monitor walk`). */

import { unreachable } from "../../core/lib/assert.ts";
import type { CpuView, DebugTarget, StopReason } from "../machine_api.ts";
import { closest } from "../suggestion.ts";
import { table } from "../tables.ts";
import { describeStop, listInstructions } from "../views.ts";
import { describeBackTrace } from "./back_trace.ts";
import { describeGates, describeSegments } from "./descriptor_tables.ts";
import {
  type Expression,
  type ExpressionScope,
  parseExpression,
  registerOf,
} from "./expression.ts";
import { describePageWalk } from "./page_walk.ts";
import { describeCondition, type StopCondition, type StopOptions } from "./stop_conditions.ts";
import { describeTlb } from "./tlb_entries.ts";

/** One command of the debugger. */
export interface DebugCommand {
  readonly usage: string;
  readonly help: string;
  /** Returns what to print; throws an error that says what would be right. */
  run(words: readonly string[], machine: DebugTarget): string | Promise<string>;
}

const DEFAULT_WATCHED_BYTES = 8;
const WATCH_KINDS = ["write", "read", "access"] as const;

/** The commands by name. */
export const DEBUG_COMMANDS: Readonly<Record<string, DebugCommand>> = {
  break: {
    usage: ".break [place|trap N|exception|port N|msr [N]|cr N|table address|ring] [if expression]",
    help: "stop before code at a symbol or address, or at an event; alone: list the stops",
    run: (words, machine) => {
      if (words.length === 0) return listStops(machine);
      const [what, options] = splitCondition(words, machine);
      const id = machine.debugger.stopAt(conditionOf(what, machine), options);
      return told(machine, id);
    },
  },
  watch: {
    usage: ".watch [phys:]place [bytes] [write|read|access] [if expression]",
    help: "stop after memory is accessed (default: written); alone: list the stops",
    run: (words, machine) => {
      if (words.length === 0) return listStops(machine);
      const [[place, ...rest], options] = splitCondition(words, machine);
      const on = WATCH_KINDS.find((kind) => rest.includes(kind)) ?? "write";
      const [size = DEFAULT_WATCHED_BYTES] = rest.filter((word) => !isWatchKind(word)).map(number);
      const isPhysical = place.startsWith("phys:");
      const id = machine.debugger.watch(isPhysical ? place.slice("phys:".length) : place, {
        ...options,
        bytes: size,
        on,
        space: isPhysical ? "physical" : "linear",
      });
      return told(machine, id);
    },
  },
  delete: {
    usage: ".delete number|all",
    help: "remove a stop, or all of them",
    run: ([which], machine) => {
      if (which === undefined) throw new SyntaxError("expected the number of a stop, or all");
      if (which === "all") machine.debugger.clear();
      else machine.debugger.remove(number(which));
      return listStops(machine);
    },
  },
  cont: {
    usage: ".cont",
    help: "run until a stop; Ctrl-C interrupts",
    run: async (_words, machine) => await describeWhere(machine, await machine.run()),
  },
  stepi: {
    usage: ".stepi [cpu]",
    help: "carry out one instruction of one CPU; the others run meanwhile as they would",
    run: async ([cpu], machine) =>
      await describeWhere(machine, await machine.debugger.stepInto(number(cpu ?? "0")), cpu),
  },
  next: {
    usage: ".next [cpu]",
    help: "the same, but a function that is called comes to its end",
    run: async ([cpu], machine) =>
      await describeWhere(machine, await machine.debugger.stepOver(number(cpu ?? "0")), cpu),
  },
  finish: {
    usage: ".finish [cpu]",
    help: "run until the present function has returned",
    run: async ([cpu], machine) =>
      await describeWhere(machine, await machine.debugger.stepOut(number(cpu ?? "0")), cpu),
  },
  where: {
    usage: ".where [cpu]",
    help: "the next instruction of a CPU, and the cycle",
    run: async ([cpu], machine) => await describePlace(machine, number(cpu ?? "0")),
  },
  bt: {
    usage: ".bt [cpu]",
    help: "who called whom; ? marks what may be left on the stack from before",
    run: ([cpu], machine) => describeBackTrace(machine.debugger.backTrace(number(cpu ?? "0"))),
  },
  walk: {
    usage: ".walk address [cpu]",
    help: "the way of a linear address through the page tables, level by level",
    run: ([address, cpu], machine) => {
      if (address === undefined) throw new SyntaxError("expected an address: .walk rsp");
      return describePageWalk(machine.debugger.walk(address, number(cpu ?? "0")));
    },
  },
  tlb: {
    usage: ".tlb [cpu]",
    help: "what the TLBs of a CPU hold",
    run: ([cpu], machine) => describeTlb(machine.debugger.tlb(number(cpu ?? "0"))),
  },
  gdt: {
    usage: ".gdt [cpu]",
    help: "GDT and LDT, decoded",
    run: ([cpu], machine) =>
      describeSegments(machine.debugger.descriptorTables(number(cpu ?? "0"))),
  },
  idt: {
    usage: ".idt [cpu]",
    help: "the IDT, decoded, with the names of its handlers",
    run: ([cpu], { debugger: watcher }) =>
      describeGates(watcher.descriptorTables(number(cpu ?? "0")), watcher.symbols),
  },
  sym: {
    usage: ".sym expression",
    help: "the value of an expression of registers and symbols, and what is named there",
    run: (words, machine) => {
      const value = valueIn(words.join(" "), machine);
      const name = machine.debugger.symbols.nameAt(value, true);
      return `0x${value.toString(16)}${name === null ? "" : ` ${name}`}`;
    },
  },
};

function told(machine: DebugTarget, id: number): string {
  const stop = machine.debugger.stops.find((stop) => stop.id === id)!;
  return `stop ${id}: ${describeCondition(stop.condition)}`;
}

/** The stops as a table. */
export function listStops({ debugger: { stops, symbols } }: DebugTarget): string {
  if (stops.length === 0) return "no stops are set";
  return table(
    ["stop", "at", "", "hits"],
    stops.map(({ id, condition, hits }) => [
      id,
      describeCondition(condition),
      "address" in condition ? symbols.nameAt(condition.address, true) ?? "" : "",
      hits,
    ]),
  );
}

/** Why the machine stopped, and the instruction that comes next. */
async function describeWhere(machine: DebugTarget, stop: StopReason, cpu = "0"): Promise<string> {
  const place = await describePlace(machine, stop.kind === "breakpoint" ? stop.cpu : number(cpu));
  return stop.kind === "limit" ? place : `${describeStop(stop)}\n${place}`;
}

async function describePlace(machine: DebugTarget, cpu: number): Promise<string> {
  const where = `${machine.debugger.placeOf(cpu)}, cycle ${machine.now}`;
  return `${where}\n${listInstructions(await machine.disassemble(undefined, 1, cpu))}`;
}

/** What stands before `if`, and the options that say what stands behind it. */
function splitCondition(
  words: readonly string[],
  machine: DebugTarget,
): [what: readonly string[], options: StopOptions] {
  const at = words.indexOf("if");
  if (at < 0) return [words, {}];
  if (at === 0) throw new SyntaxError("expected what to stop at before if");
  const holds = evaluator(words.slice(at + 1).join(" "), machine);
  return [words.slice(0, at), { condition: (cpu) => holds(cpu) !== 0n }];
}

/** The value of an expression on CPU 0; throws an error that says what is wrong with it. */
export function valueIn(text: string, machine: DebugTarget): bigint {
  return evaluator(text, machine)(machine.cpus[0]);
}

function evaluator(text: string, machine: DebugTarget): (cpu: CpuView) => bigint {
  const expression: Expression = parseExpression(text);
  const { symbols } = machine.debugger;
  const scope = ({ registers, index }: CpuView): ExpressionScope => ({
    symbol: (name) => registerOf(registers, name) ?? symbols.find(name),
    missing: (name) => symbols.addressOf(name),
    read: (address, bytes) => machine.memory.readLinear(index, address, bytes),
  });
  // A name that means nothing is told now, not when the machine comes there; memory may be mapped by then.
  expression({ ...scope(machine.cpus[0]), read: (_address, bytes) => new Uint8Array(bytes) });
  return (cpu) => expression(scope(cpu));
}

function conditionOf(words: readonly string[], machine: DebugTarget): StopCondition {
  const [what, argument] = words;
  const kind = EVENTS.find((event) => event === what);
  switch (kind) {
    case undefined:
      return { kind: "code", address: machine.debugger.place(words.join(" ")) };
    case "trap":
      return { kind: "trap", vector: number(argument) };
    case "exception":
      return { kind: "trap", vector: null };
    case "port":
      return { kind: "port", port: number(argument) };
    case "msr":
      return { kind: "msr", msr: argument === undefined ? null : number(argument) };
    case "cr":
      return { kind: "control", register: number(argument) };
    case "table":
      return { kind: "pageTable", address: machine.debugger.place(words.slice(1).join(" ")) };
    case "ring":
      return { kind: "ring" };
    default:
      return unreachable(kind, "event");
  }
}

const EVENTS = ["trap", "exception", "port", "msr", "cr", "table", "ring"] as const;

function isWatchKind(word: string): boolean {
  return WATCH_KINDS.some((kind) => kind === word);
}

function number(text: string | undefined): number {
  const value = text === undefined || text === "" ? NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new SyntaxError(`expected a whole number, found ${text ?? "nothing"}`);
}

/** The command of a name; throws `SyntaxError` with the closest one if there is none. */
export function debugCommand(name: string): DebugCommand {
  const command = DEBUG_COMMANDS[name];
  if (command) return command;
  const best = closest(name, Object.keys(DEBUG_COMMANDS));
  const hint = best === undefined
    ? Object.keys(DEBUG_COMMANDS).join(", ")
    : `did you mean ${best}?`;
  throw new SyntaxError(`there is no command ${JSON.stringify(name)}; ${hint}`);
}
