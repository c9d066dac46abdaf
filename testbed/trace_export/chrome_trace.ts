/**
 * A machine's run as a file for Perfetto (ui.perfetto.dev) and Chrome: for each CPU one track of rings and one of
 * interrupts, exceptions and system calls, as slices of simulated time; other trace events as instants.
 *
 * Source of the format: "Trace Event Format", the JSON object form with complete (`X`), instant (`i`) and metadata (`M`)
 * events; times are microseconds. Nothing that the guest could notice depends on the export.
 */

import type { CpuNews } from "../debugger/cpu_news.ts";
import type { Machine, TraceLine } from "../machine_api.ts";

/** Takes the file's text piece by piece. */
export type WriteText = (line: string) => void;

/** What is exported. */
export interface ChromeTraceOptions {
  /** Kinds of trace events that become instants; default: `input` and `activity`. */
  readonly instants?: readonly string[];
}

/** Exceptions by vector. SDM vol. 3, "Protected-Mode Exceptions and Interrupts". */
const EXCEPTIONS = [
  "#DE",
  "#DB",
  "NMI",
  "#BP",
  "#OF",
  "#BR",
  "#UD",
  "#NM",
  "#DF",
  "coprocessor overrun",
  "#TS",
  "#NP",
  "#SS",
  "#GP",
  "#PF",
  "vector 15",
  "#MF",
  "#AC",
  "#MC",
  "#XM",
  "#VE",
  "#CP",
];
const ENTERS: readonly string[] = ["syscall", "sysenter"];
const LEAVES: readonly string[] = ["iret", "sysret", "sysexit"];
/** Handlers within handlers; a kernel that never returns from them leaves them open. */
const MAX_DEPTH = 64;
const DEFAULT_INSTANTS = ["input", "activity"];

interface Slice {
  readonly name: string;
  readonly from: number;
}

/** The tracks of one CPU. */
interface Tracks {
  ring: Slice | null;
  readonly handlers: Slice[];
}

/** Writes one file. */
export class ChromeTrace {
  readonly #tracks: readonly Tracks[];
  readonly #machine: Machine;
  readonly #write: WriteText;
  readonly #instants: readonly string[];
  #isFirst = true;

  constructor(machine: Machine, write: WriteText, options: ChromeTraceOptions = {}) {
    this.#machine = machine;
    this.#write = write;
    this.#instants = options.instants ?? DEFAULT_INSTANTS;
    this.#tracks = machine.cpus.map(() => ({ ring: null, handlers: [] }));
    write(`{"displayTimeUnit":"ns","traceEvents":[`);
    this.#put({ ph: "M", pid: 1, name: "process_name", args: { name: machine.name } });
    for (const { index } of machine.cpus) {
      const names = [[ringTrack(index), `CPU ${index}`], [
        handlerTrack(index),
        `CPU ${index} calls`,
      ]];
      for (const [tid, name] of names) {
        this.#put({ ph: "M", pid: 1, tid, name: "thread_name", args: { name } });
      }
    }
  }

  /** A CPU is at another privilege level, or enters or leaves a handler. */
  cpuNews({ cpu, cycle, ring, call }: CpuNews): void {
    const tracks = this.#tracks[cpu];
    if (ring !== undefined) {
      this.#endRing(cpu, cycle);
      tracks.ring = { name: `ring ${ring}`, from: cycle };
    }
    if (call === undefined) return;
    if (ENTERS.includes(call)) this.#enter(cpu, cycle, "system call");
    else if (LEAVES.includes(call)) this.#leave(cpu, cycle);
  }

  /** An event of the trace. */
  event({ cycle, kind, text, values: [a, b] }: TraceLine): void {
    if (kind === "trap") this.#enter(b, cycle, EXCEPTIONS[a] ?? `vector ${a}`);
    if (!this.#instants.includes(kind)) return;
    const ts = this.#microseconds(cycle);
    this.#put({ ph: "i", s: "p", pid: 1, tid: 0, ts, name: kind, args: { text } });
  }

  /** Ends all slices at `cycle`, and the file. */
  end(cycle: number): void {
    this.#tracks.forEach((tracks, cpu) => {
      while (tracks.handlers.length > 0) this.#leave(cpu, cycle);
      this.#endRing(cpu, cycle);
    });
    this.#write("]}");
  }

  #enter(cpu: number, cycle: number, name: string): void {
    const { handlers } = this.#tracks[cpu];
    if (handlers.length === MAX_DEPTH) this.#slice(handlerTrack(cpu), handlers.shift()!, cycle);
    handlers.push({ name, from: cycle });
  }

  #leave(cpu: number, cycle: number): void {
    const slice = this.#tracks[cpu].handlers.pop();
    if (slice) this.#slice(handlerTrack(cpu), slice, cycle);
  }

  #endRing(cpu: number, cycle: number): void {
    const { ring } = this.#tracks[cpu];
    if (ring) this.#slice(ringTrack(cpu), ring, cycle);
    this.#tracks[cpu].ring = null;
  }

  #slice(tid: number, { name, from }: Slice, to: number): void {
    const ts = this.#microseconds(from);
    this.#put({ ph: "X", pid: 1, tid, ts, dur: this.#microseconds(to - from), name });
  }

  #microseconds(cycles: number): number {
    return (cycles * 1e6) / this.#machine.clock.frequencyHz;
  }

  #put(event: Record<string, unknown>): void {
    this.#write(`${this.#isFirst ? "" : ","}${JSON.stringify(event)}`);
    this.#isFirst = false;
  }
}

function ringTrack(cpu: number): number {
  return 2 * cpu + 1;
}

function handlerTrack(cpu: number): number {
  return 2 * cpu + 2;
}

/** Writes a Perfetto file of what a machine does from now on; returns how to end it. */
export function writeChromeTrace(
  machine: Machine,
  write: WriteText,
  options?: ChromeTraceOptions,
): () => void {
  const trace = new ChromeTrace(machine, write, options);
  const stops = [
    machine.trace.onEvent((event) => trace.event(event)),
    machine.debugger.onCpuNews((news) => trace.cpuNews(news)),
  ];
  return () => {
    for (const stop of stops) stop();
    trace.end(machine.now);
  };
}
