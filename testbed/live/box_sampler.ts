/**
 * Reads samples off a box while it runs. It looks on and changes nothing: a host that is sampled has the same trace
 * hash as one that is not.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import type { Cycle } from "../../core/clock/clock.ts";
import { domainUsage } from "../../core/hypervisor/accounting/domain_usage.ts";
import { ScheduleTrace } from "../../core/hypervisor/accounting/schedule_trace.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { WatchedBox, WatchedDomain } from "../watched_boxes.ts";
import type { DomainActivity, DomainSample, HostSample, RunSpan } from "./host_sample.ts";

/** Spans of the schedule in one sample at most. */
const MAX_SPANS = 400;

/** Samples one box from its construction until {@link stop}. */
export class BoxSampler {
  readonly #schedule: ScheduleTrace;
  /** The cycle up to which the schedule has been told. */
  #told = 0;

  constructor(box: WatchedBox, readonly name: string) {
    this.#schedule = new ScheduleTrace(box.dispatcher, MAX_SPANS);
  }

  /** The box as `box` shows it now. */
  sample(box: WatchedBox): HostSample {
    const { dispatcher, clock, memoryBytes } = box;
    const ns = (cycles: number) => cycles * 1e9 / clock.frequencyHz;
    return {
      host: this.name,
      timeNs: ns(clock.now),
      scheduler: dispatcher.pools.all[0].policy.name,
      memoryBytes,
      cpus: dispatcher.cpus.map(({ id }) => ({
        cpu: id,
        busyNs: ns(dispatcher.busyCycles(id)),
      })),
      domains: box.domains().map((domain) => sampleOf(domain, dispatcher, ns)),
      links: box.links(),
      schedule: this.#spans(clock.now, ns),
    };
  }

  /** Ends the recording of the schedule. */
  stop(): void {
    this.#schedule.stop();
  }

  /** Who ran since the sample before, to this very cycle. */
  #spans(now: Cycle, ns: (cycles: number) => number): RunSpan[] {
    const told = this.#told;
    this.#told = now;
    return [...this.#schedule.spans, ...this.#schedule.open]
      .filter(({ state, to }) => state === "running" && to > told)
      .slice(-MAX_SPANS)
      .map(({ vcpu, cpu, from, to }) => ({
        cpu,
        domain: vcpu.domain,
        vcpu: vcpu.id,
        fromNs: ns(Math.max(from, told)),
        toNs: ns(to),
      }));
  }
}

function sampleOf(
  { halt, console, ...about }: WatchedDomain,
  dispatcher: CpuDispatcher,
  ns: (cycles: number) => number,
): DomainSample {
  const id = about.id as DomainId;
  const { vcpus, times } = domainUsage(dispatcher, id);
  return {
    ...about,
    activity: halt ?? activityOf(id, dispatcher),
    vcpus,
    cpuNs: ns(times.running),
    waitNs: ns(times.runnable),
    hasConsole: console !== null,
  };
}

/** The most active state of any virtual CPU. */
function activityOf(id: DomainId, { vcpus }: CpuDispatcher): DomainActivity {
  const states = vcpus.filter(({ domain }) => domain === id).map(({ state }) => state);
  if (states.includes("running")) return "running";
  if (states.includes("runnable")) return "runnable";
  return states.includes("blocked") ? "blocked" : "paused";
}
