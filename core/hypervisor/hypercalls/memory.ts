/** `memory_op`: reservations, the memory map, the machine-to-physical table. Source: Xen 4.17's `memory.h`. */

import { ERRNO, isErrno } from "../../abi/errno.ts";
import { DOMID, type MachineFrame } from "../../abi/ids.ts";
import {
  E820_ENTRY_BYTES,
  E820_RAM,
  MEMOP_EXTENT_SHIFT,
  xen_machphys_mapping,
  xen_memory_exchange,
  xen_memory_map,
  xen_memory_reservation,
  XENMEM,
} from "../../abi/operations.ts";
import { linearNumber } from "../memory/guest_access.ts";
import { type Caller, type Hypercall, type HypercallArguments, PREEMPT_AFTER } from "./caller.ts";
import type { HypercallResult } from "./caller.ts";
import { domainMeant } from "./events.ts";
import { LongList, readStruct, writeStruct } from "./structures.ts";

const TWO_32 = 0x1_0000_0000;

/** A frame for each pseudo-physical frame number of the list, which then holds where they are. */
function populate(caller: Caller, list: LongList, index: number): boolean {
  const { hypervisor, domain } = caller;
  const pfn = list.get(index);
  if (pfn === null) return false;
  const frame = hypervisor.reservations.populate(domain);
  if (isErrno(frame)) return false;
  hypervisor.map.setPfn(frame, pfn | 0, Math.floor(pfn / TWO_32));
  return list.set(index, frame);
}

function increase(caller: Caller, list: LongList | null, index: number): boolean {
  const frame = caller.hypervisor.reservations.populate(caller.domain);
  if (isErrno(frame)) return false;
  return list === null || list.set(index, frame);
}

function decrease(caller: Caller, list: LongList, index: number): boolean {
  const frame = list.get(index);
  return frame !== null && caller.hypervisor.reservations.decrease(caller.domain, frame) === 0;
}

/** The three operations on a list of extents; the answer is how many were done. */
function reservation(
  caller: Caller,
  args: HypercallArguments,
  command: number,
): HypercallResult {
  const start = args.u32(0) >>> MEMOP_EXTENT_SHIFT;
  const given = readStruct(caller, xen_memory_reservation, args.number(1));
  if (given === null) return start === 0 ? ERRNO.EFAULT : start;
  const total = Number(given.nr_extents);
  // Extents of more than one frame would have to be contiguous: a domain without devices has no use for them.
  if (given.extent_order !== 0 || total > 2 ** (32 - MEMOP_EXTENT_SHIFT)) return start;
  if (given.domid !== DOMID.SELF && given.domid !== caller.domain.id) return start;
  const address = linearNumber(given.extent_start);
  const list = new LongList(caller, address);
  let done = start;
  for (; done < total; done++) {
    if (done - start === PREEMPT_AFTER) {
      args.set(0, command + done * 2 ** MEMOP_EXTENT_SHIFT);
      return "again";
    }
    const worked = command === XENMEM.populate_physmap
      ? populate(caller, list, done)
      : command === XENMEM.increase_reservation
      ? increase(caller, address === 0 ? null : list, done)
      : decrease(caller, list, done);
    if (!worked) break;
  }
  return done;
}

/** `XENMEM_exchange` of single frames: each is given up, and another comes in its place. */
function exchange(caller: Caller, at: number): number {
  const given = readStruct(caller, xen_memory_exchange, at);
  if (given === null) return ERRNO.EFAULT;
  const { in: source, out } = given;
  const self = (domid: number) => domid === DOMID.SELF || domid === caller.domain.id;
  if (!self(source.domid) || !self(out.domid)) return ERRNO.EPERM;
  const count = Number(source.nr_extents);
  if (count * 2 ** source.extent_order !== Number(out.nr_extents) * 2 ** out.extent_order) {
    return ERRNO.EINVAL;
  }
  if (source.extent_order !== 0 || out.extent_order !== 0) return ERRNO.ENOMEM;
  if (count > PREEMPT_AFTER) return ERRNO.EINVAL;
  const from = new LongList(caller, linearNumber(source.extent_start));
  const to = new LongList(caller, linearNumber(out.extent_start));
  const { reservations, frames, map } = caller.hypervisor;
  let done = Number(given.nr_exchanged);
  let failed = 0;
  for (; done < count; done++) {
    const [old, pfn] = [from.get(done), to.get(done)];
    if (old === null || pfn === null) failed = ERRNO.EFAULT;
    else if (!frames.isUnused(old)) failed = ERRNO.EINVAL;
    else failed = reservations.decrease(caller.domain, old);
    if (failed !== 0) break;
    const frame = reservations.populate(caller.domain) as MachineFrame;
    map.setPfn(frame, pfn! | 0, Math.floor(pfn! / TWO_32));
    if (!to.set(done, frame)) failed = ERRNO.EFAULT;
  }
  writeStruct(caller, xen_memory_exchange, at, { ...given, nr_exchanged: BigInt(done) });
  return failed;
}

/** `XENMEM_memory_map`: RAM from 0 up to the domain's limit. */
function memoryMap(caller: Caller, at: number): number {
  const given = readStruct(caller, xen_memory_map, at);
  if (given === null) return ERRNO.EFAULT;
  if (given.nr_entries < 1) return ERRNO.EINVAL;
  const entry = new Uint8Array(E820_ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  view.setBigUint64(8, BigInt(caller.domain.maxPages) * 4096n, true);
  view.setUint32(16, E820_RAM, true);
  if (!caller.guest.write(linearNumber(given.buffer), entry)) return ERRNO.EFAULT;
  return writeStruct(caller, xen_memory_map, at, { ...given, nr_entries: 1 }) ? 0 : ERRNO.EFAULT;
}

/** The domain whose id lies at `at`, as the answer of `value`; an error if the caller may not ask. */
function ofDomain(caller: Caller, at: number, value: (pages: number, max: number) => number) {
  const bytes = new Uint8Array(2);
  if (!caller.guest.read(at, bytes)) return ERRNO.EFAULT;
  const meant = domainMeant(caller, bytes[0] | bytes[1] << 8);
  if (meant === null) return ERRNO.ESRCH;
  if (meant !== caller.domain && !caller.domain.privileged) return ERRNO.EPERM;
  return value(meant.pages, meant.maxPages);
}

/** `XENMEM_machphys_mapping`: where the machine-to-physical table could lie, and how long it could be. */
function machineMapping(caller: Caller, at: number): number {
  const { start, end, entries } = caller.domain.space.machineMap;
  const place = {
    v_start: BigInt.asUintN(64, BigInt(start)),
    v_end: BigInt.asUintN(64, BigInt(end)),
    max_mfn: BigInt(entries - 1),
  };
  return writeStruct(caller, xen_machphys_mapping, at, place) ? 0 : ERRNO.EFAULT;
}

/** `memory_op`: command with a continuation above it, argument. */
export const memoryOp: Hypercall = (caller, args) => {
  const command = args.u32(0) & (2 ** MEMOP_EXTENT_SHIFT - 1);
  const at = args.number(1);
  const { frames } = caller.hypervisor;
  switch (command) {
    case XENMEM.increase_reservation:
    case XENMEM.decrease_reservation:
    case XENMEM.populate_physmap:
      return reservation(caller, args, command);
    case XENMEM.exchange:
      return exchange(caller, at);
    case XENMEM.maximum_ram_page:
      return frames.frames;
    case XENMEM.current_reservation:
      return ofDomain(caller, at, (pages) => pages);
    case XENMEM.maximum_reservation:
      return ofDomain(caller, at, (_, max) => max);
    case XENMEM.maximum_gpfn:
      return ofDomain(caller, at, (_, max) => max - 1);
    case XENMEM.memory_map:
      return memoryMap(caller, at);
    case XENMEM.machphys_mapping:
      return machineMapping(caller, at);
    case XENMEM.machine_memory_map:
    case XENMEM.set_memory_map:
      return ERRNO.EPERM;
    default:
      return ERRNO.ENOSYS;
  }
};
