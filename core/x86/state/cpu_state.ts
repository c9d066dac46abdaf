/** Access to one CPU's state by field name, from TypeScript. */

import {
  type Field,
  type FieldName,
  type NarrowField,
  STATE_FIELDS,
  STATE_SIZE_BYTES,
  type WideField,
} from "./layout.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../lib/snapshot.ts";

type Accessors = { -readonly [F in NarrowField]: number } & { -readonly [F in WideField]: bigint };

/**
 * One CPU's state. Each 32-bit field is a property of type `number` (unsigned), each 64-bit field one
 * of type `bigint` (unsigned). Hot code reads the two halves of a 64-bit field by {@link low},
 * {@link high} and {@link setHalves} instead, which allocate nothing.
 */
export type CpuState = StateView & Accessors;

class StateView implements Snapshot {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;

  /** `base` is the linear offset of the CPU's area in `buffer`, a multiple of 64. */
  constructor(buffer: ArrayBufferLike, readonly base: number) {
    this.u8 = new Uint8Array(buffer, base, STATE_SIZE_BYTES);
    this.u16 = new Uint16Array(buffer, base, STATE_SIZE_BYTES >> 1);
    this.u32 = new Uint32Array(buffer, base, STATE_SIZE_BYTES >> 2);
    this.i32 = new Int32Array(buffer, base, STATE_SIZE_BYTES >> 2);
    this.u64 = new BigUint64Array(buffer, base, STATE_SIZE_BYTES >> 3);
  }

  /** Bits 31..0 of the field at `offset`, signed. */
  low(offset: number): number {
    return this.i32[offset >> 2];
  }

  /** Bits 63..32 of the field at `offset`, signed. */
  high(offset: number): number {
    return this.i32[(offset >> 2) + 1];
  }

  /** Writes both halves of the 64-bit field at `offset`. */
  setHalves(offset: number, low: number, high: number): void {
    this.i32[offset >> 2] = low;
    this.i32[(offset >> 2) + 1] = high;
  }

  /** The 128 bits at `offset`. */
  get128(offset: number): bigint {
    return this.u64[offset >> 3] | (this.u64[(offset >> 3) + 1] << 64n);
  }

  /** Writes the 128 bits at `offset`. */
  set128(offset: number, value: bigint): void {
    this.u64[offset >> 3] = value;
    this.u64[(offset >> 3) + 1] = value >> 64n;
  }

  save(): SnapshotRecord {
    const state: Record<string, bigint | number> = {};
    for (const field of STATE_FIELDS.values()) state[field.name] = this.#get(field);
    return { kind: "x86.state", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "x86.state", 1);
    for (const field of STATE_FIELDS.values()) {
      this.#set(field, state[field.name] as number | bigint);
    }
  }

  #get({ type, offset }: Field): number | bigint {
    if (type === "u32") return this.u32[offset >> 2];
    return type === "i64" ? this.u64[offset >> 3] : this.get128(offset);
  }

  #set({ type, offset }: Field, value: number | bigint): void {
    if (type === "u32") this.u32[offset >> 2] = value as number;
    else if (type === "i64") this.u64[offset >> 3] = value as bigint;
    else this.set128(offset, value as bigint);
  }
}

function defineAccessor(name: FieldName, { type, offset }: Field): void {
  const index = type === "u32" ? offset >> 2 : offset >> 3;
  Object.defineProperty(
    StateView.prototype,
    name,
    type === "u32"
      ? {
        get(this: StateView) {
          return this.u32[index];
        },
        set(this: StateView, value: number) {
          this.u32[index] = value;
        },
      }
      : {
        get(this: StateView) {
          return this.u64[index];
        },
        set(this: StateView, value: bigint) {
          this.u64[index] = value;
        },
      },
  );
}

for (const [name, field] of STATE_FIELDS) {
  if (field.type !== "v128") defineAccessor(name, field);
}

/** Opens the state of the CPU whose area starts at linear offset `base` of `buffer`. */
export function openCpuState(buffer: ArrayBufferLike, base: number): CpuState {
  return new StateView(buffer, base) as CpuState;
}
