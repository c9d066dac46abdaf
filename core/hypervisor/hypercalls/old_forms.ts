/**
 * Hypercalls in the form that they had before Xen 3.0.2, which old kernels still make: `sched_op_compat`,
 * `event_channel_op_compat`, `physdev_op_compat`. Source: Xen 4.17's `sched.h`, `event_channel.h`, `physdev.h`,
 * each with the old form behind the new one.
 */

import { ERRNO } from "../../abi/errno.ts";
import { EVTCHNOP } from "../../abi/event_channel.ts";
import { SCHEDOP } from "../../abi/operations.ts";
import { type Caller, type Hypercall, HypercallArguments, type HypercallResult } from "./caller.ts";
import { eventChannelOp } from "./events.ts";
import { physdevOp } from "./processor.ts";
import { reasonOf, schedOp } from "./scheduling.ts";

/** The last event-channel operation that has an old form. */
const LAST_OLD_EVTCHNOP = EVTCHNOP.unmask;

/** `sched_op_compat`: command, argument; that of a shutdown is its reason. */
export const schedOpCompat: Hypercall = (caller, args) => {
  switch (args.u32(0)) {
    case SCHEDOP.yield:
    case SCHEDOP.block:
      return schedOp(caller, args);
    case SCHEDOP.shutdown:
      caller.hypervisor.shutDown(caller.domain, reasonOf(args.u32(1)));
      return 0;
    default:
      return ERRNO.ENOSYS;
  }
};

/** `event_channel_op_compat`: the address of a command, behind which its structure lies. */
export const eventChannelOpCompat: Hypercall = (caller, args) =>
  withCommand(
    caller,
    args,
    4,
    (command, inner) => command > LAST_OLD_EVTCHNOP ? ERRNO.ENOSYS : eventChannelOp(caller, inner),
  );

/** `physdev_op_compat`: likewise; one of its structures begins with a pointer. */
export const physdevOpCompat: Hypercall = (caller, args) =>
  withCommand(
    caller,
    args,
    caller.domain.model === "lp64" ? 8 : 4,
    (_, inner) => physdevOp(caller, inner),
  );

/** Takes the command apart from its structure, `offset` bytes behind it. */
function withCommand(
  { guest }: Caller,
  args: HypercallArguments,
  offset: number,
  act: (command: number, inner: HypercallArguments) => HypercallResult,
): HypercallResult {
  const command = new Int32Array(1);
  const at = args.number(0);
  if (!guest.readWords(at, command, 1)) return ERRNO.EFAULT;
  const inner = new HypercallArguments();
  inner.set(0, command[0] >>> 0);
  inner.set(1, at + offset);
  return act(command[0] >>> 0, inner);
}
