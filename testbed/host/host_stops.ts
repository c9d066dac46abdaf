/**
 * Debuggers of the domains of one host. They share the one port that its processors have: what happens on a physical CPU is told to
 * the debugger of the domain that holds it, and a stop ends the dispatcher's advance there.
 *
 * A host with one physical CPU goes on from a stop as if there had been none. With several, a stop ends the turn of all as the
 * end of a run does: they take turns from there.
 */

import type { Domain } from "../../core/hypervisor/domain.ts";
import type { PvExecutor } from "../../core/hypervisor/pv_executor.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import type { DebugPort } from "../../core/x86/debugging/debug_port.ts";
import type { OnWatched, Watchpoint } from "../../core/x86/debugging/watchpoints.ts";
import type { MetStop, StopControl, StopList } from "../debugger/stop_list.ts";
import type { HostHardware } from "./host_hardware.ts";
import { VcpuLook } from "./vcpu_look.ts";

/** What debuggers of domains work with. */
export interface HostStopsParts {
  readonly hardware: HostHardware;
  readonly dispatcher: CpuDispatcher;
  readonly executor: PvExecutor;
}

/** What one domain's debugger wants to be stopped at. */
export class DomainStops implements StopControl {
  readonly looks: readonly VcpuLook[];
  list: StopList | null = null;
  port: DebugPort | null = null;
  addresses: readonly bigint[] = [];
  points: readonly Watchpoint[] = [];
  onHit: OnWatched = () => {};

  constructor(
    readonly domain: Domain,
    { hardware: { processors, memory } }: HostStopsParts,
    private readonly changed: () => void,
  ) {
    this.looks = domain.vcpus.map((vcpu) => new VcpuLook(vcpu, processors, memory));
  }

  setCodeStops(addresses: readonly bigint[]): void {
    this.addresses = addresses;
    this.changed();
  }

  setWatchpoints(points: readonly Watchpoint[], onHit: OnWatched): void {
    this.points = points;
    this.onHit = onHit;
    this.changed();
  }

  attach(port: DebugPort | null): void {
    this.port = port;
    this.changed();
  }
}

/** See the module comment. */
export class HostStops implements DebugPort {
  readonly #parts: HostStopsParts;
  readonly #domains = new Map<Domain, DomainStops>();
  #isMet = false;

  constructor(parts: HostStopsParts) {
    this.#parts = parts;
  }

  /** What the debugger of a domain works with: its stops, and its virtual CPUs. */
  of(domain: Domain): DomainStops {
    let stops = this.#domains.get(domain);
    if (!stops) {
      stops = new DomainStops(domain, this.#parts, () => this.#install());
      this.#domains.set(domain, stops);
    }
    return stops;
  }

  /** A domain has gone. */
  forget(domain: Domain): void {
    if (this.#domains.delete(domain)) this.#install();
  }

  /** The first stop that was met and not yet told, or `null`. */
  take(): MetStop | null {
    for (const { list } of this.#domains.values()) {
      const met = list?.take();
      if (met) return met;
    }
    this.#isMet = false;
    return null;
  }

  /** Whether a stop was met that is not yet told. */
  get isMet(): boolean {
    return this.#isMet;
  }

  /** The host is in another state now. */
  moved(): void {
    for (const { list } of this.#domains.values()) list?.forget();
  }

  // ---- what the processors tell and ask ----

  nextLook(cpu: number, cycle: number): number {
    const holder = this.#holder(cpu);
    return holder ? holder.port.nextLook(holder.look.index, cycle) : Infinity;
  }

  get hearsEvents(): boolean {
    return [...this.#domains.values()].some(({ port }) => port?.hearsEvents);
  }

  stopsBefore(cpu: CpuLook, cycle: number): boolean {
    const holder = this.#holder(cpu.index);
    return this.#stopIf(holder !== null && holder.port.stopsBefore(holder.look, cycle));
  }

  stopsAfter(cpu: CpuLook, cycle: number): boolean {
    const holder = this.#holder(cpu.index);
    return this.#stopIf(holder !== null && holder.port.stopsAfter(holder.look, cycle));
  }

  trap(cpu: CpuLook, vector: number): void {
    const holder = this.#holder(cpu.index);
    holder?.port.trap(holder.look, vector);
  }

  system(cpu: CpuLook, name: string): void {
    const holder = this.#holder(cpu.index);
    holder?.port.system(holder.look, name);
  }

  #stopIf(stops: boolean): boolean {
    if (!stops) return false;
    this.#isMet = true;
    this.#parts.dispatcher.stop();
    return true;
  }

  /** Who watches the domain that holds a physical CPU, and its virtual CPU there; `null` if nobody does. */
  #holder(cpu: number): { readonly port: DebugPort; readonly look: VcpuLook } | null {
    const vcpu = this.#parts.executor.vcpuOn(cpu);
    const stops = vcpu && this.#domains.get(vcpu.domain);
    return stops?.port ? { port: stops.port, look: stops.looks[vcpu!.id] } : null;
  }

  /** Tells the processors what all debuggers look out for. */
  #install(): void {
    const { debugging } = this.#parts.hardware.processors;
    const all = [...this.#domains.values()];
    const owners = new Map(all.flatMap((each) => each.points.map((point) => [point, each])));
    debugging.setCodeStops(all.flatMap(({ addresses }) => addresses));
    debugging.setWatchpoints([...owners.keys()], (cpu, point, write) => {
      const owner = owners.get(point);
      const vcpu = this.#parts.executor.vcpuOn(cpu);
      if (owner && vcpu?.domain === owner.domain) owner.onHit(vcpu.id, point, write);
    });
    debugging.attach(all.some(({ port }) => port !== null) ? this : null);
  }
}
