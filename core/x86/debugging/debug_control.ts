/** The processors' side of debugging: who watches, where it wants to stop, and from where it goes on. */

import type { MachineMemory } from "../../memory/machine_memory.ts";
import type { Cpu } from "../cpu.ts";
import { CodeStops } from "./code_stops.ts";
import type { DebugPort } from "./debug_port.ts";
import { type Watchpoint, Watchpoints } from "./watchpoints.ts";

/** Debugging of the CPUs of one machine. */
export class DebugControl {
  readonly codeStops = new CodeStops();
  readonly #watchpoints = new Watchpoints();
  #cpus: readonly Cpu[] = [];
  #port: DebugPort | null = null;
  /** The boundary at which a code stop has been told last: going on from there does not stop again. */
  #passed = { cpu: -1, cycle: -1 };

  constructor(private readonly memory: MachineMemory) {}

  /** Takes over the CPUs of the machine. */
  share(cpus: readonly Cpu[]): void {
    this.#cpus = cpus;
    for (const { mmu } of cpus) mmu.watch.share(this.codeStops, this.#watchpoints);
  }

  /** Lets `port`, and nobody else, watch from now on; null: nobody does. */
  attach(port: DebugPort | null): void {
    this.#port = port;
    for (const cpu of this.#cpus) cpu.debugger = port;
  }

  /** Replaces the linear addresses before whose instructions to ask whether to stop. */
  setCodeStops(addresses: readonly bigint[]): void {
    const added = this.codeStops.replace(addresses);
    for (const { mmu } of this.#cpus) mmu.debuggingChanged();
    for (const { low, high } of added) this.#locate(low, high);
  }

  /** Replaces the watched stretches, none of which crosses a page; `onHit` is told of accesses to them. */
  setWatchpoints(points: readonly Watchpoint[], onHit: Watchpoints["onHit"]): void {
    this.#watchpoints.replace(points);
    this.#watchpoints.onHit = onHit;
    for (const { mmu } of this.#cpus) mmu.debuggingChanged();
  }

  /** Going on does not stop before the instruction that CPU `cpu` is at, at `cycle`. */
  pass(cpu: number, cycle: number): void {
    this.#passed = { cpu, cycle };
  }

  /** Whether a CPU is before an instruction with a code stop. */
  isAtStop(cpu: Cpu): boolean {
    return this.codeStops.any && this.codeStops.isAt(cpu.state);
  }

  /** Whether to stop there. */
  stopsBefore(cpu: Cpu, cycle: number): boolean {
    const isPassed = this.#passed.cpu === cpu.index && this.#passed.cycle === cycle;
    if (isPassed || !this.#port?.stopsBefore(cpu, cycle)) return false;
    this.pass(cpu.index, cycle);
    return true;
  }

  /** Whether to stop at this boundary. */
  stopsAfter(cpu: Cpu, cycle: number): boolean {
    return this.#port !== null && this.#port.stopsAfter(cpu, cycle);
  }

  /** The first cycle after `cycle` at which a CPU must be looked at. */
  nextLook(cpu: Cpu, cycle: number): number {
    return this.#port?.nextLook(cpu.index, cycle) ?? Infinity;
  }

  /** Tells the stops where page (low, high) lies, as far as a code TLB knows that. */
  #locate(low: number, high: number): void {
    const tables = this.#cpus.flatMap(({ mmu }) => mmu.banks.flatMap(({ code }) => code));
    for (const table of tables) {
      const at = table.find(low, high);
      const linearPage = at < 0 ? -1 : this.memory.readMap[table.frame(at)] ?? -1;
      if (linearPage >= 0) this.codeStops.found(low, high, linearPage);
    }
  }
}
