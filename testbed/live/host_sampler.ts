/**
 * Reads samples off a host while it runs. It looks on and changes nothing: a host that is sampled has the same
 * trace hash as one that is not.
 */

import { domainUsage } from "../../core/hypervisor/accounting/domain_usage.ts";
import { ScheduleTrace } from "../../core/hypervisor/accounting/schedule_trace.ts";
import type { DomainId } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import type { Host } from "../host/host.ts";
import type {
  DomainActivity,
  DomainSample,
  HostSample,
  LinkSample,
  RunSpan,
} from "./host_sample.ts";

/** Spans of the schedule in one sample at most. */
const MAX_SPANS = 400;
const PAGE_BYTES = 4096;
const DOM0 = 0 as DomainId;

/** Samples one host from its construction until {@link stop}. */
export class HostSampler {
  readonly #schedule: ScheduleTrace;
  /** The cycle up to which the schedule has been told. */
  #told = 0;

  constructor(private readonly host: Host, readonly name: string) {
    this.#schedule = new ScheduleTrace(host.dispatcher, MAX_SPANS);
  }

  /** The host as it stands. */
  sample(): HostSample {
    const { dispatcher, hardware: { clock, memory } } = this.host;
    return {
      host: this.name,
      timeNs: this.#ns(clock.now),
      scheduler: dispatcher.pools.all[0].policy.name,
      memoryBytes: memory.plan.ramBytes,
      cpus: dispatcher.cpus.map(({ id }) => ({
        cpu: id,
        busyNs: this.#ns(dispatcher.busyCycles(id)),
      })),
      domains: [this.#domainZero(), ...this.host.domains.map(({ domain }) => this.#domain(domain))],
      links: this.#links(),
      schedule: this.#spans(),
    };
  }

  /** Ends the recording of the schedule. */
  stop(): void {
    this.#schedule.stop();
  }

  #domainZero(): DomainSample {
    return {
      ...this.#usage(DOM0),
      id: DOM0,
      name: "Domain-0",
      activity: this.#activity(DOM0),
      memoryBytes: 0,
      maxMemoryBytes: 0,
      disk: NO_DISK,
      hasConsole: false,
    };
  }

  #domain(domain: Domain): DomainSample {
    const { id, name } = domain;
    const activity = domain.shutdown !== null
      ? "shut down"
      : domain.pauses > 0
      ? "paused"
      : this.#activity(id);
    return {
      ...this.#usage(id),
      id,
      name,
      activity,
      memoryBytes: domain.pages * PAGE_BYTES,
      maxMemoryBytes: domain.maxPages * PAGE_BYTES,
      disk: this.host.zero.disksOf(id).reduce((sum, { driver: { counters: each } }) => ({
        reads: sum.reads + each.reads,
        writes: sum.writes + each.writes,
        readBytes: sum.readBytes + each.readBytes,
        writtenBytes: sum.writtenBytes + each.writtenBytes,
      }), NO_DISK),
      hasConsole: true,
    };
  }

  #usage(id: DomainId): { vcpus: number; cpuNs: number; waitNs: number } {
    const { vcpus, times } = domainUsage(this.host.dispatcher, id);
    return { vcpus, cpuNs: this.#ns(times.running), waitNs: this.#ns(times.runnable) };
  }

  /** The most active state of any virtual CPU. */
  #activity(id: DomainId): DomainActivity {
    const states = this.host.dispatcher.vcpus.filter(({ domain }) => domain === id)
      .map(({ state }) => state);
    if (states.includes("running")) return "running";
    if (states.includes("runnable")) return "runnable";
    return states.includes("blocked") ? "blocked" : "paused";
  }

  #links(): LinkSample[] {
    return this.host.zero.bridges.flatMap((bridge) =>
      bridge.ports.filter(({ attached }) => attached).map(({ name, counters }) => ({
        bridge: bridge.name,
        port: name,
        domain: domainOfPort(name),
        ...counters,
      }))
    );
  }

  /** Who ran since the sample before, to this very cycle. */
  #spans(): RunSpan[] {
    const told = this.#told;
    this.#told = this.host.hardware.clock.now;
    return [...this.#schedule.spans, ...this.#schedule.open]
      .filter(({ state, to }) => state === "running" && to > told)
      .slice(-MAX_SPANS)
      .map(({ vcpu, cpu, from, to }) => ({
        cpu,
        domain: vcpu.domain,
        vcpu: vcpu.id,
        fromNs: this.#ns(Math.max(from, told)),
        toNs: this.#ns(to),
      }));
  }

  #ns(cycles: number): number {
    return cycles * 1e9 / this.host.hardware.clock.frequencyHz;
  }
}

const NO_DISK: DomainSample["disk"] = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 };

/** The domain whose network card is in a port, from the port's name (`vif3.0`). */
function domainOfPort(name: string): number | null {
  const match = /^vif(\d+)\.\d+$/.exec(name);
  return match && Number(match[1]);
}
