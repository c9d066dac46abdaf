/**
 * What x87 instructions share: the register stack, pending exceptions, stack faults, 80-bit operands.
 *
 * ```text
 * fpr, fpr1 ... fpr7   physical registers; ST(n) is number (TOP + n) modulo 8
 * fpuTags              bit n set: physical register n is empty
 * fpuStatus            status word without TOP; ES and B always agree with flags and masks
 * ```
 *
 * FIP is kept by every non-control instruction; FDP and FOP change with unmasked exceptions alone, and FCS and FDS
 * are zero, as CPUID.7.EBX bits 6 and 13 say.
 *
 * @deviation CPU models without the features fdp-excptn-only and zero-fcs-fds keep the x87 pointers in the same way; SDM
 * vol. 1, "x87 FPU Instruction and Data (Operand) Pointers".
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { Bool, I64 } from "../ir/ir.ts";
import { Cr0, Exception } from "../state/bits.ts";
import { X87Status } from "../system/x87_calls.ts";

/** The unit's state at the start of an instruction. */
export interface X87 {
  readonly status: I64;
  readonly top: I64;
  readonly tags: I64;
}

/** A number in a register: bits 63..0, and sign (bit 15) with the biased exponent. */
export interface Extended {
  readonly significand: I64;
  readonly signExponent: I64;
}

/** Real indefinite, the masked response to stack faults. */
export const INDEFINITE = { significand: 0xc000000000000000n, signExponent: 0xffff } as const;

const C1 = X87Status.C1;
const ALL_BUT_C1 = 0xffff & ~C1;
/** Offset of the upper 16 bits in an 80-bit memory operand. */
const UPPER = 8;

/**
 * Starts a waiting instruction: raises #MF if an unmasked exception is pending.
 *
 * @deviation With CR0.NE clear a pending x87 exception raises nothing, since FERR# and IRQ 13 are not wired; SDM
 * vol. 1, "MS-DOS Compatibility Sub-mode".
 */
export function openX87(o: Builder): X87 {
  const status = o.field("fpuStatus");
  o.if(o.isNonzero(o.and(status, o.const(X87Status.ES))), () => {
    o.if(o.isNonzero(o.and(o.field("cr0"), o.const(Cr0.NE))), () => o.raise(Exception.MF));
  });
  return { status, top: o.field("fpuTop"), tags: o.field("fpuTags") };
}

/** The physical register that is ST(n). */
export function physical(o: Builder, x: X87, n: number | I64): I64 {
  const number = typeof n === "number" ? o.const(n) : n;
  if (number === o.const(0)) return x.top;
  return o.and(o.add(x.top, number), o.const(7));
}

/** Whether a physical register is empty. */
export function isEmpty(o: Builder, x: X87, register: I64): Bool {
  return o.isNonzero(o.and(o.shr(x.tags, register), o.const(1)));
}

/** Whether all of some conditions hold. */
export function allOf(o: Builder, ...conditions: Bool[]): Bool {
  return conditions.reduce((all, condition) => o.bothOf(all, condition));
}

/** The number in a physical register. */
export function readRegister(o: Builder, register: I64): Extended {
  return {
    significand: o.fprSignificand(register),
    signExponent: o.fprSignExponent(register),
  };
}

/** The constant real indefinite. */
export function indefinite(o: Builder): Extended {
  return {
    significand: o.const(INDEFINITE.significand),
    signExponent: o.const(INDEFINITE.signExponent),
  };
}

/** Fills a physical register whose tag says that it holds a number already. */
export function overwrite(o: Builder, register: I64, value: Extended): void {
  o.setFprParts(register, value.significand, value.signExponent);
}

/** Fills a physical register that may be empty, and pops the stack if `pops`. */
export function fill(o: Builder, x: X87, register: I64, value: Extended, pops: boolean): void {
  overwrite(o, register, value);
  const filled = o.and(x.tags, o.not(o.shl(o.const(1), register)));
  if (pops) popFrom(o, x, filled);
  else o.setField("fpuTags", filled);
}

/** Pushes a number, whether or not there is room. */
export function push(o: Builder, x: X87, value: Extended): void {
  const register = physical(o, x, -1);
  fill(o, x, register, value, false);
  o.setField("fpuTop", register);
}

/** Empties ST(0) and moves the top. */
export function pop(o: Builder, x: X87): void {
  popFrom(o, x, x.tags);
}

/** Empties ST(0) and ST(1) and moves the top by two. */
export function popTwice(o: Builder, x: X87): void {
  const next = physical(o, x, 1);
  const one = o.const(1);
  const emptied = o.or(o.shl(one, x.top), o.shl(one, next));
  o.setField("fpuTags", o.or(x.tags, emptied));
  o.setField("fpuTop", physical(o, x, 2));
}

function popFrom(o: Builder, x: X87, tags: I64): void {
  o.setField("fpuTags", o.or(tags, o.shl(o.const(1), x.top)));
  o.setField("fpuTop", physical(o, x, 1));
}

/** The status word with C1 clear: what most instructions that raise nothing leave. */
export function withoutC1(o: Builder, x: X87): I64 {
  return o.and(x.status, o.const(ALL_BUT_C1));
}

/** Ends a non-control instruction that raised nothing beyond what `status` says; by default C1 is cleared. */
export function finish(o: Builder, x: X87, status: I64 = withoutC1(o, x)): void {
  o.setField("fpuStatus", status);
  recordInstruction(o);
}

/** Sets FIP. */
export function recordInstruction(o: Builder): void {
  o.setField("fpuIp", o.currentIp());
}

/** Reports a stack fault (`overflow` is 1 or 0); runs `masked` if it is masked. */
export function stackFault(
  o: Builder,
  overflow: I64,
  masked: () => void,
  address?: I64,
): void {
  const isMasked = address
    ? o.system("x87MemoryStackFault", overflow, address)
    : o.system("x87StackFault", overflow);
  o.if(o.isNonzero(isMasked), masked);
}

// ---- 80-bit operands ----

/** The address of bits 79..64; flat 32-bit addresses wrap. */
function upperAddress(o: Builder, address: I64): I64 {
  const sum = o.add(address, o.const(UPPER));
  return o.form.access === "flat" ? o.zext(sum, 32) : sum;
}

/** Loads an 80-bit operand. */
export function loadExtended(o: Builder, operand: Operand): Extended {
  const address = o.address(operand);
  const significand = o.load("operand", address, 64);
  return { significand, signExponent: o.load("operand", upperAddress(o, address), 16) };
}

/** Faults as a store to an 80-bit operand would. */
export function probeExtended(o: Builder, operand: Operand): void {
  const address = o.address(operand);
  o.loadForWrite("operand", address, 64);
  o.loadForWrite("operand", upperAddress(o, address), 16);
}

/** Stores an 80-bit operand, all of it or (with a fault) nothing. */
export function storeExtended(o: Builder, operand: Operand, value: Extended): void {
  const address = o.address(operand);
  // Only if the halves lie in different pages, or a limit between them, can the second fault alone.
  if (o.form.access === "long" || o.form.access === "flat") {
    const inPage = o.and(address, o.const(0xfff));
    o.if(o.ltU(o.const(0x1000 - UPPER - 2), inPage), () => probeExtended(o, operand));
  } else probeExtended(o, operand);
  storeHalves(o, operand, value);
}

/** Stores an 80-bit operand that was probed. */
export function storeHalves(o: Builder, operand: Operand, value: Extended): void {
  const address = o.address(operand);
  o.store("operand", address, 64, value.significand);
  o.store("operand", upperAddress(o, address), 16, value.signExponent);
}
