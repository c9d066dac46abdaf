/** What calls of the grammar are made of: numbers and addresses that are mostly sensible, and often wrong in one place. */

import type { HypercallName } from "../../core/abi/hypercalls.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { type Call, type Given, words64 } from "../conformance/hypervisor/abi_guest.ts";
import { type AttackWorld, playAddress } from "./hypercall_world.ts";
import { operationName, OPERATIONS } from "./hypercall_operations.ts";
import type { Random } from "./softfloat_operands.ts";

export const SELF = 0x7ff0;
/** No hypercall has sub-operations from here on; `memory_op` has six bits for them. */
const UNKNOWN = 40;
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

/** One call of the grammar, what lies in its scratch memory, and what became of it. */
export interface GeneratedCall {
  readonly call: Call;
  readonly given: Given;
  /** Names of the sub-operations that succeeded, out of the result and the scratch memory afterwards. */
  succeeded(result: bigint, memory: Uint8Array): readonly string[];
}

/** Makes a call whose structures lie at `scratch`. */
export type Rule = (random: Random, world: AttackWorld, scratch: number) => GeneratedCall;

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)];
}

/** Mostly a frame of the guest. */
export function aFrame(random: Random, world: AttackWorld): bigint {
  return random.below(12) === 0 ? pick(random, BAD_FRAMES) : BigInt(world.frame(random));
}

/** Mostly a page of the part of the initial mapping that the grammar plays with. */
export function anAddress(random: Random): bigint {
  return random.below(12) === 0 ? pick(random, BAD_ADDRESSES) : playAddress(random);
}

/** A page-table entry: absent, readable, writable, or with flags that may be wrong. */
export function anEntry(random: Random, world: AttackWorld): bigint {
  const flags = pick(random, [0n, 1n, 1n, 3n, 3n, 7n, 0x63n, 0x9bn, BigInt(random.below(4096))]);
  const high = random.below(8) === 0 ? 1n << 63n : 0n;
  return aFrame(random, world) << 12n | flags | high;
}

/** Where the structures are, or sometimes a place where they are not. */
export function place(random: Random, scratch: number): bigint {
  return random.below(16) === 0 ? pick(random, BAD_ADDRESSES) : BigInt(scratch);
}

export function number(random: Random, limit: number): bigint {
  return random.below(10) === 0 ? BigInt(random.below(0x1_0000_0000)) : BigInt(random.below(limit));
}

export function number32(random: Random, limit: number): number {
  return Number(number(random, limit));
}

/** The domain itself, the one that helps, or any other. */
export function aDomain(random: Random, { accomplice }: AttackWorld): number {
  const kind = random.below(16);
  return kind === 0 ? random.below(8) : kind < 6 ? SELF : accomplice.domain.id;
}

/** A sub-operation of a hypercall: one that exists, seldom one that does not. */
export function anOperation(
  random: Random,
  hypercall: HypercallName,
  without: readonly number[] = [],
): number {
  if (random.below(24) === 0) return UNKNOWN + random.below(16);
  const usual = Object.values(OPERATIONS[hypercall]!).filter((value) => !without.includes(value));
  return pick(random, usual);
}

export const NOTHING: Given = words64();

/** A call that succeeds as a whole; `number` is its sub-operation. */
export function simple(call: Call, given: Given = NOTHING, number?: number): GeneratedCall {
  const name = operationName(call[0], number);
  return { call, given, succeeded: (result) => result < 0n ? [] : [name] };
}

/** `value` in a structure's bytes at `offset`. */
export function u32At(memory: Uint8Array, offset: number): number {
  return new DataView(memory.buffer, memory.byteOffset).getUint32(offset, true);
}

/** What lies at several places of the scratch memory. */
export function parts(sizeBytes: number, ...placed: readonly (readonly [number, Given])[]): Given {
  return (model: DataModel) => {
    const bytes = new Uint8Array(sizeBytes);
    for (const [offset, given] of placed) bytes.set(given(model), offset);
    return bytes;
  };
}
