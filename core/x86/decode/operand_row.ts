/** Operands of an encoding as the decoder reads them: what is known before any byte is read. */

import { fprOffset, registerOffset, xmmOffset } from "../state/layout.ts";
import type { OperandSource, OperandSpec } from "./encoding.ts";
import type { Decoded } from "./decoded.ts";
import { readAbsoluteAddress } from "./addressing.ts";
import type { InstructionReader } from "./reader.ts";

/** How an operand is read. */
const Read = {
  /** There is nothing to read: memory of the ModRM byte, a constant. */
  nothing: 0,
  /** A register that the encoding names: its offset is `offset`. */
  fixed: 1,
  /** General registers by ModRM.reg, ModRM.rm and the opcode's low bits. */
  generalReg: 2,
  generalRm: 3,
  generalOpcode: 4,
  xmmReg: 5,
  xmmRm: 6,
  mmxReg: 7,
  mmxRm: 8,
  /** Numbers of registers that are no operands in the state. */
  segmentNumber: 9,
  controlNumber: 10,
  debugNumber: 11,
  stackNumber: 12,
  /** A memory operand that is an address alone. */
  absolute: 13,
  farPointer: 14,
  unsignedByte: 15,
  signedByte: 16,
  word: 17,
  /** Of the operand size. */
  operandSize: 18,
  /** Of the operand size, but at most 32 bits, sign-extended. */
  atMost32: 19,
} as const;

type ReadKind = (typeof Read)[keyof typeof Read];

/** One operand. */
export interface OperandRow {
  readonly read: ReadKind;
  /** A general register of 8 bits: without REX, numbers 4 to 7 are AH, CH, DH, BH. */
  readonly byte: boolean;
  readonly offset: number;
}

/** Works out an operand of an encoding whose operand size is 8 if `isByte`, for memory or mod 3. */
export function operandRow(spec: OperandSpec, isByte: boolean, mod3: boolean): OperandRow {
  const ofOperandSize = spec.size === "v" || spec.size === "bs" || spec.size === "z";
  return {
    read: readKind(spec, mod3),
    byte: spec.size === "b" || (isByte && ofOperandSize),
    offset: spec.number === 32 ? xmmOffset(0) : registerOffset(spec.number),
  };
}

function readKind({ source, size }: OperandSpec, mod3: boolean): ReadKind {
  switch (source) {
    case "E":
      return mod3 ? Read.generalRm : Read.nothing;
    case "W":
      return mod3 ? Read.xmmRm : Read.nothing;
    case "Q":
      return mod3 ? Read.mmxRm : Read.nothing;
    case "M":
    case "constant":
      return Read.nothing;
    case "G":
      return Read.generalReg;
    case "R":
      return Read.generalRm;
    case "Z":
      return Read.generalOpcode;
    case "V":
      return Read.xmmReg;
    case "U":
      return Read.xmmRm;
    case "P":
      return Read.mmxReg;
    case "N":
      return Read.mmxRm;
    case "fixed":
      return Read.fixed;
    case "S":
      return Read.segmentNumber;
    case "C":
      return Read.controlNumber;
    case "D":
      return Read.debugNumber;
    case "ST":
      return Read.stackNumber;
    case "O":
      return Read.absolute;
    case "A":
      return Read.farPointer;
    case "I":
    case "J":
      break;
  }
  if (size === "b") return source === "J" ? Read.signedByte : Read.unsignedByte;
  if (size === "bs") return Read.signedByte;
  if (size === "w") return Read.word;
  return size === "v" ? Read.operandSize : Read.atMost32;
}

/** Operands that are memory where they are no register. */
export function isMemorySource(source: OperandSource): boolean {
  return source === "E" || source === "M" || source === "W" || source === "Q";
}

/** Control and debug registers that exist, as bits. */
const CONTROL_REGISTERS = 0b1_0001_1101;
const DEBUG_REGISTERS = 0b1111_1111;

/** The state offset of the operand if it is a register, else -1. */
export function registerOf(row: OperandRow, reader: InstructionReader, opcode: number): number {
  const { rex, modrm } = reader;
  const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const rm = (modrm & 7) | ((rex & 1) << 3);
  switch (row.read) {
    case Read.fixed:
      return row.offset;
    case Read.generalReg:
      return general(reg, row.byte, rex);
    case Read.generalRm:
      return general(rm, row.byte, rex);
    case Read.generalOpcode:
      return general((opcode & 7) | ((rex & 1) << 3), row.byte, rex);
    case Read.xmmReg:
      return XMM + 16 * reg;
    case Read.xmmRm:
      return XMM + 16 * rm;
    case Read.mmxReg:
      return FPR + 16 * (reg & 7);
    case Read.mmxRm:
      return FPR + 16 * (rm & 7);
    default:
      return -1;
  }
}

/** Whether the operand is a number or an address, which {@link readNumbers} reads. */
export function isNumber({ read }: OperandRow): boolean {
  return read >= Read.segmentNumber;
}

/** Bytes of the immediate that {@link readNumbers} reads for operand `row`, and whether they are signed; null if that does not say all. */
export function immediateShape(
  { read }: OperandRow,
  width: number,
): { readonly bytes: number; readonly signed: boolean } | null {
  switch (read) {
    case Read.segmentNumber:
    case Read.controlNumber:
    case Read.debugNumber:
    case Read.stackNumber:
      return { bytes: 0, signed: false };
    case Read.unsignedByte:
      return { bytes: 1, signed: false };
    case Read.signedByte:
      return { bytes: 1, signed: true };
    case Read.word:
      return { bytes: 2, signed: false };
    case Read.operandSize:
      return { bytes: width >> 3, signed: true };
    case Read.atMost32:
      return { bytes: Math.min(width, 32) >> 3, signed: true };
    default:
      return null;
  }
}

/** Reads the operands that are numbers or addresses into `into`; false if one of them does not exist. */
export function readNumbers(
  reader: InstructionReader,
  into: Decoded,
  rows: readonly OperandRow[],
  width: number,
  addressWidth: 16 | 32 | 64,
): boolean {
  let immediates = 0;
  for (let i = 0; i < rows.length; i++) {
    const { read } = rows[i];
    let low = 0;
    let high = 0;
    switch (read) {
      case Read.absolute:
        readAbsoluteAddress(reader, into, addressWidth);
        continue;
      case Read.segmentNumber:
      case Read.controlNumber:
      case Read.debugNumber:
      case Read.stackNumber:
        low = registerNumber(read, reader);
        if (low < 0) return false;
        break;
      case Read.farPointer:
        low = width === 16 ? reader.word() : reader.doubleword();
        into.immediate2 = reader.word();
        break;
      case Read.unsignedByte:
        low = reader.byte();
        break;
      case Read.signedByte:
        low = reader.signedByte();
        high = low >> 31;
        break;
      case Read.word:
        low = reader.word();
        break;
      case Read.operandSize:
      case Read.atMost32:
        low = signed(reader, width);
        high = width === 64 && read === Read.operandSize ? reader.doubleword() : low >> 31;
        break;
      default:
        continue;
    }
    if (immediates++ === 0) setImmediate(into, low, high, width);
    else into.immediate2 = low;
  }
  return true;
}

/** The number of a segment, control, debug or x87 register; -1 if there is none. */
function registerNumber(read: ReadKind, { modrm, rex }: InstructionReader): number {
  const reg = (modrm >> 3) & 7;
  if (read === Read.stackNumber) return modrm & 7;
  if (read === Read.segmentNumber) return reg > 5 ? -1 : reg;
  const number = reg | ((rex & 4) << 1);
  const exists = read === Read.controlNumber ? CONTROL_REGISTERS : DEBUG_REGISTERS;
  return ((exists >> number) & 1) === 0 ? -1 : number;
}

const XMM = xmmOffset(0);
const FPR = fprOffset(0);

/** The offset of a general register. */
function general(number: number, byte: boolean, rex: number): number {
  if (byte && rex === 0 && number >= 4) return registerOffset(number - 4) + 1;
  return registerOffset(number);
}

/** The next `width` bits, but at most 32, sign-extended to 32. */
function signed(reader: InstructionReader, width: number): number {
  if (width === 8) return reader.signedByte();
  return width === 16 ? (reader.word() << 16) >> 16 : reader.doubleword();
}

/** Truncates the first immediate to the operand size; of byte operands all bits stay. */
function setImmediate(into: Decoded, low: number, high: number, width: number): void {
  into.immediateLow = width === 16 ? low & 0xffff : low;
  into.immediateHigh = width === 16 || width === 32 ? 0 : high;
}
