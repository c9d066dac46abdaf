/**
 * The decoder: from bytes to instructions, by the opcode tables.
 *
 * What depends on the CPU model (features that decide which encodings exist) is settled when a decoder
 * is made; what depends on the mode comes in a mode key (see system/mode.ts).
 */

import { buildProgram, type Definition } from "../ir/definition.ts";
import type { SystemCatalogue } from "../ir/builder.ts";
import type { AccessModel, Form, OperandForm, Repeat } from "../ir/form.ts";
import type { Width } from "../ir/ir.ts";
import { fprOffset, registerOffset, xmmOffset } from "../state/layout.ts";
import { type Modrm, readAddressing, readModrm } from "./addressing.ts";
import type {
  Encoding,
  MandatoryPrefix,
  OperandSize,
  OperandSource,
  OperandSpec,
} from "./encoding.ts";
import { operandWidth } from "./operand_width.ts";
import { type EncodingRow, encodingRow } from "./row.ts";
import type { Addressing, BoundForm, DecodeFailure, Instruction } from "../ir/instruction.ts";

import { ByteReader, type Prefixes, readPrefixes } from "./prefixes.ts";

/** What of a CPU's mode decides how bytes are decoded. */
export interface DecodeMode {
  /** 64-bit code. */
  readonly long: boolean;
  /** Default operand and address size in bits (CS.D); 64-bit mode ignores it. */
  readonly defaultSize: 16 | 32;
  /** Size of the stack pointer. */
  readonly stackSize: 16 | 32 | 64;
  /** DS, ES and SS are flat, so that accesses through them need no check. */
  readonly flat: boolean;
}

const MAX_LENGTH = 15;
const SS = 2;
const DS = 3;

/** Decodes for one CPU model. */
export class Decoder {
  /** Encodings by map and opcode. */
  readonly #table: readonly (readonly EncodingRow[])[];
  readonly #bound = new Map<string, BoundForm>();
  /** The same by what decides them, as one number: see {@link Decoder.#bind}. */
  readonly #boundByKey = new Map<number, BoundForm>();
  readonly #definitionIds = new Map<Definition, number>();

  /** `hasFeature` tells which CPUID features the model advertises. */
  constructor(
    encodings: readonly Encoding[],
    hasFeature: (feature: string) => boolean,
    private readonly catalogue: SystemCatalogue,
  ) {
    const table: EncodingRow[][] = Array.from({ length: 4 * 256 }, () => []);
    let rows = 0;
    for (const encoding of encodings) {
      if (encoding.feature !== null && !hasFeature(encoding.feature)) continue;
      table[encoding.map * 256 + encoding.opcode].push(encodingRow(encoding, rows++, hasFeature));
      if (!this.#definitionIds.has(encoding.definition)) {
        this.#definitionIds.set(encoding.definition, this.#definitionIds.size);
      }
    }
    // A mandatory prefix is more specific than none, and so is a fixed ModRM byte.
    for (const row of table) row.sort((a, b) => specificity(b.encoding) - specificity(a.encoding));
    this.#table = table;
  }

  /** Every form met so far. */
  get forms(): readonly BoundForm[] {
    return [...this.#bound.values()];
  }

  /** Decodes the instruction at `bytes[start]`; bytes from `end` on do not exist yet. */
  decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    mode: DecodeMode,
  ): Instruction | DecodeFailure {
    const limit = Math.min(end, start + MAX_LENGTH);
    const reader = new ByteReader(bytes, start, limit);
    const result = this.#decode(reader, start, mode);
    if (reader.failed) return limit === end && end < start + MAX_LENGTH ? "truncated" : "too long";
    return result;
  }

  #decode(reader: ByteReader, start: number, mode: DecodeMode): Instruction | DecodeFailure {
    const { prefixes, opcode: first } = readPrefixes(reader, mode);
    let map = 0;
    let opcode = first;
    if (opcode === 0x0f) {
      map = 1;
      opcode = reader.byte();
      if (opcode === 0x38 || opcode === 0x3a) {
        map = opcode === 0x38 ? 2 : 3;
        opcode = reader.byte();
      }
    }
    const candidates = this.#table[map * 256 + opcode];
    if (candidates.length === 0) return "undefined";
    const modrm = candidates[0].encoding.hasModrm ? readModrm(reader) : null;
    for (const row of candidates) {
      if (!fits(row, modrm, prefixes, mode)) continue;
      if (row.encoding.hasModrm && !modrm) return "undefined";
      return this.#finish(reader, start, mode, prefixes, row, modrm, opcode);
    }
    return "undefined";
  }

  #finish(
    reader: ByteReader,
    start: number,
    mode: DecodeMode,
    prefixes: Prefixes,
    row: EncodingRow,
    modrm: Modrm | null,
    opcode: number,
  ): Instruction | DecodeFailure {
    const { encoding } = row;
    const operandSize = operandSizeOf(row, prefixes, mode);
    const addressSize = addressSizeOf(prefixes, mode);
    const isMemory = modrm !== null && modrm.mod !== 3 && encoding.mod !== "register";
    let addressing = isMemory
      ? readAddressing(reader, modrm, prefixes, addressSize, mode.long)
      : null;
    const registers: number[] = [];
    let immediate = 0n;
    let immediate2 = 0;
    let immediates = 0;
    for (const spec of encoding.operands) {
      const width = widthOf(spec.size, operandSize, prefixes, row);
      const register = registerOf(spec, width, modrm, prefixes, opcode);
      if (register === INVALID) return "undefined";
      registers.push(register);
      if (register >= 0 || spec.source === "constant") continue;
      if (spec.source === "O") {
        addressing = absoluteAddress(reader.unsigned(addressSize), addressSize);
      } else if (!isMemorySource(spec.source)) {
        const read = readImmediate(reader, spec, operandSize, modrm, prefixes);
        if (read === null) return "undefined";
        if (spec.source === "A") immediate2 = Number(reader.unsigned(16));
        if (immediates++ === 0) immediate = read;
        else immediate2 = Number(read);
      }
    }
    if (prefixes.lock && !(row.lock && registers[0] < 0 && isMemory)) return "undefined";
    const segment = segmentOf(prefixes, addressing);
    return {
      bound: this.#bind(row, operandSize, addressSize, segment, prefixes, mode, modrm, registers),
      length: reader.at - start,
      registers,
      addressing,
      segment,
      immediate: BigInt.asUintN(operandSize === 8 ? 64 : operandSize, immediate),
      immediate2,
    };
  }

  /**
   * The form of an instruction. What distinguishes forms of one encoding fits into a number, so that a form
   * that was met before is found without describing it.
   */
  #bind(
    row: EncodingRow,
    width: Width,
    addressSize: 16 | 32 | 64,
    segment: number,
    prefixes: Prefixes,
    mode: DecodeMode,
    modrm: Modrm | null,
    registers: readonly number[],
  ): BoundForm {
    const isRegister = modrm !== null && modrm.mod === 3;
    const touches = row.touches || (modrm !== null && !isRegister) || row.hasOffset;
    const access = touches ? accessModel(segment, mode) : "long";
    const repeat: Repeat = !row.repeat || prefixes.repeat === 0
      ? "none"
      : prefixes.repeat === 0xf3
      ? "rep"
      : "repne";
    let key = row.id * 2 + (isRegister ? 1 : 0);
    key = key * 2 + ((prefixes.rex & 8) >> 3);
    key = key * 4 + (width === 64 ? 3 : width >> 4);
    key = key * 4 + (row.address ? addressSize >> 5 : 3);
    key = key * 4 + (row.stack ? mode.stackSize >> 5 : 3);
    key = key * 4 + ACCESS_MODELS.indexOf(access);
    key = key * 4 + (repeat === "none" ? 0 : repeat === "rep" ? 1 : 2);
    key = key * 2 + (mode.long ? 1 : 0);
    let bound = this.#boundByKey.get(key);
    if (!bound) {
      bound = this.#describe(row, prefixes, registers, {
        operands: [],
        width,
        addressWidth: row.address ? addressSize : 0,
        stackWidth: row.stack ? mode.stackSize : 0,
        access,
        repeat,
        long: row.long && mode.long,
      });
      this.#boundByKey.set(key, bound);
    }
    return bound;
  }

  /** The form that `parameters` and the operands make; forms of different encodings may be the same. */
  #describe(
    row: EncodingRow,
    prefixes: Prefixes,
    registers: readonly number[],
    parameters: Form,
  ): BoundForm {
    const { encoding } = row;
    const { definition } = encoding;
    const { width, addressWidth, stackWidth, access, repeat, long } = parameters;
    const operands = encoding.operands.map((spec, i): OperandForm => {
      const size = widthOf(spec.size, width, prefixes, row);
      if (registers[i] >= 0) return { kind: "register", width: registerWidth(spec, size) };
      if (spec.source === "constant") return { kind: "constant", value: spec.number, width };
      return spec.source === "O" || isMemorySource(spec.source)
        ? { kind: "memory", width: size as Width }
        : { kind: "immediate", width };
    });
    const shapes = operands.map((o) =>
      `${o.kind[0]}${o.width}${o.kind === "constant" ? `=${o.value}` : ""}`
    );
    const id = this.#definitionIds.get(definition)!;
    const key =
      `${id}|${shapes.join()}|${width}|${addressWidth}|${stackWidth}|${access}|${repeat}|${long}`;
    let bound = this.#bound.get(key);
    if (!bound) {
      const form: Form = { ...parameters, operands };
      const program = buildProgram(definition, form, this.catalogue);
      bound = { index: this.#bound.size, definition, form, program };
      this.#bound.set(key, bound);
    }
    return bound;
  }
}

const INVALID = -2;
const ACCESS_MODELS: readonly AccessModel[] = ["long", "longBased", "flat", "checked"];

/** Operands that are memory where they are no register. */
function isMemorySource(source: OperandSource): boolean {
  return source === "E" || source === "M" || source === "W" || source === "Q";
}

function absoluteAddress(displacement: bigint, width: 16 | 32 | 64): Addressing {
  return { base: -1, index: -1, scale: 0, displacement, ripRelative: false, width };
}

function specificity(encoding: Encoding): number {
  return (encoding.prefix === "any" ? 0 : 4) + (encoding.modrm >= 0 ? 2 : 0) +
    (encoding.feature ? 1 : 0);
}

function fits(
  row: EncodingRow,
  modrm: Modrm | null,
  prefixes: Prefixes,
  mode: DecodeMode,
): boolean {
  const { encoding } = row;
  if (!prefixFits(encoding.prefix, prefixes)) return false;
  if (mode.long ? row.not64 : row.only64) return false;
  if (row.noRexB && (prefixes.rex & 1) !== 0) return false;
  if (row.noRexW && (prefixes.rex & 8) !== 0) return false;
  if (!modrm) return true;
  if (encoding.digit >= 0 && encoding.digit !== modrm.reg) return false;
  if (encoding.modrm >= 0) {
    return modrm.byte >= encoding.modrm && modrm.byte < encoding.modrm + encoding.modrmCount;
  }
  // MOV to and from control and debug registers takes mod 3 for granted.
  if (row.anyMod) return true;
  return encoding.mod === "any" || (encoding.mod === "register") === (modrm.mod === 3);
}

function prefixFits(prefix: MandatoryPrefix, prefixes: Prefixes): boolean {
  switch (prefix) {
    case "any":
      return true;
    case "none":
      return prefixes.repeat === 0 && !prefixes.operandSize;
    case "66":
      return prefixes.operandSize && prefixes.repeat === 0;
    case "F3":
      return prefixes.repeat === 0xf3;
    case "F2":
      return prefixes.repeat === 0xf2;
  }
}

function operandSizeOf(row: EncodingRow, prefixes: Prefixes, mode: DecodeMode): Width {
  if (row.encoding.byte) return 8;
  // A mandatory 66 is no operand-size prefix, except for the few integer instructions with a v operand.
  const size66 = prefixes.operandSize && (row.encoding.prefix !== "66" || row.hasV);
  if (mode.long) {
    if (row.f64) return 64;
    if ((prefixes.rex & 8) !== 0 && !row.max32) return 64;
    if (size66) return 16;
    return row.o64 ? 64 : 32;
  }
  return size66 === (mode.defaultSize === 32) ? 16 : 32;
}

function addressSizeOf(prefixes: Prefixes, mode: DecodeMode): 16 | 32 | 64 {
  if (mode.long) return prefixes.addressSize ? 32 : 64;
  return prefixes.addressSize === (mode.defaultSize === 32) ? 16 : 32;
}

function widthOf(
  size: OperandSize,
  operandSize: Width,
  { rex }: Prefixes,
  { max32 }: EncodingRow,
): number {
  return operandWidth(size, operandSize, (rex & 8) !== 0 && !max32);
}

function registerWidth(spec: OperandSpec, width: number): Width | 128 {
  if ("VWU".includes(spec.source) || spec.number === 32) return 128;
  return "PQN".includes(spec.source) ? 64 : width as Width;
}

/** The state offset of a register operand, -1 if the operand is none, INVALID if there is no such register. */
function registerOf(
  spec: OperandSpec,
  width: number,
  modrm: Modrm | null,
  { rex }: Prefixes,
  opcode: number,
): number {
  const reg = modrm ? modrm.reg | ((rex & 4) << 1) : 0;
  const rm = modrm ? modrm.rm | ((rex & 1) << 3) : 0;
  switch (spec.source) {
    case "E":
      return modrm!.mod === 3 ? general(rm, width, rex) : -1;
    case "R":
      return general(rm, width, rex);
    case "G":
      return general(reg, width, rex);
    case "Z":
      return general((opcode & 7) | ((rex & 1) << 3), width, rex);
    case "V":
      return xmmOffset(reg);
    case "U":
      return xmmOffset(rm);
    case "W":
      return modrm!.mod === 3 ? xmmOffset(rm) : -1;
    case "P":
      return fprOffset(modrm!.reg);
    case "N":
      return fprOffset(modrm!.rm);
    case "Q":
      return modrm!.mod === 3 ? fprOffset(modrm!.rm) : -1;
    case "fixed":
      return spec.number === 32 ? xmmOffset(0) : registerOffset(spec.number);
    case "S":
      return modrm!.reg > 5 ? INVALID : -1;
    default:
      return -1;
  }
}

/** The offset of a general register; without REX, byte registers 4..7 are AH, CH, DH, BH. */
function general(number: number, width: number, rex: number): number {
  if (width === 8 && rex === 0 && number >= 4) return registerOffset(number - 4) + 1;
  return registerOffset(number);
}

/** Reads what an operand that is neither register nor memory takes; null if there is no such register. */
function readImmediate(
  reader: ByteReader,
  spec: OperandSpec,
  operandSize: Width,
  modrm: Modrm | null,
  { rex }: Prefixes,
): bigint | null {
  const reg = modrm ? modrm.reg | ((rex & 4) << 1) : 0;
  switch (spec.source) {
    case "S":
      return BigInt(modrm!.reg);
    case "C":
      return [0, 2, 3, 4, 8].includes(reg) ? BigInt(reg) : null;
    case "D":
      return reg < 8 ? BigInt(reg) : null;
    case "ST":
      return BigInt(modrm!.rm);
    case "A":
      return reader.unsigned(operandSize);
    case "I":
    case "J":
      break;
    default:
      return null;
  }
  switch (spec.size) {
    case "b":
      return spec.source === "J" ? reader.signed(8) : reader.unsigned(8);
    case "bs":
      return reader.signed(8);
    case "w":
      return reader.unsigned(16);
    case "v":
      return reader.signed(operandSize);
    default:
      return reader.signed(Math.min(operandSize, 32));
  }
}

function segmentOf(prefixes: Prefixes, addressing: Addressing | null): number {
  if (prefixes.segment >= 0) return prefixes.segment;
  // Bases BP and SP default to SS; in 64-bit mode too, for the choice between #SS and #GP.
  const base = addressing?.base;
  return base === 4 || base === 5 ? SS : DS;
}

function accessModel(segment: number, mode: DecodeMode): AccessModel {
  if (mode.long) return segment >= 4 ? "longBased" : "long";
  return mode.flat && (segment === 0 || segment === SS || segment === DS) ? "flat" : "checked";
}
