/** Rules of the grammar: page tables, descriptors, reservations. */

import type { HypercallName } from "../../core/abi/hypercalls.ts";
import { xen_memory_exchange, xen_memory_map, XENMEM } from "../../core/abi/operations.ts";
import { MMUEXT, mmuext_op } from "../../core/abi/xen.ts";
import { type Given, longs, structs, words64 } from "../conformance/hypervisor/abi_guest.ts";
import { operationName } from "./hypercall_operations.ts";
import {
  aFrame,
  anAddress,
  anEntry,
  anOperation,
  type GeneratedCall,
  NOTHING,
  number,
  number32,
  parts,
  pick,
  place,
  type Rule,
  SELF,
  simple,
  u32At,
} from "./hypercall_values.ts";
import { type AttackWorld, CALL_SCRATCH_BYTES } from "./hypercall_world.ts";
import type { Random } from "./softfloat_operands.ts";

const MAX_ENTRIES = 3;
/** In the scratch memory: how many entries of a batch were done; lists of extents. */
const DONE = 240;
const EXTENTS = 96;
const BUFFER = 160;

/** A batch: its entries succeed up to the first error. */
function batch(
  random: Random,
  scratch: number,
  hypercall: HypercallName,
  operations: readonly number[],
  given: Given,
): GeneratedCall {
  const names = operations.map((operation) => operationName(hypercall, operation));
  return {
    call: [hypercall, place(random, scratch), names.length, scratch + DONE, SELF],
    given,
    succeeded: (_, memory) => names.slice(0, u32At(memory, DONE)),
  };
}

/** A root that the kernel can go on with, or a frame that is none: an empty table would be the kernel's end. */
function aRoot(random: Random, { guest }: AttackWorld): bigint {
  const { root } = guest.domain.domain.vcpus[0];
  return BigInt(random.below(4) === 0 ? guest.frameOf(1) : root!);
}

function extendedOperation(random: Random, world: AttackWorld) {
  const often = [MMUEXT.PIN_L1_TABLE, MMUEXT.UNPIN_TABLE, MMUEXT.UNPIN_TABLE, MMUEXT.CLEAR_PAGE];
  const cmd = random.below(3) === 0 ? pick(random, often) : anOperation(random, "mmuext_op");
  switch (cmd) {
    case MMUEXT.NEW_BASEPTR:
      return { cmd, mfn: aRoot(random, world) };
    case MMUEXT.NEW_USER_BASEPTR:
      return { cmd, mfn: pick(random, [0n, aRoot(random, world), aFrame(random, world)]) };
    case MMUEXT.PIN_L3_TABLE:
    case MMUEXT.PIN_L4_TABLE:
      return { cmd, mfn: BigInt(world.aTable(random)) };
    case MMUEXT.SET_LDT:
    case MMUEXT.INVLPG_LOCAL:
    case MMUEXT.INVLPG_ALL:
    case MMUEXT.INVLPG_MULTI:
      return { cmd, mfn: anAddress(random), nr_ents: number(random, 64) };
    default:
      return { cmd, mfn: aFrame(random, world), nr_ents: aFrame(random, world) };
  }
}

/** Extents to give up or to get, and for `XENMEM_exchange` those that come in their place. */
function reservation(random: Random, world: AttackWorld, scratch: number): Given {
  const source = {
    extent_start: BigInt(scratch + EXTENTS),
    nr_extents: number(random, 2) + 1n,
    extent_order: number32(random, 1),
    mem_flags: 0,
    domid: SELF,
  };
  const out = { ...source, extent_start: BigInt(scratch + EXTENTS + 16) };
  const given = { in: source, out: random.below(8) === 0 ? { ...out, nr_extents: 1n } : out };
  const frames = longs(aFrame(random, world), aFrame(random, world));
  const places = longs(number(random, 4096), number(random, 4096));
  return parts(
    CALL_SCRATCH_BYTES / 2,
    [0, (model) => xen_memory_exchange.toBytes(given, model)],
    [EXTENTS, frames],
    [EXTENTS + 16, places],
  );
}

function memoryGiven(random: Random, world: AttackWorld, scratch: number, command: number): Given {
  switch (command) {
    case XENMEM.memory_map:
      return structs(xen_memory_map, {
        nr_entries: number32(random, 3),
        buffer: place(random, scratch + BUFFER),
      });
    case XENMEM.current_reservation:
    case XENMEM.maximum_reservation:
    case XENMEM.maximum_gpfn:
      return words64(BigInt(random.below(4) === 0 ? world.accomplice.domain.id : SELF));
    default:
      return reservation(random, world, scratch);
  }
}

/** Operations whose answer is how many extents were done. */
const COUNTED: ReadonlySet<number> = new Set([
  XENMEM.increase_reservation,
  XENMEM.decrease_reservation,
  XENMEM.populate_physmap,
]);

const memory: Rule = (random, world, scratch) => {
  const command = anOperation(random, "memory_op");
  const given = memoryGiven(random, world, scratch, command);
  const made = simple(["memory_op", command, place(random, scratch)], given, command);
  if (!COUNTED.has(command)) return made;
  return {
    ...made,
    succeeded: (result, bytes) => result > 0n ? made.succeeded(result, bytes) : [],
  };
};

/** Half of them take mappings away, so that frames become free for other uses. */
const mapping: Rule = (random, world) => {
  const entry = random.below(2) === 0 ? 0n : anEntry(random, world);
  return simple(["update_va_mapping", anAddress(random), entry, number(random, 8)]);
};

const updates: Rule = (random, world, scratch) => {
  const entries = Array.from({ length: 1 + random.below(MAX_ENTRIES) }, () => {
    const place = aFrame(random, world) << 12n | number(random, 4096);
    return [place, anEntry(random, world)] as const;
  });
  const commands = entries.map(([place]) => Number(place & 3n));
  return batch(random, scratch, "mmu_update", commands, words64(...entries.flat()));
};

const extended: Rule = (random, world, scratch) => {
  const entries = Array.from(
    { length: 1 + random.below(MAX_ENTRIES) },
    () => extendedOperation(random, world),
  );
  const commands = entries.map(({ cmd }) => cmd);
  return batch(random, scratch, "mmuext_op", commands, structs(mmuext_op, ...entries));
};

/** Rules by how often they are taken. */
export const MEMORY_RULES: readonly (readonly [weight: number, rule: Rule])[] = [
  [3, mapping],
  [3, updates],
  [4, extended],
  [2, memory],
  [1, (random, world) => {
    const address = aFrame(random, world) << 12n | number(random, 4096);
    return simple(["update_descriptor", address, number(random, 1)], NOTHING);
  }],
  [1, (random, world, scratch) => {
    const frames = longs(aFrame(random, world), aFrame(random, world));
    return simple(["set_gdt", place(random, scratch), number(random, 3) * 300n], frames);
  }],
];
