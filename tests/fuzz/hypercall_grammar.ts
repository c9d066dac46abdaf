/**
 * A grammar of hypercalls: mostly sensible, often wrong in one place, sometimes garbage. Frames, addresses and numbers
 * come from what the guest has, so that a good part of the calls succeeds. It is the same for guests of either data
 * model: structures are laid out as the guest's are.
 */

import { trap_info } from "../../core/abi/arch_x86.ts";
import { GNTTAB_STRUCTS, GNTTABOP } from "../../core/abi/grant_table.ts";
import { EVTCHNOP } from "../../core/abi/event_channel.ts";
import { xen_memory_exchange, XENMEM } from "../../core/abi/operations.ts";
import { MMUEXT, mmuext_op } from "../../core/abi/xen.ts";
import {
  type AbiGuest,
  type Call,
  type Given,
  longs,
  SCRATCH,
  structs,
  VIRT_BASE,
  words64,
} from "../conformance/hypervisor/abi_guest.ts";
import type { Random } from "./softfloat_operands.ts";

const PAGE_BYTES = 4096;
const NMI_VECTOR = 2;
const SELF = 0x7ff0;
/** Bytes of scratch memory that one call has for its structures. */
export const CALL_SCRATCH_BYTES = 128;
/** Pseudo-physical frames that the grammar plays with; kernel, calls and scratch stay out of it. */
const FIRST_PFN = 512;
const LAST_PFN = 1020;
/** Frame numbers that no guest has. */
const BAD_FRAMES: readonly bigint[] = [0n, 7n, 0xff_ffffn, 0xfff_ffff_ffffn, (1n << 64n) - 1n];
const BAD_ADDRESSES: readonly bigint[] = [
  0n,
  0x7000_0000n,
  0xffff_8200_0000_0000n,
  0x8000_0000_0000n,
  (1n << 64n) - 8n,
  0xf580_0000n,
];

/** One call of the grammar and what lies in its scratch memory. */
export interface GeneratedCall {
  readonly call: Call;
  readonly given: Given;
}

type Rule = (random: Random, guest: AbiGuest, scratch: number) => GeneratedCall;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)];
}

function aPfn(random: Random): number {
  return FIRST_PFN + random.below(LAST_PFN - FIRST_PFN);
}

/** Mostly a frame of the guest. */
function aFrame(random: Random, guest: AbiGuest): bigint {
  if (random.below(12) === 0) return pick(random, BAD_FRAMES);
  // A few frames are taken again and again, so that uses meet.
  const pfn = random.below(3) === 0 ? aPfn(random) : FIRST_PFN + random.below(24);
  return BigInt(guest.frameOf(pfn));
}

/** A page of the part of the initial mapping that the grammar plays with. */
function anAddress(random: Random): bigint {
  if (random.below(12) === 0) return pick(random, BAD_ADDRESSES);
  const pfn = random.below(3) === 0 ? aPfn(random) : FIRST_PFN + random.below(24);
  return BigInt(VIRT_BASE + pfn * PAGE_BYTES);
}

/** A page-table entry: absent, readable, writable, or with flags that may be wrong. */
function anEntry(random: Random, guest: AbiGuest): bigint {
  const flags = pick(random, [0n, 1n, 1n, 3n, 3n, 7n, 0x63n, 0x9bn, BigInt(random.below(4096))]);
  const high = random.below(8) === 0 ? 1n << 63n : 0n;
  return aFrame(random, guest) << 12n | flags | high;
}

/** Where the structures are, or sometimes a place where they are not. */
function place(random: Random, scratch: number): bigint {
  return random.below(16) === 0 ? pick(random, BAD_ADDRESSES) : BigInt(scratch);
}

function number(random: Random, limit: number): bigint {
  return random.below(10) === 0 ? BigInt(random.below(0x1_0000_0000)) : BigInt(random.below(limit));
}

const NOTHING: Given = words64();

/** Extents to give up or to get, and for `XENMEM_exchange` those that come in their place. */
function memoryOperation(random: Random, guest: AbiGuest, scratch: number): Given {
  const source = {
    extent_start: BigInt(scratch + 96),
    nr_extents: number(random, 2),
    extent_order: Number(number(random, 1)),
    mem_flags: 0,
    domid: SELF,
  };
  const out = { ...source, extent_start: BigInt(scratch + 104), nr_extents: 1n, extent_order: 0 };
  const lists = [longs(aFrame(random, guest)), longs(number(random, 4096))] as const;
  return (model) => {
    const bytes = new Uint8Array(CALL_SCRATCH_BYTES);
    bytes.set(xen_memory_exchange.toBytes({ in: source, out }, model));
    lists.forEach((list, i) => bytes.set(list(model), 96 + 8 * i));
    return bytes;
  };
}

const RULES: readonly Rule[] = [
  (random, guest) => ({
    call: ["update_va_mapping", anAddress(random), anEntry(random, guest), number(random, 8)],
    given: NOTHING,
  }),
  (random, guest, scratch) => ({
    call: ["mmu_update", place(random, scratch), 1 + random.below(3), 0, SELF],
    given: words64(
      ...Array.from(
        { length: 3 },
        () => [aFrame(random, guest) << 12n | number(random, 4096), anEntry(random, guest)],
      ).flat(),
    ),
  }),
  (random, guest, scratch) => ({
    call: ["mmuext_op", place(random, scratch), 1 + random.below(3), 0, SELF],
    given: structs(
      mmuext_op,
      ...Array.from({ length: 3 }, () => ({
        cmd: anOperation(random),
        mfn: aFrame(random, guest),
        nr_ents: random.below(2) === 0 ? number(random, 64) : aFrame(random, guest),
      })),
    ),
  }),
  (random, guest, scratch) => ({
    call: [
      "memory_op",
      pick(random, [
        XENMEM.increase_reservation,
        XENMEM.decrease_reservation,
        XENMEM.populate_physmap,
        XENMEM.current_reservation,
        XENMEM.exchange,
        random.below(64),
      ]),
      place(random, scratch),
    ],
    given: memoryOperation(random, guest, scratch),
  }),
  (random, guest) => ({
    call: [
      "update_descriptor",
      aFrame(random, guest) << 12n | number(random, 4096),
      number(random, 1),
    ],
    given: NOTHING,
  }),
  (random, guest, scratch) => ({
    call: ["set_gdt", place(random, scratch), number(random, 3) * 300n],
    given: longs(aFrame(random, guest), aFrame(random, guest)),
  }),
  (random, _, scratch) => ({
    call: ["event_channel_op", aSubOperation(random, EVTCHNOP), place(random, scratch)],
    // A port, or domains and a port.
    given: words64(
      random.below(2) === 0 ? number(random, 40) : number(random, 2) | BigInt(SELF) << 16n,
      number(random, 16),
      number(random, 4),
    ),
  }),
  (random, _, scratch) => ({
    call: [
      "grant_table_op",
      pick(random, [
        GNTTABOP.setup_table,
        GNTTABOP.query_size,
        GNTTABOP.get_version,
        GNTTABOP.swap_grant_ref,
        GNTTABOP.unmap_grant_ref,
      ]),
      place(random, scratch),
      number(random, 3),
    ],
    // What other operations find there are references and handles.
    given: structs(GNTTAB_STRUCTS.setup_table, {
      dom: SELF,
      nr_frames: Number(number(random, 3)),
      status: random.below(8),
      frame_list: BigInt(scratch + 96),
    }),
  }),
  (random, _, scratch) => ({
    call: [
      "vcpu_op",
      // Not `down`: the kernel that makes the calls would be gone.
      pick(random, [0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14 + random.below(8)]),
      number(random, 2),
      place(random, scratch),
    ],
    given: words64(number(random, 4096) * 1_000_000n, number(random, 2)),
  }),
  (random, _, scratch) => ({
    call: ["xen_version", random.below(12), place(random, scratch)],
    given: words64(0n),
  }),
  // Without DR7, which number 5 means as well: no breakpoint becomes a trap of the kernel that makes the calls.
  (random) => ({
    call: ["set_debugreg", pick(random, [0, 1, 2, 3, 4, 6]), number(random, 4096)],
    given: NOTHING,
  }),
  (random) => ({ call: ["get_debugreg", random.below(9)], given: NOTHING }),
  (random) => ({ call: ["set_segment_base", random.below(4), number(random, 4)], given: NOTHING }),
  (random) => ({ call: ["fpu_taskswitch", random.below(2)], given: NOTHING }),
  (random) => ({ call: ["stack_switch", 0, anAddress(random)], given: NOTHING }),
  (random) => ({ call: ["vm_assist", random.below(3), random.below(8)], given: NOTHING }),
  (random, _, scratch) => ({
    call: ["set_trap_table", random.below(8) === 0 ? 0 : place(random, scratch)],
    given: structs(trap_info, { vector: aVector(random), address: anAddress(random) }, {}),
  }),
  (random) => ({ call: ["set_timer_op", number(random, 2)], given: NOTHING }),
  (random, _, scratch) => ({
    call: ["physdev_op", pick(random, [6, 6, random.below(32)]), place(random, scratch)],
    given: words64(number(random, 5)),
  }),
];

/** Not that of NMIs: those that wait would enter what is no handler. */
function aVector(random: Random): number {
  return NMI_VECTOR + 1 + random.below(255 - NMI_VECTOR);
}

function anOperation(random: Random): number {
  const usual = [0, 0, 1, 4, 4, 6, MMUEXT.CLEAR_PAGE, MMUEXT.COPY_PAGE];
  const other = Number(number(random, 24));
  // An empty table is a valid one, but the kernel that makes the calls is not in it.
  return random.below(2) === 0 || other === MMUEXT.NEW_BASEPTR ? pick(random, usual) : other;
}

function aSubOperation(random: Random, table: Readonly<Record<string, number>>): number {
  // Events of the FIFO ABI change how all others are delivered: they have tests of their own.
  // A reset closes everything: it comes seldom, so that the others have something to work on.
  const usual = Object.values(table).filter((value) =>
    value < EVTCHNOP.init_control && (value !== EVTCHNOP.reset || random.below(32) === 0)
  );
  return random.below(10) === 0 ? random.below(40) + 14 : pick(random, usual);
}

/** The next call, whose structures are at `scratch`. */
export function generateCall(random: Random, guest: AbiGuest, scratch: number): GeneratedCall {
  return pick(random, RULES)(random, guest, scratch);
}

/** Linear address of the scratch memory of call number `index`. */
export function scratchOf(index: number): number {
  return SCRATCH + index * CALL_SCRATCH_BYTES;
}
