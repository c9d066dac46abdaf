/** `monitor` commands: those of the debugger that do not run the machine, which is gdb's to do. */

import { DEBUG_COMMANDS, debugCommand } from "../debugger/commands.ts";
import type { DebugTarget, Machine } from "../machine_api.ts";
import { table } from "../tables.ts";
import { describeCpu, describeMachine, listDevices, listTrace } from "../views.ts";

/** What gdb does itself. */
const RUNNING = ["cont", "stepi", "next", "finish"];
const EVENTS = 20;

/** Carries out one line; returns what to print. Throws an error that says what would be right. */
export async function monitorCommand(target: DebugTarget, line: string): Promise<string> {
  const [name = "help", ...words] = line.trim().split(/\s+/).filter((word) => word !== "");
  switch (name) {
    case "help":
      return help();
    case "machine":
      return describeMachine(whole(target));
    case "regs":
      return target.cpus.map(describeCpu).join("\n\n");
    case "devices":
      return listDevices(whole(target).devices);
    case "trace": {
      const { trace } = whole(target);
      return `${listTrace(trace.recent(EVENTS))}\nhash ${trace.hash}`;
    }
    default:
      if (RUNNING.includes(name)) {
        throw new SyntaxError(`gdb runs the machine: use its own ${name} instead`);
      }
      return await debugCommand(name).run(words, target);
  }
}

/** The machine that is debugged, or `null` if it is a domain of a host. */
export function machineOf(target: DebugTarget): Machine | null {
  return "devices" in target ? target as Machine : null;
}

function whole(target: DebugTarget): Machine {
  const machine = machineOf(target);
  if (machine) return machine;
  throw new SyntaxError(`${target.name} is a domain: its host has that`);
}

function help(): string {
  const rows = Object.entries(DEBUG_COMMANDS).filter(([name]) => !RUNNING.includes(name))
    .map(([, { usage, help }]) => [usage.replace(/^\./, ""), help]);
  const own = [
    ["machine", "what the machine is and how it stands"],
    ["regs", "all registers, those of the system included"],
    ["devices", "the devices and their resources"],
    ["trace", "the latest trace events, and the trace hash"],
  ];
  return table(["", ""], [...own, ...rows]);
}
