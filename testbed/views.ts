/** How machines, CPUs, memory and stop reasons read as text, wherever they are printed. */

import { unreachable } from "../core/lib/assert.ts";
import type { Counts } from "../core/trace/counters.ts";
import { describeCondition, type StopHit } from "./debugger/stop_conditions.ts";
import type {
  CpuView,
  DeviceView,
  DisassembledLine,
  Machine,
  RegionView,
  StopReason,
  TraceLine,
} from "./machine_api.ts";
import { table } from "./tables.ts";
import { formatDuration, formatSize } from "./units.ts";

/** Registers to a row of the register table; names that a CPU lacks are left out. */
const REGISTER_ROWS: readonly (readonly string[])[] = [
  ["rax", "rbx", "rcx", "rdx"],
  ["rsi", "rdi", "rbp", "rsp"],
  ["r8", "r9", "r10", "r11"],
  ["r12", "r13", "r14", "r15"],
  ["rip", "rflags", "cr0", "cr2"],
  ["cr3", "cr4", "cr8", "efer"],
];
const SELECTORS = ["cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr"];

/** RFLAGS bits by letter or name. SDM volume 1, "EFLAGS Register". */
const FLAG_BITS: readonly (readonly [bit: number, name: string])[] = [
  [0, "CF"],
  [2, "PF"],
  [4, "AF"],
  [6, "ZF"],
  [7, "SF"],
  [8, "TF"],
  [9, "IF"],
  [10, "DF"],
  [11, "OF"],
  [14, "NT"],
  [16, "RF"],
  [17, "VM"],
  [18, "AC"],
  [21, "ID"],
];

/** One sentence that says why a run ended. */
export function describeStop(stop: StopReason): string {
  switch (stop.kind) {
    case "marker":
      return `the console printed ${JSON.stringify(stop.text)}`;
    case "limit":
      return "the limit of simulated time is reached";
    case "powerOff":
      return "the guest switched the machine off";
    case "reset":
      return "the guest reset the machine";
    case "exit":
      return `the guest exited with code ${stop.code}`;
    case "tripleFault":
      return `triple fault: ${stop.description}`;
    case "halted":
      return "all CPUs wait and no event is pending";
    case "aborted":
      return "interrupted";
    case "breakpoint":
      return `${stop.hits.map(describeHit).join(", ")}: CPU ${stop.cpu} is at ${hex(stop.address)}`;
    default:
      return unreachable(stop, "stop reason");
  }
}

function describeHit({ id, condition }: StopHit): string {
  return `stop ${id} (${describeCondition(condition)})`;
}

/** A machine in a few lines: what it is, how it stands. */
export function describeMachine(machine: Machine): string {
  const { name, cpus, memory, network, now, clock, running, lastStop } = machine;
  const state = running ? "running" : lastStop ? `stopped: ${describeStop(lastStop)}` : "ready";
  return table(["", ""], [
    ["machine", name],
    ["cpus", String(cpus.length)],
    ["memory", formatSize(memory.sizeBytes)],
    ["network", network?.lan.name ?? "none"],
    ["time", `${formatDuration(clock.nowNs)} (cycle ${now})`],
    ["state", state],
  ]);
}

/** One line for each machine. */
export function listMachines(machines: Iterable<Machine>): string {
  const rows = [...machines].map(({ name, cpus, memory, clock, running, lastStop }) => [
    name,
    cpus.length,
    formatSize(memory.sizeBytes),
    formatDuration(clock.nowNs),
    running ? "running" : lastStop?.kind ?? "ready",
  ]);
  return rows.length === 0
    ? "no machines"
    : table(["name", "cpus", "memory", "time", "state"], rows);
}

/** A CPU's registers as a table. */
export function describeCpu(cpu: CpuView): string {
  const { registers } = cpu;
  const cells = REGISTER_ROWS
    .map((row) => row.filter((name) => name in registers))
    .filter((row) => row.length > 0)
    .map((row) => row.flatMap((name) => [name, registers[name].toString(16).padStart(16, "0")]));
  const width = Math.max(0, ...cells.map((row) => row.length));
  const padded = cells.map((row) => [...row, ...new Array(width - row.length).fill("")]);
  const selectors = SELECTORS.filter((name) => name in registers)
    .map((name) => `${name}=${registers[name].toString(16).padStart(4, "0")}`);
  const flags = FLAG_BITS
    .filter(([bit]) => ((registers.rflags ?? 0n) >> BigInt(bit)) & 1n)
    .map(([, name]) => name);
  return [
    `CPU ${cpu.index}  ${cpu.mode} mode${cpu.halted ? ", halted" : ""}`,
    table(new Array(width).fill(""), padded),
    selectors.join(" "),
    `flags: ${flags.join(" ") || "none"}`,
  ].join("\n");
}

/** The devices of a machine and their resources. */
export function listDevices(devices: readonly DeviceView[]): string {
  return table(["device", "resources"], devices.map(({ name, resources }) => [name, resources]));
}

/** Trace events, one to a line. */
export function listTrace(events: readonly TraceLine[]): string {
  return table(["cycle", "event", ""], events.map(({ cycle, kind, text }) => [cycle, kind, text]));
}

/** What the host did for a guest, one counter to a line. */
export function listCounters(counts: Counts): string {
  const rows = Object.entries(counts);
  return rows.length === 0 ? "nothing is counted" : table(["counter", "count"], rows);
}

/** Regions of translated code, one to a line; executions are known where the engine profiles. */
export function listRegions(regions: readonly RegionView[]): string {
  if (regions.length === 0) return "no code is translated";
  const rows = regions.map((region) => [
    `0x${region.address.toString(16)}`,
    `${region.bits}-bit ${region.user ? "user" : "kernel"}`,
    region.blocks,
    region.instructions,
    region.executions ?? "not counted",
    region.exits?.slice(0, 3).map(({ reason, count }) => `${reason} ${count}`).join(", ") ?? "",
  ]);
  return table(["physical", "code", "blocks", "instructions", "executions", "exits"], rows);
}

/** Instructions, one to a line, with their bytes. */
export function listInstructions(lines: readonly DisassembledLine[]): string {
  const rows = lines.map(({ address, bytes, text }) => [
    hex(address),
    [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
    text,
  ]);
  return table(["address", "bytes", "instruction"], rows);
}

/** Bytes as a dump: sixteen to a line, with their address and as ASCII. */
export function dumpBytes(bytes: Uint8Array, address: bigint): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const codes = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const text = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".");
    lines.push(`${hex(address + BigInt(at))}  ${codes}  ${text.join("")}`);
  }
  return lines.join("\n");
}

/** An address in hexadecimal, with its prefix. */
export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
