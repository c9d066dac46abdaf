/**
 * Every sub-operation of every hypercall by name, from the tables of the ABI, and those that a domain without
 * privilege never succeeds with: what is in neither has been forgotten.
 */

import { EVTCHNOP } from "../../core/abi/event_channel.ts";
import { GNTTABOP } from "../../core/abi/grant_table.ts";
import type { HypercallName } from "../../core/abi/hypercalls.ts";
import {
  CALLBACKOP,
  PHYSDEVOP,
  SCHEDOP,
  VCPUOP,
  XENMEM,
  XENVER,
} from "../../core/abi/operations.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { CONSOLEIO, MMU, MMUEXT, VMASST_CMD } from "../../core/abi/xen.ts";

type Operations = Readonly<Record<string, number>>;

const { unmask } = EVTCHNOP;
const { yield: yielding, block, shutdown } = SCHEDOP;

/** Hypercalls by their sub-operations; one without has an empty table. */
export const OPERATIONS: Readonly<Partial<Record<HypercallName, Operations>>> = {
  set_trap_table: {},
  mmu_update: MMU,
  set_gdt: {},
  stack_switch: {},
  set_callbacks: {},
  fpu_taskswitch: {},
  sched_op_compat: { yield: yielding, block, shutdown },
  set_debugreg: {},
  get_debugreg: {},
  update_descriptor: {},
  memory_op: XENMEM,
  multicall: {},
  update_va_mapping: {},
  set_timer_op: {},
  event_channel_op_compat: Object.fromEntries(
    Object.entries(EVTCHNOP).filter(([, number]) => number <= unmask),
  ),
  xen_version: XENVER,
  console_io: CONSOLEIO,
  physdev_op_compat: PHYSDEVOP,
  grant_table_op: GNTTABOP,
  vm_assist: VMASST_CMD,
  vcpu_op: VCPUOP,
  set_segment_base: {},
  mmuext_op: MMUEXT,
  sched_op: SCHEDOP,
  callback_op: CALLBACKOP,
  event_channel_op: EVTCHNOP,
  physdev_op: PHYSDEVOP,
};

const DEVICES = "only a domain with devices has physical interrupts and caches to mind";
const TRANSLATED = "only translated guests have a map to change";
const VERSION_2 = "version 2 of the grant table is refused";
const PRIVILEGED = "only a privileged domain may";

/** What a domain without privilege never succeeds with, and why. */
const NEVER: Readonly<Record<string, string>> = {
  "memory_op.machphys_mfn_list": "the table is not made of frames that could be listed",
  "memory_op.add_to_physmap": TRANSLATED,
  "memory_op.remove_from_physmap": TRANSLATED,
  "memory_op.set_memory_map": TRANSLATED,
  "memory_op.machine_memory_map": PRIVILEGED,
  "event_channel_op.bind_pirq": DEVICES,
  "event_channel_op_compat.bind_pirq": DEVICES,
  "xen_version.build_id": "there is none",
  "grant_table_op.dump_table": PRIVILEGED,
  "grant_table_op.cache_flush": "x86 caches need none",
  "grant_table_op.get_status_frames": VERSION_2,
  "vcpu_op.get_physid": "only a pinned virtual CPU of the hardware domain has one",
  "mmuext_op.FLUSH_CACHE": DEVICES,
  "mmuext_op.FLUSH_CACHE_GLOBAL": DEVICES,
  "mmuext_op.MARK_SUPER": "there are no superpages",
  "mmuext_op.UNMARK_SUPER": "there are no superpages",
  "sched_op.remote_shutdown": PRIVILEGED,
  "sched_op.pin_override": PRIVILEGED,
  ...Object.fromEntries(
    ["physdev_op", "physdev_op_compat"].flatMap((name) =>
      ["eoi", "apic_read", "apic_write"].map((operation) => [`${name}.${operation}`, DEVICES])
    ),
  ),
};

/** What a 32-bit guest, besides, has no use for. */
const NEVER_OF_32_BITS: ReadonlySet<string> = new Set([
  "set_segment_base",
  "mmuext_op.PIN_L4_TABLE",
  "mmuext_op.NEW_USER_BASEPTR",
]);

/** The name of a sub-operation by its number; one that does not exist is named by it. */
export function operationName(hypercall: HypercallName, number?: number): string {
  if (number === undefined) return hypercall;
  const found = Object.entries(OPERATIONS[hypercall] ?? {}).find(([, value]) => value === number);
  return `${hypercall}.${found?.[0] ?? number}`;
}

/** All that a domain without privilege can succeed with. */
export function possibleOperations(model: DataModel): readonly string[] {
  return Object.entries(OPERATIONS)
    .flatMap(([hypercall, operations]) => {
      const names = Object.keys(operations);
      return names.length === 0 ? [hypercall] : names.map((name) => `${hypercall}.${name}`);
    })
    .filter((name) => !(name in NEVER) && (model === "lp64" || !NEVER_OF_32_BITS.has(name)));
}
