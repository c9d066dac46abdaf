/** The REPL's commands for the past: snapshots, replays, going back. */

import type { Cycle } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { Host, replayHost } from "../boot_host.ts";
import { loadMachine, replay } from "../create_machine.ts";
import { hosts } from "../host_registry.ts";
import type { Machine, StopReason, WriteRecord } from "../machine_api.ts";
import { OtherKindError } from "../snapshot/section_file.ts";
import { describeStop, dumpBytes, hex, listInstructions } from "../views.ts";

/** One command. */
export interface HistoryCommand {
  readonly usage: string;
  readonly help: string;
  /** Returns what to print, and the machine that commands mean from now on if that is another one. */
  run(words: readonly string[], chosen: () => Machine): Promise<string | Made>;
}

/** A machine that a command has made. */
export interface Made {
  readonly machine: Machine;
  readonly text: string;
}

/** The commands by name. */
export const HISTORY_COMMANDS: Readonly<Record<string, HistoryCommand>> = {
  save: {
    usage: ".save file [host]",
    help: "write the machine, or a host with its domains, to a snapshot file",
    run: async ([path, name], chosen) => {
      if (name !== undefined) {
        const host = hostNamed(name);
        await Host.save(host, expected(path, ".save host.snapshot host1"));
        return `${name} at cycle ${host.hardware.clock.reached} is in ${path}`;
      }
      const machine = chosen();
      await machine.save(expected(path, ".save machine.snapshot"));
      return `${machine.name} at cycle ${machine.now} is in ${path}`;
    },
  },
  load: {
    usage: ".load file",
    help: "make a machine or a host of a snapshot file",
    run: async ([path]) => {
      const file = expected(path, ".load machine.snapshot");
      const made = await loadMachine(file).catch(async (error) => {
        const isHost = error.cause instanceof OtherKindError && error.cause.kind === "host";
        if (!isHost) throw error;
        return await Host.load(file);
      });
      if ("hypervisor" in made) {
        return `a host is at cycle ${made.hardware.clock.reached}: .xl means it`;
      }
      return { machine: made, text: `${made.name} is at cycle ${made.now}` };
    },
  },
  record: {
    usage: ".record file",
    help: "write all that the machine is given from now on to a log",
    run: async ([path], chosen) => {
      const recording = await chosen().record(expected(path, ".record machine.log"));
      return `what it is given is written to ${recording.path}`;
    },
  },
  replay: {
    usage: ".replay file [cycle]",
    help:
      "make a machine or host of a log, and run it as it was recorded, to its end or to a cycle",
    run: async ([path, cycle]) => {
      const to = cycle === undefined ? undefined : wholeNumber(cycle) as Cycle;
      const log = expected(path, ".replay machine.log 1000000");
      const told = (now: Cycle, checked: number, tornBytes: number) => {
        const torn = tornBytes === 0 ? "" : `; its last ${tornBytes} bytes are torn and left out`;
        return `is at cycle ${now}, ${checked} hashes as recorded${torn}`;
      };
      const { logSubject } = await import("../replay_log.ts");
      if (await logSubject(log) === "host") {
        const { host, checked, tornBytes } = await replayHost(log, { to });
        return `a host ${told(host.hardware.clock.reached, checked, tornBytes)}: .xl means it`;
      }
      const { machine, checked, tornBytes } = await replay(log, { to, checkpoints: "1GiB" });
      return { machine, text: `${machine.name} ${told(machine.now, checked, tornBytes)}` };
    },
  },
  back: {
    usage: ".back [count [cpu] | @cycle | stop]",
    help: "go back by instructions, to a cycle, or to the last hit of a break or watch",
    run: async ([where = "1", cpu = "0"], chosen) => {
      const machine = chosen();
      let told = "";
      if (where === "stop") told = `${describeHitBefore(await machine.reverseContinue())}\n`;
      else if (where.startsWith("@")) await machine.seek(wholeNumber(where.slice(1)) as Cycle);
      else await machine.reverseStep(wholeNumber(where), wholeNumber(cpu));
      const lines = listInstructions(await machine.disassemble(undefined, 1, wholeNumber(cpu)));
      return `${told}cycle ${machine.now}\n${lines}`;
    },
  },
  lastwrite: {
    usage: ".lastwrite address [bytes]",
    help: "find who stored to guest-physical memory last",
    run: async ([address, bytes = "4"], chosen) => {
      const at = wholeNumber(expected(address, ".lastwrite 0x1000 8"));
      const found = await chosen().lastWrite(physical(at), wholeNumber(bytes));
      return found ? describeWrite(found, at) : "nobody did since the oldest checkpoint";
    },
  },
};

function describeHitBefore(stop: StopReason): string {
  return stop.kind === "limit"
    ? "nothing stopped since the oldest checkpoint: back there"
    : describeStop(stop);
}

function describeWrite({ cycle, cpu, address, before, after }: WriteRecord, at: number): string {
  return [
    `before cycle ${cycle} on cpu${cpu}, by the instruction at ${hex(address)}`,
    "before:",
    dumpBytes(before, BigInt(at)),
    "after:",
    dumpBytes(after, BigInt(at)),
  ].join("\n");
}

function hostNamed(name: string): Host {
  const host = hosts.get(name);
  if (host) return host;
  const names = [...hosts].map(([each]) => each).join(", ") || "none";
  throw new RangeError(`there is no host ${name}; there are: ${names}`);
}

function expected(word: string | undefined, example: string): string {
  if (word !== undefined) return word;
  throw new SyntaxError(`expected more, for example: ${example}`);
}

function wholeNumber(text: string): number {
  const value = /^(?:0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new SyntaxError(`expected a whole number such as 1000 or 0x3e8, found ${text}`);
}
