/**
 * Reads samples off a box while it runs. It looks on and changes nothing: a host that is sampled has the same trace
 * hash as one that is not.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { domainUsage } from "../../core/hypervisor/accounting/domain_usage.ts";
import { ScheduleTrace } from "../../core/hypervisor/accounting/schedule_trace.ts";
import type { WatchedBox, WatchedDomain } from "../watched_boxes.ts";
import type { DomainActivity, DomainSample, HostSample, RunSpan } from "./host_sample.ts";

/** Spans of the schedule in one sample at most. */
const MAX_SPANS = 400;

/** Samples one box from its construction until {@link stop}. */
export class BoxSampler {
  readonly #schedule: ScheduleTrace;
  /** The cycle up to which the schedule has been told. */
  #told = 0;

  constructor(private readonly box: WatchedBox, readonly name: string) {
    this.#schedule = new ScheduleTrace(box.dispatcher, MAX_SPANS);
  }

  /** The box as it stands. */
  sample(): HostSample {
    const { dispatcher, clock, memoryBytes } = this.box;
    return {
      host: this.name,
      timeNs: this.#ns(clock.now),
      scheduler: dispatcher.pools.all[0].policy.name,
      memoryBytes,
      cpus: dispatcher.cpus.map(({ id }) => ({
        cpu: id,
        busyNs: this.#ns(dispatcher.busyCycles(id)),
      })),
      domains: this.box.domains().map((domain) => this.#domain(domain)),
      links: this.box.links(),
      schedule: this.#spans(),
    };
  }

  /** Ends the recording of the schedule. */
  stop(): void {
    this.#schedule.stop();
  }

  #domain({ halt, console, ...about }: WatchedDomain): DomainSample {
    const id = about.id as DomainId;
    const { vcpus, times } = domainUsage(this.box.dispatcher, id);
    return {
      ...about,
      activity: halt ?? this.#activity(id),
      vcpus,
      cpuNs: this.#ns(times.running),
      waitNs: this.#ns(times.runnable),
      hasConsole: console !== null,
    };
  }

  /** The most active state of any virtual CPU. */
  #activity(id: DomainId): DomainActivity {
    const states = this.box.dispatcher.vcpus.filter(({ domain }) => domain === id)
      .map(({ state }) => state);
    if (states.includes("running")) return "running";
    if (states.includes("runnable")) return "runnable";
    return states.includes("blocked") ? "blocked" : "paused";
  }

  /** Who ran since the sample before, to this very cycle. */
  #spans(): RunSpan[] {
    const told = this.#told;
    this.#told = this.box.clock.now;
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
    return cycles * 1e9 / this.box.clock.frequencyHz;
  }
}
