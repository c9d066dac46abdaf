/** `event_channel_op`: registers and structures to the operations of `event_channels/`. Source: `event_channel.h`. */

import { EVTCHN_STRUCTS, EVTCHNOP } from "../../abi/event_channel.ts";
import { ERRNO, isErrno } from "../../abi/errno.ts";
import {
  type DomainId,
  DOMID,
  type EventPort,
  type GuestFrame,
  type VcpuId,
} from "../../abi/ids.ts";
import type { Fields, StructLayout, StructValue } from "../../abi/struct_layout.ts";
import type { Binding } from "../event_channels/mod.ts";
import type { Caller, Hypercall } from "./caller.ts";
import { readStruct, writeStruct } from "./structures.ts";

/** One sub-operation: gets its structure, answers an error or 0, and may change the structure. */
interface Operation {
  run(caller: Caller, at: number): number;
}

/** An operation of one structure: what `act` returns besides an error number is stored back. */
function operation<F extends Fields>(
  layout: StructLayout<F>,
  act: (caller: Caller, given: StructValue<F>) => number | Partial<StructValue<F>>,
): Operation {
  return {
    run(caller, at) {
      const given = readStruct(caller, layout, at);
      if (given === null) return ERRNO.EFAULT;
      const outcome = act(caller, given);
      if (typeof outcome === "number") return outcome;
      return writeStruct(caller, layout, at, { ...given, ...outcome }) ? 0 : ERRNO.EFAULT;
    },
  };
}

/** The union of `evtchn_status`. */
function detailOf(binding: Binding): { detail: number; detail_port: number } {
  switch (binding.kind) {
    case "unbound":
      return { detail: binding.remote, detail_port: 0 };
    case "interdomain":
      return { detail: binding.remote, detail_port: binding.remotePort };
    case "virq":
      return { detail: binding.virq, detail_port: 0 };
    default:
      return { detail: 0, detail_port: 0 };
  }
}

const OPERATIONS: Readonly<Record<keyof typeof EVTCHNOP, Operation>> = {
  alloc_unbound: operation(EVTCHN_STRUCTS.alloc_unbound, ({ hypervisor, domain }, given) => {
    const dom = given.dom as DomainId;
    const remote = given.remote_dom as DomainId;
    const port = hypervisor.events.allocUnbound(domain.id, dom, remote);
    return isErrno(port) ? port : { port };
  }),
  bind_interdomain: operation(EVTCHN_STRUCTS.bind_interdomain, ({ hypervisor, domain }, given) => {
    const remote = given.remote_dom as DomainId;
    const remotePort = given.remote_port as EventPort;
    const port = hypervisor.events.bindInterdomain(domain.id, remote, remotePort);
    return isErrno(port) ? port : { local_port: port };
  }),
  bind_virq: operation(EVTCHN_STRUCTS.bind_virq, ({ hypervisor, domain }, { virq, vcpu }) => {
    const port = hypervisor.events.bindVirq(domain.id, virq, vcpu as VcpuId);
    return isErrno(port) ? port : { port };
  }),
  bind_pirq: operation(
    EVTCHN_STRUCTS.bind_pirq,
    ({ hypervisor, domain }, { pirq }) => hypervisor.events.bindPirq(domain.id, pirq),
  ),
  bind_ipi: operation(EVTCHN_STRUCTS.bind_ipi, ({ hypervisor, domain }, { vcpu }) => {
    const port = hypervisor.events.bindIpi(domain.id, vcpu as VcpuId);
    return isErrno(port) ? port : { port };
  }),
  close: operation(
    EVTCHN_STRUCTS.close,
    ({ hypervisor, domain }, { port }) => hypervisor.events.close(domain.id, port as EventPort),
  ),
  send: operation(
    EVTCHN_STRUCTS.send,
    ({ hypervisor, domain }, { port }) => {
      hypervisor.bill(domain.id, "events");
      return hypervisor.events.send(domain.id, port as EventPort);
    },
  ),
  status: operation(EVTCHN_STRUCTS.status, ({ hypervisor, domain }, { dom, port }) => {
    const found = hypervisor.events.status(domain.id, dom as DomainId, port as EventPort);
    if (typeof found === "number") return found;
    return { status: found.status, vcpu: found.vcpu, ...detailOf(found.binding) };
  }),
  bind_vcpu: operation(
    EVTCHN_STRUCTS.bind_vcpu,
    ({ hypervisor, domain }, { port, vcpu }) =>
      hypervisor.events.bindVcpu(domain.id, port as EventPort, vcpu as VcpuId),
  ),
  unmask: operation(
    EVTCHN_STRUCTS.unmask,
    ({ hypervisor, domain }, { port }) => hypervisor.events.unmask(domain.id, port as EventPort),
  ),
  reset: operation(
    EVTCHN_STRUCTS.reset,
    ({ hypervisor, domain }, { dom }) => hypervisor.events.reset(domain.id, dom as DomainId),
  ),
  init_control: operation(EVTCHN_STRUCTS.init_control, ({ hypervisor, domain }, given) => {
    const frame = Number(given.control_gfn) as GuestFrame;
    const bits = hypervisor.events.initControl(
      domain.id,
      frame,
      given.offset,
      given.vcpu as VcpuId,
    );
    return bits < 0 ? bits : { link_bits: bits };
  }),
  expand_array: operation(
    EVTCHN_STRUCTS.expand_array,
    ({ hypervisor, domain }, { array_gfn }) =>
      hypervisor.events.expandArray(domain.id, Number(array_gfn) as GuestFrame),
  ),
  set_priority: operation(
    EVTCHN_STRUCTS.set_priority,
    ({ hypervisor, domain }, { port, priority }) =>
      hypervisor.events.setPriority(domain.id, port as EventPort, priority),
  ),
};

const BY_NUMBER: readonly Operation[] = (Object.entries(EVTCHNOP) as [
  keyof typeof EVTCHNOP,
  number,
][]).sort(([, a], [, b]) => a - b).map(([name]) => OPERATIONS[name]);

/** `event_channel_op`: command, address of its structure. */
export const eventChannelOp: Hypercall = (caller, args) =>
  BY_NUMBER[args.u32(0)]?.run(caller, args.number(1)) ?? ERRNO.ENOSYS;

/** The domain that `id` means to `caller`; null if there is none. */
export function domainMeant({ hypervisor, domain }: Caller, id: number) {
  return id === DOMID.SELF ? domain : hypervisor.domains.get(id as DomainId) ?? null;
}
