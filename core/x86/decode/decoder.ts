/**
 * The decoder: from bytes to instructions, by the opcode tables.
 *
 * What depends on the CPU model (features that decide which encodings exist) is settled when a decoder
 * is made; what depends on the mode comes with each call.
 */

import { invariant } from "../../lib/assert.ts";
import { buildProgram, type Definition } from "../ir/definition.ts";
import type { SystemCatalogue } from "../ir/builder.ts";
import type { AccessModel, Form, OperandForm, Repeat } from "../ir/form.ts";
import type { Width } from "../ir/ir.ts";
import type { BoundForm, DecodeFailure, Instruction } from "../ir/instruction.ts";
import { readAddressing } from "./addressing.ts";
import { Decoded } from "./decoded.ts";
import type { Encoding, OperandSpec } from "./encoding.ts";
import type { DecodeMode } from "./mode.ts";
import { type Head, headKey, Heads } from "./head.ts";
import { isMemorySource, readNumbers, registerOf } from "./operand_row.ts";
import { operandWidth } from "./operand_width.ts";
import { InstructionReader } from "./reader.ts";
import { type EncodingRow, encodingRow, fitsModrm, PrefixClass, sizeIndex } from "./row.ts";

const MAX_LENGTH = 15;
const SS = 2;
const DS = 3;

/** What may stand behind an opcode of one map. */
interface OpcodeRows {
  readonly hasModrm: boolean;
  /** The encodings by what the ModRM byte tells of them: its mod 3 or not (8), and its reg; the most specific first. */
  readonly byModrm: readonly (readonly EncodingRow[])[];
}

/** Decodes for one CPU model. */
export class Decoder {
  /** What the last {@link read} found. */
  readonly decoded: Decoded = new Decoded();
  /** The head of the instruction that the last {@link read} found. */
  head: Head | null = null;
  readonly #reader = new InstructionReader();
  readonly #heads = new Heads();
  /** By map and opcode; null where nothing exists. */
  readonly #table: readonly (OpcodeRows | null)[];
  readonly #bound = new Map<string, BoundForm>();
  readonly #definitionIds = new Map<Definition, number>();

  /** `hasFeature` tells which CPUID features the model advertises. */
  constructor(
    encodings: readonly Encoding[],
    hasFeature: (feature: string) => boolean,
    private readonly catalogue: SystemCatalogue,
  ) {
    const table: EncodingRow[][] = Array.from({ length: 4 * 256 }, () => []);
    for (const encoding of encodings) {
      if (encoding.feature !== null && !hasFeature(encoding.feature)) continue;
      table[encoding.map * 256 + encoding.opcode].push(encodingRow(encoding, hasFeature));
      if (!this.#definitionIds.has(encoding.definition)) {
        this.#definitionIds.set(encoding.definition, this.#definitionIds.size);
      }
    }
    this.#table = table.map(opcodeRows);
  }

  /** Every form met so far. */
  get forms(): readonly BoundForm[] {
    return [...this.#bound.values()];
  }

  /** By map and opcode: whether there is such an opcode (1), and whether a ModRM byte follows (2 too). */
  opcodeKinds(): Uint8Array {
    return Uint8Array.from(this.#table, (rows) => rows === null ? 0 : rows.hasModrm ? 3 : 1);
  }

  /** Decodes the instruction at `bytes[start]`; bytes from `end` on do not exist yet. */
  decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    mode: DecodeMode,
  ): Instruction | DecodeFailure {
    return this.read(bytes, start, end, mode) ?? this.decoded.toInstruction();
  }

  /** As {@link decode}, but what was found is in {@link decoded} until the next call; null is success. */
  read(bytes: Uint8Array, start: number, end: number, mode: DecodeMode): DecodeFailure | null {
    const limit = Math.min(end, start + MAX_LENGTH);
    const reader = this.#reader;
    reader.open(bytes, start, limit);
    const found = this.#read(reader, mode);
    if (reader.failed) return limit === end && end < start + MAX_LENGTH ? "truncated" : "too long";
    if (!found) return "undefined";
    this.decoded.lengthBytes = reader.at - start;
    return null;
  }

  /** Whether there is such an instruction. */
  #read(reader: InstructionReader, mode: DecodeMode): boolean {
    let map = 0;
    let opcode = reader.opcode(mode);
    if (opcode === 0x0f) {
      map = 1;
      opcode = reader.byte();
      if (opcode === 0x38 || opcode === 0x3a) {
        map = opcode === 0x38 ? 2 : 3;
        opcode = reader.byte();
      }
    }
    const rows = this.#table[map * 256 + opcode];
    if (rows === null) return false;
    if (rows.hasModrm) reader.modrm = reader.byte();
    const key = headKey(reader, map, opcode);
    const head = this.head = this.#heads.find(mode, key);
    if (head !== null) return this.#follow(reader, mode, head);
    const { modrm } = reader;
    const candidates = rows.byModrm[(modrm >= 0xc0 ? 8 : 0) | ((modrm >> 3) & 7)];
    const prefixes = prefixClass(reader);
    for (let i = 0; i < candidates.length; i++) {
      const row = candidates[i];
      if ((row.prefixes & prefixes) === 0 || !(mode.long ? row.in64 : row.outside64)) continue;
      if (modrm < row.firstModrm || modrm > row.lastModrm) continue;
      if (row.noRexB && (reader.rex & 1) !== 0) continue;
      if (row.noRexW && (reader.rex & 8) !== 0) continue;
      return this.#finish(reader, mode, row, rows.hasModrm, opcode, key);
    }
    return false;
  }

  #finish(
    reader: InstructionReader,
    mode: DecodeMode,
    row: EncodingRow,
    hasModrm: boolean,
    opcode: number,
    key: number,
  ): boolean {
    const { decoded } = this;
    const rexW = (reader.rex & 8) !== 0;
    const default32 = mode.defaultSize === 32;
    const width = row.widths[sizeIndex(mode.long, default32, rexW, reader.operandSize)];
    const addressWidth = addressSizeOf(reader, mode);
    const mod3 = reader.modrm >= 0xc0;
    const isMemory = hasModrm && !mod3 && row.memory;
    decoded.reset();
    if (isMemory) readAddressing(reader, decoded, addressWidth, mode.long);
    const { all, numbers } = mod3 ? row.registerOperands : row.memoryOperands;
    decoded.operands = all.length;
    all.forEach((operand, i) => decoded.registers[i] = registerOf(operand, reader, opcode));
    decoded.addressWidth = addressWidth;
    if (!readNumbers(reader, decoded, numbers, width, addressWidth)) return false;
    if (reader.lock && !(row.lock && isMemory && decoded.registers[0] < 0)) return false;
    const segment = segmentOf(reader, decoded);
    decoded.segment = segment;
    const touches = row.touches || (hasModrm && !mod3) || row.hasOffset;
    const access = touches ? accessModel(segment, mode) : LONG;
    decoded.bound = this.#bind(row, width, addressWidth, access, reader, mode, mod3);
    this.head = this.#heads.keep(mode, key, decoded, width, numbers);
    return true;
  }

  /** Reads what follows a head that was met before. */
  #follow(reader: InstructionReader, mode: DecodeMode, head: Head): boolean {
    const { decoded } = this;
    const { registers } = decoded;
    decoded.reset();
    decoded.operands = head.operands;
    registers[0] = head.register0;
    registers[1] = head.register1;
    registers[2] = head.register2;
    registers[3] = head.register3;
    if (head.isMemory) readAddressing(reader, decoded, head.addressWidth, mode.long);
    if (head.numbers.length !== 0) {
      readNumbers(reader, decoded, head.numbers, head.width, head.addressWidth);
    }
    decoded.segment = segmentOf(reader, decoded);
    decoded.bound = head.bound;
    return true;
  }

  /**
   * The form of an instruction. What distinguishes forms of one encoding fits into a number, so that a form
   * that was met before is found without describing it.
   */
  #bind(
    row: EncodingRow,
    width: Width,
    addressWidth: 16 | 32 | 64,
    access: number,
    { rex, repeat }: InstructionReader,
    mode: DecodeMode,
    mod3: boolean,
  ): BoundForm {
    const repeats = !row.repeat || repeat === 0 ? 0 : repeat === 0xf3 ? 1 : 2;
    let key = (rex & 8) | (mod3 ? 4 : 0) | (width === 64 ? 3 : width >> 4);
    key = (key << 2) | (row.address ? addressWidth >> 5 : 3);
    key = (key << 2) | (row.stack ? mode.stackSize >> 5 : 3);
    key = (key << 2) | access;
    key = (key << 2) | repeats;
    key = (key << 1) | (mode.long ? 1 : 0);
    const { formKeys } = row;
    for (let i = 0; i < formKeys.length; i++) if (formKeys[i] === key) return row.forms[i];
    const bound = this.#describe(row, rex, {
      operands: [],
      width,
      addressWidth: row.address ? addressWidth : 0,
      stackWidth: row.stack ? mode.stackSize : 0,
      access: ACCESS_MODELS[access],
      repeat: REPEATS[repeats],
      long: row.long && mode.long,
    });
    formKeys.push(key);
    row.forms.push(bound);
    return bound;
  }

  /** The form that `parameters` and the operands make; forms of different encodings may be the same. */
  #describe(row: EncodingRow, rex: number, parameters: Form): BoundForm {
    const { encoding } = row;
    const { definition } = encoding;
    const { width, addressWidth, stackWidth, access, repeat, long } = parameters;
    const operands = encoding.operands.map((spec, i): OperandForm => {
      const size = operandWidth(spec.size, width, (rex & 8) !== 0 && !row.max32);
      if (this.decoded.registers[i] >= 0) {
        return { kind: "register", width: registerWidth(spec, size) };
      }
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

const ACCESS_MODELS: readonly AccessModel[] = ["long", "longBased", "flat", "checked"];
const LONG = 0;
const LONG_BASED = 1;
const FLAT = 2;
const CHECKED = 3;
const REPEATS: readonly Repeat[] = ["none", "rep", "repne"];

/** Sorts the encodings of one opcode by what its ModRM byte tells. */
function opcodeRows(rows: EncodingRow[]): OpcodeRows | null {
  if (rows.length === 0) return null;
  const { hasModrm, text } = rows[0].encoding;
  const other = rows.find(({ encoding }) => encoding.hasModrm !== hasModrm);
  invariant(!other, `only one of "${text}" and "${other?.encoding.text}" has a ModRM byte`);
  // A mandatory prefix is more specific than none, and so is a fixed ModRM byte.
  rows.sort((a, b) => specificity(b.encoding) - specificity(a.encoding));
  const byModrm = Array.from(
    { length: 16 },
    (_, i) => hasModrm ? rows.filter((row) => fitsModrm(row, i >= 8, i & 7)) : rows,
  );
  return { hasModrm, byModrm };
}

function specificity(encoding: Encoding): number {
  return (encoding.prefix === "any" ? 0 : 4) + (encoding.modrm >= 0 ? 2 : 0) +
    (encoding.feature ? 1 : 0);
}

function prefixClass({ repeat, operandSize }: InstructionReader): number {
  if (repeat !== 0) return repeat === 0xf3 ? PrefixClass.f3 : PrefixClass.f2;
  return operandSize ? PrefixClass.operandSize : PrefixClass.none;
}

/** Bases BP and SP default to SS; in 64-bit mode too, for the choice between #SS and #GP. */
function segmentOf({ segment }: InstructionReader, { base }: Decoded): number {
  return segment >= 0 ? segment : base === 4 || base === 5 ? SS : DS;
}

function addressSizeOf({ addressSize }: InstructionReader, mode: DecodeMode): 16 | 32 | 64 {
  if (mode.long) return addressSize ? 32 : 64;
  return addressSize === (mode.defaultSize === 32) ? 16 : 32;
}

/** Index of the access model. */
function accessModel(segment: number, mode: DecodeMode): number {
  if (mode.long) return segment >= 4 ? LONG_BASED : LONG;
  return mode.flat && (segment === 0 || segment === SS || segment === DS) ? FLAT : CHECKED;
}

function registerWidth(spec: OperandSpec, width: number): Width | 128 {
  if ("VWU".includes(spec.source) || spec.number === 32) return 128;
  return "PQN".includes(spec.source) ? 64 : width as Width;
}
