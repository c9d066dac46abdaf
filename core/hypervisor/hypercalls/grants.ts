/** `grant_table_op`: arrays of structures to the operations of `grant_tables/`. Source: `grant_table.h`. */

import { ERRNO } from "../../abi/errno.ts";
import { GNTST, GNTTAB_STRUCTS, GNTTABOP } from "../../abi/grant_table.ts";
import type { DomainId, GrantHandle, GrantReference, MachineFrame } from "../../abi/ids.ts";
import type { DataModel, Fields, StructLayout, StructValue } from "../../abi/struct_layout.ts";
import { linearNumber } from "../memory/guest_access.ts";
import { type Caller, type Hypercall, PREEMPT_AFTER } from "./caller.ts";
import { LongList, readStruct, writeStruct } from "./structures.ts";

/** Works on one structure of the array; a negative answer ends the hypercall. */
type Operation = (caller: Caller, at: number) => number;

interface Entry {
  sizeBytes(model: DataModel): number;
  readonly run: Operation;
}

/** What `act` returns is stored back into the structure. */
function entry<F extends Fields>(
  layout: StructLayout<F>,
  act: (caller: Caller, given: StructValue<F>) => Partial<StructValue<F>> | number,
): Entry {
  return {
    sizeBytes: (model) => layout.sizeBytes(model),
    run(caller, at) {
      const given = readStruct(caller, layout, at);
      if (given === null) return ERRNO.EFAULT;
      const outcome = act(caller, given);
      if (typeof outcome === "number") return outcome;
      return writeStruct(caller, layout, at, { ...given, ...outcome }) ? 0 : ERRNO.EFAULT;
    },
  };
}

/** Stores a list of frame numbers; false on a fault. */
function writeFrames(caller: Caller, at: number, frames: readonly MachineFrame[]): boolean {
  const list = new LongList(caller, at);
  return frames.every((frame, i) => list.set(i, frame));
}

const ENTRIES: ReadonlyMap<number, Entry> = new Map<number, Entry>([
  [
    GNTTABOP.map_grant_ref,
    entry(GNTTAB_STRUCTS.map_grant_ref, ({ hypervisor, domain }, given) => {
      const { status, handle, frame } = hypervisor.grants.map(domain.id, {
        dom: given.dom as DomainId,
        ref: given.ref as GrantReference,
        flags: given.flags,
        hostAddress: given.host_addr,
      });
      return { status, handle, dev_bus_addr: BigInt(frame) << 12n };
    }),
  ],
  [
    GNTTABOP.unmap_grant_ref,
    entry(GNTTAB_STRUCTS.unmap_grant_ref, ({ hypervisor, domain }, given) => ({
      status: hypervisor.grants.unmap(domain.id, {
        handle: given.handle as GrantHandle,
        hostAddress: given.host_addr,
        busAddress: given.dev_bus_addr,
      }),
    })),
  ],
  [
    GNTTABOP.unmap_and_replace,
    entry(GNTTAB_STRUCTS.unmap_and_replace, ({ hypervisor, domain }, given) => ({
      status: hypervisor.grants.unmap(domain.id, {
        handle: given.handle as GrantHandle,
        hostAddress: given.host_addr,
        busAddress: 0n,
        replaceBy: given.new_addr,
      }),
    })),
  ],
  [
    GNTTABOP.setup_table,
    entry(GNTTAB_STRUCTS.setup_table, (caller, given) => {
      const { hypervisor, domain } = caller;
      const { status, frames } = hypervisor.grants.setupTable(
        domain.id,
        given.dom as DomainId,
        given.nr_frames,
      );
      const list = linearNumber(given.frame_list);
      if (status !== GNTST.okay || writeFrames(caller, list, frames)) return { status };
      return { status: GNTST.bad_virt_addr };
    }),
  ],
  [
    GNTTABOP.transfer,
    entry(GNTTAB_STRUCTS.transfer, ({ hypervisor, domain }, given) => ({
      status: hypervisor.grants.transfer(
        domain.id,
        given.mfn as MachineFrame,
        given.domid as DomainId,
        given.ref as GrantReference,
      ),
    })),
  ],
  [
    GNTTABOP.copy,
    entry(GNTTAB_STRUCTS.copy, ({ hypervisor, domain }, { source, dest, len, flags }) => ({
      status: hypervisor.grants.copy(domain.id, {
        source: { dom: source.domid as DomainId, refOrFrame: source.u, offset: source.offset },
        dest: { dom: dest.domid as DomainId, refOrFrame: dest.u, offset: dest.offset },
        lengthBytes: len,
        flags,
      }),
    })),
  ],
  [
    GNTTABOP.query_size,
    entry(GNTTAB_STRUCTS.query_size, ({ hypervisor, domain }, { dom }) => {
      const size = hypervisor.grants.querySize(domain.id, dom as DomainId);
      const { status, frameCount, maxFrameCount } = size;
      return { status, nr_frames: frameCount, max_nr_frames: maxFrameCount };
    }),
  ],
  [
    GNTTABOP.set_version,
    entry(GNTTAB_STRUCTS.set_version, ({ hypervisor, domain }, given) => {
      const version = hypervisor.grants.setVersion(domain.id, given.version);
      return version < 0 ? version : { version };
    }),
  ],
  [
    GNTTABOP.get_version,
    entry(GNTTAB_STRUCTS.get_version, ({ hypervisor, domain }, { dom }) => {
      const version = hypervisor.grants.getVersion(domain.id, dom as DomainId);
      return version < 0 ? version : { version };
    }),
  ],
  [
    GNTTABOP.get_status_frames,
    entry(GNTTAB_STRUCTS.get_status_frames, ({ hypervisor, domain }, { dom }) => ({
      status: hypervisor.grants.getStatusFrames(domain.id, dom as DomainId).status,
    })),
  ],
  [
    GNTTABOP.swap_grant_ref,
    entry(GNTTAB_STRUCTS.swap_grant_ref, ({ hypervisor, domain }, { ref_a, ref_b }) => ({
      status: hypervisor.grants.swap(
        domain.id,
        ref_a as GrantReference,
        ref_b as GrantReference,
      ),
    })),
  ],
]);

/** `grant_table_op`: command, address of the array, number of its structures. */
export const grantTableOp: Hypercall = (caller, args) => {
  const found = ENTRIES.get(args.u32(0));
  if (found === undefined) return ERRNO.ENOSYS;
  const count = args.u32(2);
  const bytes = found.sizeBytes(caller.domain.model);
  if (count > PREEMPT_AFTER) return ERRNO.EINVAL;
  for (let i = 0; i < count; i++) {
    caller.hypervisor.bill(caller.domain.id, "grantOperations");
    const failed = found.run(caller, args.number(1) + i * bytes);
    if (failed < 0) return failed;
  }
  return 0;
};
