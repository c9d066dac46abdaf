/** From a candidate to bytes: prefixes, REX, opcode, ModRM, SIB, displacement, immediates. */

import type { OperandSpec } from "../decode/encoding.ts";
import type { Bits, Candidate, WrittenPrefixes } from "./candidates.ts";
import { evaluate, type Expression, type Scope } from "./expression.ts";
import type { Operand } from "./operand.ts";

/** Where an instruction stands and what its labels are. */
export interface Place {
  readonly bits: Bits;
  readonly prefixes: WrittenPrefixes;
  readonly scope: Scope;
  /** Length of the instruction, from which relative fields count. */
  readonly lengthBytes: number;
}

/**
 * The bytes of `candidate`, or `null` if a value does not fit its field. Values that are not known yet count
 * as fitting.
 */
export function encode(candidate: Candidate, place: Place): number[] | null {
  const tail = encodeTail(candidate, place);
  if (!tail) return null;
  const head = encodeHead(candidate, place);
  return head && [...head, ...tail];
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Everything up to the opcode. */
function encodeHead(candidate: Candidate, { prefixes, bits }: Place): number[] | null {
  const { spelling: { encoding, wait }, operandPrefix, addressPrefix, address } = candidate;
  const bytes: number[] = wait ? [0x9b] : [];
  if (prefixes.lock) bytes.push(0xf0);
  if (prefixes.repeat !== 0) bytes.push(prefixes.repeat);
  const segment = address?.operand.segment;
  if (segment) bytes.push(SEGMENT_PREFIXES[segment.number]);
  else if (prefixes.segment !== 0) bytes.push(prefixes.segment);
  if (addressPrefix) bytes.push(0x67);
  if (operandPrefix) bytes.push(0x66);
  if (encoding.prefix === "F2") bytes.push(0xf2);
  if (encoding.prefix === "F3") bytes.push(0xf3);
  const rex = encodeRex(candidate);
  if (rex === null || (rex !== 0 && bits !== 64)) return null;
  if (rex !== 0) bytes.push(rex);
  if (encoding.map > 0) bytes.push(0x0f);
  if (encoding.map > 1) bytes.push(encoding.map === 2 ? 0x38 : 0x3a);
  bytes.push(encoding.opcode);
  return bytes;
}

/** The REX byte, 0 if none is needed, `null` if one is needed but must not be there. */
function encodeRex({ spelling: { encoding }, operands, rexW, address }: Candidate): number | null {
  let rex = rexW ? 0x48 : 0;
  let isForbidden = false;
  operands.forEach((operand, i) => {
    if (operand.kind !== "register") return;
    const { register } = operand;
    if (register.rex === "needed") rex |= 0x40;
    if (register.rex === "forbidden") isForbidden = true;
    if (register.number > 7) rex |= isRegField(encoding.operands[i]) ? 0x44 : 0x41;
  });
  if (address?.rexX) rex |= 0x42;
  if (address?.rexB) rex |= 0x41;
  return rex !== 0 && isForbidden ? null : rex;
}

/** Operands that ModRM.reg encodes. */
function isRegField({ source }: OperandSpec): boolean {
  return "GVPCD".includes(source);
}

/** ModRM, SIB, displacement and immediates. */
function encodeTail(candidate: Candidate, place: Place): number[] | null {
  const { spelling, operands, address } = candidate;
  const { encoding } = spelling;
  const bytes: number[] = [];
  if (encoding.hasModrm) bytes.push(encodeModrm(candidate));
  if (address && address.sib >= 0) bytes.push(address.sib);
  if (address && address.displacementBits > 0) {
    const { displacement } = address.operand;
    const field = address.ripRelative
      ? relative(displacement, place, 64)
      : signExtended(known(displacement, place.scope), address.displacementBits, address.widthBits);
    if (field === null || (address.ripRelative && !isSigned(field, 32))) return null;
    push(bytes, field, address.displacementBits);
  } else if (address) {
    if (evaluate(address.operand.displacement, place.scope) ?? 0n) return null;
  }
  for (let i = 0; i < operands.length; i++) {
    const field = immediateField(operands[i], encoding.operands[i], candidate, place);
    if (field === null) return null;
    bytes.push(...field);
  }
  return bytes;
}

function encodeModrm({ spelling, operands, address }: Candidate): number {
  const { encoding } = spelling;
  let reg = Math.max(encoding.digit, spelling.digit, 0);
  let rm = address?.rm ?? 0;
  operands.forEach((operand, i) => {
    if (operand.kind !== "register") return;
    const { source } = encoding.operands[i];
    const number = operand.register.number & 7;
    if (isRegField(encoding.operands[i])) reg = number;
    else if ("ERWUQN".includes(source) || source === "ST") rm = number;
  });
  if (encoding.modrm >= 0) return encoding.modrm + (encoding.modrmCount > 1 ? rm : 0);
  return ((address?.mod ?? 3) << 6) | (reg << 3) | rm;
}

/** The bytes of an operand behind the address; none for registers and memory. */
function immediateField(
  operand: Operand,
  spec: OperandSpec,
  { operandBits }: Candidate,
  place: Place,
): number[] | null {
  const bytes: number[] = [];
  if (operand.kind === "far") {
    const offset = known(operand.offset, place.scope);
    const selector = known(operand.selector, place.scope);
    if (!isEither(offset, operandBits) || !isEither(selector, 16)) return null;
    push(bytes, offset, operandBits);
    push(bytes, selector, 16);
    return bytes;
  }
  if (operand.kind !== "immediate") return bytes;
  if (spec.source === "constant") {
    const value = evaluate(operand.value, place.scope);
    return value === undefined || value === BigInt(spec.number) ? bytes : null;
  }
  const zBits = Math.min(operandBits, 32);
  if (spec.source === "J") {
    const width = spec.size === "b" ? 8 : zBits;
    const field = relative(operand.value, place, operandBits);
    if (!isSigned(field, width)) return null;
    push(bytes, field, width);
    return bytes;
  }
  const value = known(operand.value, place.scope);
  const width = immediateBits(spec, operandBits);
  const field = spec.size === "bs" || spec.size === "z"
    ? signExtended(value, width, operandBits)
    : isEither(value, width)
    ? value
    : null;
  if (field === null) return null;
  push(bytes, field, width);
  return bytes;
}

/** Width of an immediate's field. */
function immediateBits({ size }: OperandSpec, operandBits: number): number {
  switch (size) {
    case "v":
      return operandBits;
    case "z":
      return Math.min(operandBits, 32);
    case "w":
      return 16;
    default:
      return 8;
  }
}

/** A value, or 0 as long as it is not known: what is not known fits the shortest field. */
function known(expression: Expression, scope: Scope): bigint {
  return evaluate(expression, scope) ?? 0n;
}

/** The distance from the end of the instruction to `target`, in `widthBits`-bit arithmetic. */
function relative(target: Expression, { scope, lengthBytes }: Place, widthBits: number): bigint {
  const value = evaluate(target, scope);
  if (value === undefined) return 0n;
  return BigInt.asIntN(widthBits, value - (scope.here + BigInt(lengthBytes)));
}

/** `value` as a field that is sign-extended from `fromBits` to `toBits`, or `null` if it does not fit. */
function signExtended(value: bigint, fromBits: number, toBits: number): bigint | null {
  const wrapped = BigInt.asIntN(toBits, value);
  return isEither(value, toBits) && isSigned(wrapped, fromBits) ? wrapped : null;
}

function isSigned(value: bigint, widthBits: number): boolean {
  return BigInt.asIntN(widthBits, value) === value;
}

/** Whether `value` is a number of `widthBits` bits with or without sign. */
function isEither(value: bigint, widthBits: number): boolean {
  return isSigned(value, widthBits) || BigInt.asUintN(widthBits, value) === value;
}

function push(bytes: number[], value: bigint, widthBits: number): void {
  for (let shift = 0; shift < widthBits; shift += 8) {
    bytes.push(Number((value >> BigInt(shift)) & 0xffn));
  }
}
