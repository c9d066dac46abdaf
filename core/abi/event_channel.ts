/**
 * Event channels: operations, their structures, and the words that the hypervisor shares with a guest.
 *
 * Source: Xen 4.17's public headers `event_channel.h` and `xen.h` (VIRQs, `shared_info`, `vcpu_info`).
 */

import { array, type DataModel, defineStruct } from "./struct_layout.ts";

/** Sub-operations of `HYPERVISOR_event_channel_op`. */
export const EVTCHNOP = {
  bind_interdomain: 0,
  bind_virq: 1,
  bind_pirq: 2,
  close: 3,
  send: 4,
  status: 5,
  alloc_unbound: 6,
  bind_ipi: 7,
  bind_vcpu: 8,
  unmask: 9,
  reset: 10,
  init_control: 11,
  expand_array: 12,
  set_priority: 13,
} as const;

/** What a channel is, as `EVTCHNOP_status` reports it. */
export const EVTCHNSTAT = {
  closed: 0,
  unbound: 1,
  interdomain: 2,
  pirq: 3,
  virq: 4,
  ipi: 5,
} as const;

/** Virtual interrupts. Those that are not in {@link VCPU_VIRQS} are global: one virtual CPU hears them. */
export const VIRQ = {
  TIMER: 0,
  DEBUG: 1,
  CONSOLE: 2,
  DOM_EXC: 3,
  TBUF: 4,
  DEBUGGER: 6,
  XENOPROF: 7,
  CON_RING: 8,
  PCPU_STATE: 9,
  MEM_EVENT: 10,
  ARGO: 11,
  ENOMEM: 12,
  XENPMU: 13,
  ARCH_0: 16,
  ARCH_7: 23,
} as const;

/** Virtual interrupts that each virtual CPU has for itself. */
export const VCPU_VIRQS: ReadonlySet<number> = new Set([
  VIRQ.TIMER,
  VIRQ.DEBUG,
  VIRQ.XENOPROF,
  VIRQ.XENPMU,
]);

/** How many virtual interrupts there are. */
export const NR_VIRQS = 24;

/** The structures of the sub-operations by name. */
export const EVTCHN_STRUCTS = {
  alloc_unbound: defineStruct("evtchn_alloc_unbound", 8, {
    dom: "u16",
    remote_dom: "u16",
    port: "u32",
  }),
  bind_interdomain: defineStruct("evtchn_bind_interdomain", 12, {
    remote_dom: "u16",
    remote_port: "u32",
    local_port: "u32",
  }),
  bind_virq: defineStruct("evtchn_bind_virq", 12, { virq: "u32", vcpu: "u32", port: "u32" }),
  bind_pirq: defineStruct("evtchn_bind_pirq", 12, { pirq: "u32", flags: "u32", port: "u32" }),
  bind_ipi: defineStruct("evtchn_bind_ipi", 8, { vcpu: "u32", port: "u32" }),
  close: defineStruct("evtchn_close", 4, { port: "u32" }),
  send: defineStruct("evtchn_send", 4, { port: "u32" }),
  /** `detail` holds the union's domain, pirq or virq; `detail_port` the peer's port. */
  status: defineStruct("evtchn_status", 24, {
    dom: "u16",
    port: "u32",
    status: "u32",
    vcpu: "u32",
    detail: "u32",
    detail_port: "u32",
  }),
  bind_vcpu: defineStruct("evtchn_bind_vcpu", 8, { port: "u32", vcpu: "u32" }),
  unmask: defineStruct("evtchn_unmask", 4, { port: "u32" }),
  reset: defineStruct("evtchn_reset", 2, { dom: "u16" }),
  init_control: defineStruct("evtchn_init_control", 24, {
    control_gfn: "u64",
    offset: "u32",
    vcpu: "u32",
    link_bits: "u8",
    _pad: array("u8", 7),
  }),
  expand_array: defineStruct("evtchn_expand_array", 8, { array_gfn: "u64" }),
  set_priority: defineStruct("evtchn_set_priority", 8, { port: "u32", priority: "u32" }),
} as const;

/** Where the two-level ABI's words are, in bytes. */
export interface TwoLevelPlaces {
  /** Bits in a word (`xen_ulong_t`); there are as many words as bits in one. */
  readonly wordBits: 32 | 64;
  /** In `shared_info`: one bit for each channel. */
  readonly evtchnPending: number;
  readonly evtchnMask: number;
  /** In `vcpu_info`: one bit for each word of `evtchn_pending`. */
  readonly evtchnPendingSel: number;
}

/** The two-level ABI by the guest's data model. */
export const TWO_LEVEL: Readonly<Record<DataModel, TwoLevelPlaces>> = {
  lp64: { wordBits: 64, evtchnPending: 2048, evtchnMask: 2560, evtchnPendingSel: 8 },
  ilp32: { wordBits: 32, evtchnPending: 2048, evtchnMask: 2176, evtchnPendingSel: 4 },
};

/** In `vcpu_info`, both data models: a byte that says that some event waits, and one that masks the upcall. */
export const VCPU_INFO_UPCALL = { pending: 0, mask: 1 } as const;

/** Bits of a FIFO event word; its low {@link FIFO.LINK_BITS} bits name the next port in the queue. */
export const FIFO_WORD = {
  PENDING: 1 << 31,
  MASKED: 1 << 30,
  LINKED: 1 << 29,
  BUSY: 1 << 28,
} as const;

/** Numbers of the FIFO ABI. */
export const FIFO = {
  LINK_BITS: 17,
  LINK_MASK: (1 << 17) - 1,
  NR_CHANNELS: 1 << 17,
  PRIORITY_MAX: 0,
  PRIORITY_DEFAULT: 7,
  PRIORITY_MIN: 15,
  MAX_QUEUES: 16,
  WORDS_PER_PAGE: 1024,
} as const;

/** What the hypervisor and one virtual CPU share: ready queues, and the first port of each. */
export const FIFO_CONTROL_BLOCK = defineStruct("evtchn_fifo_control_block", 72, {
  ready: "u32",
  _rsvd: "u32",
  head: array("u32", FIFO.MAX_QUEUES),
});
