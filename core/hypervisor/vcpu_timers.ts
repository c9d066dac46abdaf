/** A virtual CPU's time: its timers, its waits with a time-out, and the account of what it did. */

import { VIRQ } from "../abi/event_channel.ts";
import { mulDivFloor, type Timer } from "../clock/clock.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { RUNSTATES } from "./scheduling/ports.ts";
import type { Vcpu } from "./vcpu.ts";

/** Timers of virtual CPUs. */
export class VcpuTimers {
  constructor(private readonly hypervisor: Hypervisor) {}

  /** Makes the timers of a new virtual CPU. */
  attach(vcpu: Vcpu): void {
    const { clock } = this.hypervisor.ports;
    const tick = () => this.hypervisor.events.raiseVirq(vcpu.domain.id, VIRQ.TIMER, vcpu.id);
    vcpu.singleshot = clock.createTimer(`${vcpu.name}.singleshot`, tick);
    vcpu.periodic = clock.createTimer(`${vcpu.name}.periodic`, () => {
      tick();
      this.#armPeriodic(vcpu);
    });
    vcpu.pollTimer = clock.createTimer(`${vcpu.name}.poll`, () => this.endPoll(vcpu));
  }

  /** Forgets the timers of a virtual CPU that is gone. */
  release(vcpu: Vcpu): void {
    for (const timer of [vcpu.singleshot, vcpu.periodic, vcpu.pollTimer]) timer.release();
  }

  /** Arms a timer for an instant of system time, in nanoseconds. */
  armAt(timer: Timer, systemTimeNs: number): void {
    const { hypervisor } = this;
    timer.armAt(hypervisor.cycleOfSystemTime(Math.max(systemTimeNs, hypervisor.systemTimeNs())));
  }

  /** `VCPUOP_set_periodic_timer`. */
  startPeriodic(vcpu: Vcpu, periodNs: number): void {
    vcpu.periodNs = periodNs;
    this.#armPeriodic(vcpu);
  }

  /** `VCPUOP_stop_periodic_timer`. */
  stopPeriodic(vcpu: Vcpu): void {
    vcpu.periodic.disarm();
  }

  /** The virtual CPU waits for one of the ports that it polls, until `timeoutNs` of system time (0: for ever). */
  startPoll(vcpu: Vcpu, timeoutNs: number): void {
    const { dispatcher, ports } = this.hypervisor;
    vcpu.polling = true;
    if (timeoutNs !== 0) this.armAt(vcpu.pollTimer, timeoutNs);
    dispatcher.block(vcpu.sched);
    ports.processors.requestStop();
  }

  /** A port came, or the time-out, or an upcall. */
  endPoll(vcpu: Vcpu): void {
    if (!vcpu.polling) return;
    const { events, dispatcher } = this.hypervisor;
    vcpu.polling = false;
    vcpu.pollTimer.disarm();
    events.stopPolling(vcpu.domain.id, vcpu.id);
    dispatcher.wake(vcpu.sched);
  }

  /** `vcpu_runstate_info`, in nanoseconds. */
  runstate(vcpu: Vcpu) {
    const { dispatcher, ports: { clock } } = this.hypervisor;
    const { state, since, times } = dispatcher.runstate(vcpu.sched);
    const ns = (cycles: number) =>
      BigInt(mulDivFloor(Math.round(cycles), 1_000_000_000, clock.frequencyHz));
    return {
      state: RUNSTATES[state],
      state_entry_time: ns(since),
      time: [ns(times.running), ns(times.runnable), ns(times.blocked), ns(times.offline)],
    };
  }

  #armPeriodic(vcpu: Vcpu): void {
    const { hypervisor } = this;
    this.armAt(vcpu.periodic, hypervisor.systemTimeNs() + vcpu.periodNs);
  }
}
