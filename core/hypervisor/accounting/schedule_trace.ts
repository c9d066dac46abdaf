/**
 * A recording of who ran, waited and slept when, as `xentrace` makes one, and its export to the trace format of
 * Chrome and Perfetto (chrome://tracing, ui.perfetto.dev).
 *
 * It looks on and is no part of the machine's state. Source of the format: "Trace Event Format" (Chromium project).
 */

import type { Cycle } from "../../clock/clock.ts";
import type { CpuDispatcher } from "../scheduling/dispatcher.ts";
import type { Runstate, SchedulableVcpu } from "../scheduling/ports.ts";

/** One stay of a virtual CPU in one state. */
export interface ScheduleSpan {
  readonly vcpu: SchedulableVcpu;
  readonly state: Runstate;
  /** The physical CPU, if the state is `running`. */
  readonly cpu: number;
  readonly from: Cycle;
  readonly to: Cycle;
}

/** The events of Chrome's format that are used here; times in microseconds. */
export type ChromeEvent =
  | { ph: "X"; pid: number; tid: number; ts: number; dur: number; name: string }
  | {
    ph: "M";
    pid: number;
    tid: number;
    name: "process_name" | "thread_name";
    args: { name: string };
  };

/** The process under which physical CPUs are shown; domains follow it in the order of their numbers. */
const CPUS_PID = 1;
const FIRST_DOMAIN_PID = 2;

/** See the module comment. */
export class ScheduleTrace {
  readonly #open = new Map<SchedulableVcpu, { state: Runstate; cpu: number; from: Cycle }>();
  readonly #spans: ScheduleSpan[] = [];
  readonly #unobserve: () => void;
  /** Spans that were forgotten because there were too many. */
  dropped = 0;

  /** Records from now on, the latest `limit` spans at least. */
  constructor(private readonly dispatcher: CpuDispatcher, private readonly limit = 100_000) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RangeError(`a trace keeps at least one span, found a limit of ${limit}`);
    }
    const { now } = dispatcher;
    for (const vcpu of dispatcher.vcpus) this.#begin(vcpu, now);
    this.#unobserve = dispatcher.observe((vcpu, at) => {
      this.#end(vcpu, at);
      this.#begin(vcpu, at);
    });
  }

  /** Ends the recording. */
  stop(): void {
    for (const vcpu of this.#open.keys()) this.#end(vcpu, this.dispatcher.now);
    this.#open.clear();
    this.#unobserve();
  }

  /** What was recorded and has ended, in the order of ends. */
  get spans(): readonly ScheduleSpan[] {
    return this.#spans.slice(-this.limit);
  }

  /** The stays that go on at present, up to now. */
  get open(): readonly ScheduleSpan[] {
    const { now } = this.dispatcher;
    return [...this.#open].map(([vcpu, stay]) => ({ vcpu, ...stay, to: now }));
  }

  /** The recording as the `traceEvents` of a file for Chrome or Perfetto. */
  toChrome(): { readonly traceEvents: readonly ChromeEvent[] } {
    const us = (cycles: number) => cycles * 1e6 / this.dispatcher.clock.frequencyHz;
    const events: ChromeEvent[] = [nameEvent("process_name", CPUS_PID, 0, "physical CPUs")];
    for (const { id } of this.dispatcher.cpus) {
      events.push(nameEvent("thread_name", CPUS_PID, id, `CPU ${id}`));
    }
    const seen = new Set<SchedulableVcpu>();
    for (const { vcpu, state, cpu, from, to } of this.spans) {
      const pid = FIRST_DOMAIN_PID + vcpu.domain;
      const time = { ts: us(from), dur: us(to - from) };
      if (!seen.has(vcpu)) {
        events.push(nameEvent("process_name", pid, 0, `domain ${vcpu.domain}`));
        events.push(nameEvent("thread_name", pid, vcpu.id, vcpu.name));
        seen.add(vcpu);
      }
      events.push({ ph: "X", pid, tid: vcpu.id, ...time, name: state });
      if (state !== "running") continue;
      events.push({ ph: "X", pid: CPUS_PID, tid: cpu, ...time, name: vcpu.name });
    }
    return { traceEvents: events };
  }

  #begin(vcpu: SchedulableVcpu, from: Cycle): void {
    this.#open.set(vcpu, { state: vcpu.state, cpu: vcpu.cpu, from });
  }

  #end(vcpu: SchedulableVcpu, to: Cycle): void {
    const open = this.#open.get(vcpu);
    if (!open || to <= open.from) return;
    this.#spans.push({ vcpu, ...open, to });
    if (this.#spans.length < 2 * this.limit) return;
    this.dropped += this.#spans.length - this.limit;
    this.#spans.splice(0, this.#spans.length - this.limit);
  }
}

function nameEvent(
  name: "process_name" | "thread_name",
  pid: number,
  tid: number,
  text: string,
): ChromeEvent {
  return { ph: "M", pid, tid, name, args: { name: text } };
}
