/** Every hypercall by number, and how one is made. */

import { ERRNO } from "../../abi/errno.ts";
import { HYPERCALL, type HypercallName } from "../../abi/hypercalls.ts";
import { multicall_entry } from "../../abi/xen.ts";
import { type Caller, type Hypercall, HypercallArguments, widened } from "./caller.ts";
import { eventChannelOp } from "./events.ts";
import { grantTableOp } from "./grants.ts";
import { consoleIo, xenVersion } from "./information.ts";
import { memoryOp } from "./memory.ts";
import { mmuextOp, mmuUpdate, updateVaMapping } from "./mmu.ts";
import { eventChannelOpCompat, physdevOpCompat, schedOpCompat } from "./old_forms.ts";
import * as processor from "./processor.ts";
import { schedOp, setTimerOp, vcpuOp } from "./scheduling.ts";

const ARGUMENTS = 6;
/** Entries of a multicall before the guest may take its events. */
const MULTICALL_PREEMPT_AFTER = 256;

/** Refused to domains that do not control others. */
const refused: Hypercall = () => ERRNO.EPERM;

/** `multicall`: address of the entries, their number. Each gets its result; the call itself succeeds. */
const multicall: Hypercall = (caller, args) => {
  if (caller.inMulticall) return ERRNO.EINVAL;
  const count = args.u32(1);
  const { model } = caller.domain;
  const bytes = multicall_entry.sizeBytes(model);
  const words = new Int32Array(bytes >>> 2);
  const perLong = model === "lp64" ? 2 : 1;
  const inner = new HypercallArguments();
  const each: Caller = { ...caller, inMulticall: true };
  let at = args.number(0);
  for (let i = 0; i < count; i++, at += bytes) {
    if (i === MULTICALL_PREEMPT_AFTER) {
      args.set(0, at);
      args.set(1, count - i);
      return "again";
    }
    if (!caller.guest.readWords(at, words, words.length)) return ERRNO.EFAULT;
    unpack(words.subarray(2 * perLong), perLong, inner);
    const result = callHypercall(each, words[0] >>> 0, inner);
    if (result === "again") {
      // The entry goes on where it stopped, when the multicall does.
      const place = at + multicall_entry.offsetOf("args", model);
      const kept = inner.words.filter((_, i) => i % 2 < perLong);
      if (!caller.guest.writeWords(place, kept, kept.length)) return ERRNO.EFAULT;
      args.set(0, at);
      args.set(1, count - i);
      return "again";
    }
    const out = Int32Array.of(result, Math.floor(result / 2 ** 32));
    const resultAt = at + multicall_entry.offsetOf("result", model);
    if (!caller.guest.writeWords(resultAt, out, perLong)) return ERRNO.EFAULT;
  }
  return 0;
};

/** Takes arguments of one or two words each. */
function unpack(words: Int32Array, perLong: 1 | 2, into: HypercallArguments): void {
  for (let n = 0; n < ARGUMENTS; n++) {
    into.words[2 * n] = words[perLong * n];
    into.words[2 * n + 1] = perLong === 2 ? words[2 * n + 1] : 0;
  }
}

/** What there is; all else is -ENOSYS and counted. `iret` is carried out where a guest is entered. */
const HYPERCALLS: Partial<Record<HypercallName, Hypercall>> = {
  set_trap_table: processor.setTrapTable,
  mmu_update: mmuUpdate,
  set_gdt: processor.setGdt,
  stack_switch: processor.stackSwitch,
  set_callbacks: processor.setCallbacks,
  fpu_taskswitch: processor.fpuTaskswitch,
  sched_op_compat: schedOpCompat,
  platform_op: refused,
  set_debugreg: processor.setDebugreg,
  get_debugreg: processor.getDebugreg,
  update_descriptor: processor.updateDescriptor,
  memory_op: memoryOp,
  multicall,
  update_va_mapping: updateVaMapping,
  set_timer_op: setTimerOp,
  event_channel_op_compat: eventChannelOpCompat,
  xen_version: xenVersion,
  console_io: consoleIo,
  physdev_op_compat: physdevOpCompat,
  grant_table_op: grantTableOp,
  vm_assist: processor.vmAssist,
  vcpu_op: vcpuOp,
  set_segment_base: processor.setSegmentBase,
  mmuext_op: mmuextOp,
  sched_op: schedOp,
  callback_op: processor.callbackOp,
  event_channel_op: eventChannelOp,
  physdev_op: processor.physdevOp,
  sysctl: refused,
  domctl: refused,
};

const BY_NUMBER: (Hypercall | undefined)[] = [];
for (const [name, call] of Object.entries(HYPERCALLS)) {
  BY_NUMBER[HYPERCALL[name as HypercallName]] = call;
}

/** Makes hypercall `number`. */
export function callHypercall(
  caller: Caller,
  number: number,
  args: HypercallArguments,
): ReturnType<Hypercall> {
  const call = BY_NUMBER[number];
  if (call !== undefined) {
    return call(caller, caller.domain.model === "lp64" ? args : widened(number, args));
  }
  const { missing } = caller.domain;
  missing.set(number, (missing.get(number) ?? 0) + 1);
  return ERRNO.ENOSYS;
}
