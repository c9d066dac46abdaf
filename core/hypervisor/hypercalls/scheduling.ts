/**
 * Running and waiting: `sched_op`, `set_timer_op`, `vcpu_op`. Source: Xen 4.17's `sched.h`, `vcpu.h`, `xen.h`.
 */

import { ERRNO, isErrno } from "../../abi/errno.ts";
import type { EventPort } from "../../abi/ids.ts";
import {
  sched_poll,
  sched_watchdog,
  SCHEDOP,
  SHUTDOWN,
  type ShutdownReason,
  vcpu_register_vcpu_info,
  vcpu_runstate_info,
  vcpu_set_periodic_timer,
  vcpu_set_singleshot_timer,
  VCPU_SSHOTTMR_future,
  VCPUOP,
} from "../../abi/operations.ts";
import { VCPU_GUEST_CONTEXT } from "../../abi/arch_x86.ts";
import { linearNumber } from "../memory/guest_access.ts";
import { timeInfo } from "../guest_time.ts";
import { initialiseVcpu } from "../pv/guest_context.ts";
import type { Vcpu } from "../vcpu.ts";
import type { Caller, Hypercall } from "./caller.ts";
import { readHandle, readStruct, writeStruct } from "./structures.ts";

/** Ports that `SCHEDOP_poll` takes at once. */
const POLL_LIMIT = 128;
/** Periods of a periodic timer below this are refused (`vcpu.h` leaves the bound to the hypervisor). */
const MINIMUM_PERIOD_NS = 1_000_000;
const TWO_53 = 2 ** 53;

const REASONS: ReadonlyMap<number, ShutdownReason> = new Map(
  (Object.entries(SHUTDOWN) as [ShutdownReason, number][]).map(([name, number]) => [number, name]),
);

/** The reason for a shutdown by its number; one that is not known is a crash. */
export function reasonOf(number: number): ShutdownReason {
  return REASONS.get(number) ?? "crash";
}

function poll(caller: Caller, at: number): number {
  const { hypervisor, domain, vcpu, guest } = caller;
  const given = readStruct(caller, sched_poll, at);
  if (given === null) return ERRNO.EFAULT;
  if (given.nr_ports > POLL_LIMIT) return ERRNO.EINVAL;
  const words = new Int32Array(given.nr_ports);
  if (!guest.readWords(linearNumber(given.ports), words, words.length)) return ERRNO.EFAULT;
  const ports = [...words].map((word) => (word >>> 0) as EventPort);
  const outcome = hypervisor.events.startPolling(domain.id, vcpu.id, ports);
  if (isErrno(outcome)) return outcome;
  if (outcome === "polling") hypervisor.timers.startPoll(vcpu, Number(given.timeout));
  return 0;
}

/** `sched_op`: command, argument. */
export const schedOp: Hypercall = (caller, args) => {
  const { hypervisor, vcpu, domain } = caller;
  switch (args.u32(0)) {
    case SCHEDOP.yield:
      hypervisor.dispatcher.yield(vcpu.sched);
      return 0;
    case SCHEDOP.block:
      hypervisor.block(vcpu);
      return 0;
    case SCHEDOP.shutdown: {
      const words = new Int32Array(1);
      if (!caller.guest.readWords(args.number(1), words, 1)) return ERRNO.EFAULT;
      hypervisor.shutDown(domain, reasonOf(words[0] >>> 0));
      return 0;
    }
    case SCHEDOP.poll:
      return poll(caller, args.number(1));
    case SCHEDOP.shutdown_code: {
      const words = new Int32Array(1);
      if (!caller.guest.readWords(args.number(1), words, 1)) return ERRNO.EFAULT;
      domain.shutdownCode = reasonOf(words[0] >>> 0);
      return 0;
    }
    case SCHEDOP.watchdog: {
      const given = readStruct(caller, sched_watchdog, args.number(1));
      if (given === null) return ERRNO.EFAULT;
      return hypervisor.watchdogs.set(domain, given.id, given.timeout);
    }
    case SCHEDOP.remote_shutdown:
    case SCHEDOP.pin_override:
      return ERRNO.EPERM;
    default:
      return ERRNO.ENOSYS;
  }
};

/** `set_timer_op`: system time at which VIRQ_TIMER comes; 0 stops the timer. */
export const setTimerOp: Hypercall = ({ hypervisor, vcpu }, args) => {
  const at = args.number(0);
  if (at === 0) vcpu.singleshot.disarm();
  else hypervisor.timers.armAt(vcpu.singleshot, at < 0 ? TWO_53 : at);
  return 0;
};

function registerInfo(caller: Caller, target: Vcpu, at: number): number {
  const given = readStruct(caller, vcpu_register_vcpu_info, at);
  if (given === null) return ERRNO.EFAULT;
  return caller.hypervisor.registerInfo(target, Number(given.mfn), given.offset);
}

/** What is written there stays true: a guest's system time goes on at one rate for ever. */
function registerTimeArea(caller: Caller, at: number): number {
  const place = readHandle(caller, at);
  if (place === null) return ERRNO.EFAULT;
  const bytes = timeInfo(caller.hypervisor.ports.clock.frequencyHz);
  return place === 0 || caller.guest.write(place, bytes) ? 0 : ERRNO.EFAULT;
}

function setSingleshot(caller: Caller, target: Vcpu, at: number): number {
  const { hypervisor } = caller;
  // Only the virtual CPU itself may set it.
  if (target !== caller.vcpu) return ERRNO.EINVAL;
  const given = readStruct(caller, vcpu_set_singleshot_timer, at);
  if (given === null) return ERRNO.EFAULT;
  const when = Number(BigInt.asIntN(64, given.timeout_abs_ns));
  const past = when < hypervisor.systemTimeNs();
  if (past && (given.flags & VCPU_SSHOTTMR_future) !== 0) return ERRNO.ETIME;
  hypervisor.timers.armAt(target.singleshot, when);
  return 0;
}

function setPeriodic(caller: Caller, target: Vcpu, at: number): number {
  const given = readStruct(caller, vcpu_set_periodic_timer, at);
  if (given === null) return ERRNO.EFAULT;
  const period = Number(given.period_ns);
  if (period < MINIMUM_PERIOD_NS) return ERRNO.EINVAL;
  caller.hypervisor.timers.startPeriodic(target, period);
  return 0;
}

function initialise(caller: Caller, target: Vcpu, at: number): number {
  if (target.initialised) return ERRNO.EEXIST;
  // A virtual CPU without a place for its events could never be told of any.
  if (target.info === null) return ERRNO.EINVAL;
  const bytes = new Uint8Array(VCPU_GUEST_CONTEXT.sizeBytes(target.domain.model));
  if (!caller.guest.read(at, bytes)) return ERRNO.EFAULT;
  return initialiseVcpu(caller.hypervisor, caller.cpu, target, bytes);
}

/** `vcpu_op`: command, virtual CPU, argument. */
export const vcpuOp: Hypercall = (caller, args) => {
  const { hypervisor, domain } = caller;
  const target = domain.vcpus[args.u32(1)];
  if (target === undefined) return ERRNO.ENOENT;
  const at = args.number(2);
  switch (args.u32(0)) {
    case VCPUOP.initialise:
      return initialise(caller, target, at);
    case VCPUOP.up:
      if (!target.initialised) return ERRNO.EINVAL;
      hypervisor.bringUp(target);
      return 0;
    case VCPUOP.down:
      hypervisor.takeDown(target);
      return 0;
    case VCPUOP.is_up:
      return target.up ? 1 : 0;
    case VCPUOP.get_runstate_info:
      return writeStruct(caller, vcpu_runstate_info, at, hypervisor.timers.runstate(target))
        ? 0
        : ERRNO.EFAULT;
    case VCPUOP.register_runstate_memory_area: {
      const place = readHandle(caller, at);
      if (place === null) return ERRNO.EFAULT;
      target.runstateArea = place === 0 ? null : place;
      if (target === caller.vcpu && place !== 0) {
        writeStruct(caller, vcpu_runstate_info, place, hypervisor.timers.runstate(target));
      }
      return 0;
    }
    case VCPUOP.set_periodic_timer:
      return setPeriodic(caller, target, at);
    case VCPUOP.stop_periodic_timer:
      hypervisor.timers.stopPeriodic(target);
      return 0;
    case VCPUOP.set_singleshot_timer:
      return setSingleshot(caller, target, at);
    case VCPUOP.stop_singleshot_timer:
      if (target !== caller.vcpu) return ERRNO.EINVAL;
      target.singleshot.disarm();
      return 0;
    case VCPUOP.register_vcpu_info:
      return registerInfo(caller, target, at);
    case VCPUOP.send_nmi:
      if (at !== 0) return ERRNO.EINVAL;
      hypervisor.sendNmi(target);
      return 0;
    case VCPUOP.register_vcpu_time_memory_area:
      return registerTimeArea(caller, at);
    case VCPUOP.get_physid:
      return ERRNO.EINVAL;
    default:
      return ERRNO.ENOSYS;
  }
};
