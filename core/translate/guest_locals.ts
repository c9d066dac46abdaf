/**
 * The parts of the CPU state that a region keeps in locals: general registers, flag sources, XMM registers, and a few
 * fields that many instructions ask for. All are loaded when the region is entered and stored when it is left.
 *
 * Outside 64-bit code nothing touches bits 63..32 of a general register: they stay in the state, and the local holds the
 * rest, so that a write of 32 bits need not keep them.
 */

import type { WasmType } from "../lib/wasm/opcodes.ts";
import type { FunctionWriter } from "../lib/wasm/writer.ts";
import type { PlaceWidth } from "../x86/ir/ir.ts";
import { CPU } from "../x86/cold/handler_code.ts";
import {
  type FieldName,
  GENERAL_REGISTERS,
  offsetOf,
  STATE_FIELDS,
  xmmOffset,
} from "../x86/state/layout.ts";

const GENERAL_BYTES = GENERAL_REGISTERS.length * 8;
const XMM = xmmOffset(0);
const XMM_BYTES = 16 * 16;

/** Fields of their own that are kept in locals. */
const FIELDS: readonly FieldName[] = [
  "zeroSource",
  "signSource",
  "carrySource",
  "flags",
  "cpl",
  "mxcsr",
  "sseTrap",
  "x87Trap",
  "mmxTrap",
  "fpuControl",
  "fpuStatus",
  "fpuTop",
  "fpuTags",
  "fsBase",
  "gsBase",
  "codeLast",
];
const FIELD_OFFSETS = new Set(FIELDS.map(offsetOf));
const NARROW = new Set(
  FIELDS.filter((name) => STATE_FIELDS.get(name)!.type === "u32").map(offsetOf),
);

/** One part of the state in a local. */
export interface GuestLocal {
  /** Its offset in the state. */
  readonly offset: number;
  readonly type: WasmType;
  /** It has 32 bits in the state, and is kept zero-extended. */
  readonly narrow: boolean;
  readonly local: number;
  written: boolean;
}

/** Where a local that holds the byte at `offset` of the state starts; -1 if it is left in memory. */
export function homeOf(offset: number): number {
  if (offset < GENERAL_BYTES) return offset & ~7;
  if (offset >= XMM && offset < XMM + XMM_BYTES) return XMM + ((offset - XMM) & ~15);
  return FIELD_OFFSETS.has(offset) ? offset : -1;
}

/** The locals of one region. */
export class GuestLocals {
  readonly #byHome = new Map<number, GuestLocal>();

  /** `long`: the region is of 64-bit code. */
  constructor(private readonly code: FunctionWriter, private readonly long: boolean) {}

  /** Takes note that the region uses the part that starts at `home`. */
  use(home: number, written: boolean): void {
    let found = this.#byHome.get(home);
    if (!found) {
      const type = home >= XMM && home < XMM + XMM_BYTES ? "v128" : "i64";
      found = {
        offset: home,
        type,
        narrow: NARROW.has(home) || (!this.long && home < GENERAL_BYTES),
        local: this.code.local(type),
        written: false,
      };
      this.#byHome.set(home, found);
    }
    found.written ||= written;
  }

  at(home: number): GuestLocal {
    return this.#byHome.get(home)!;
  }

  /** The locals of flag sources and registers that exist. */
  get all(): Iterable<GuestLocal> {
    return this.#byHome.values();
  }

  load(): void {
    const { code } = this;
    for (const { offset, type, narrow, local } of this.all) {
      code.get(CPU);
      code.memory(type === "v128" ? "v128.load" : narrow ? "i64.load32_u" : "i64.load", offset);
      code.set(local);
    }
  }

  store(): void {
    const { code } = this;
    for (const { offset, type, narrow, local, written } of this.all) {
      if (!written) continue;
      code.get(CPU);
      code.get(local);
      code.memory(type === "v128" ? "v128.store" : narrow ? "i64.store32" : "i64.store", offset);
    }
  }

  /** Pushes `width` bits at `offset`, zero-extended. */
  push(offset: number, width: PlaceWidth): void {
    const { code } = this;
    const home = this.at(homeOf(offset));
    const byte = offset - home.offset;
    code.get(home.local);
    if (home.type === "v128") return this.#pushLane(byte, width);
    if (byte > 0) {
      code.i64(BigInt(8 * byte));
      code.op("i64.shr_u");
    }
    if (width >= (home.narrow ? 32 : 64)) return;
    code.i64((1n << BigInt(width)) - 1n);
    code.op("i64.and");
  }

  #pushLane(byte: number, width: PlaceWidth): void {
    const { code } = this;
    switch (width) {
      case 128:
        return;
      case 64:
        return code.lane("i64x2.extract_lane", byte >> 3);
      case 32:
        code.lane("i32x4.extract_lane", byte >> 2);
        return code.op("i64.extend_i32_u");
      case 16:
        code.lane("i16x8.extract_lane_u", byte >> 1);
        return code.op("i64.extend_i32_u");
      case 8:
        code.lane("i8x16.extract_lane_u", byte);
        return code.op("i64.extend_i32_u");
    }
  }

  /** Sets `width` bits at `offset` to the value that `push` pushes. */
  set(offset: number, width: PlaceWidth, push: () => void): void {
    const { code } = this;
    const home = this.at(homeOf(offset));
    const byte = offset - home.offset;
    if (home.type === "v128") {
      if (width !== 128) code.get(home.local);
      push();
      this.#replaceLane(byte, width);
    } else if (home.narrow && width >= 32) {
      push();
      code.i64(0xffffffffn);
      code.op("i64.and");
    } else if (width === 64) {
      push();
    } else {
      const mask = (1n << BigInt(width)) - 1n;
      code.get(home.local);
      code.i64(~(mask << BigInt(8 * byte)));
      code.op("i64.and");
      push();
      code.i64(mask);
      code.op("i64.and");
      if (byte > 0) {
        code.i64(BigInt(8 * byte));
        code.op("i64.shl");
      }
      code.op("i64.or");
    }
    code.set(home.local);
  }

  #replaceLane(byte: number, width: PlaceWidth): void {
    const { code } = this;
    switch (width) {
      case 128:
        return;
      case 64:
        return code.lane("i64x2.replace_lane", byte >> 3);
      case 32:
        code.op("i32.wrap_i64");
        return code.lane("i32x4.replace_lane", byte >> 2);
      case 16:
        code.op("i32.wrap_i64");
        return code.lane("i16x8.replace_lane", byte >> 1);
      case 8:
        code.op("i32.wrap_i64");
        return code.lane("i8x16.replace_lane", byte);
    }
  }
}
