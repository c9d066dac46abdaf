/**
 * C structures of the ABI as tables: fields by name, offsets by the compiler's own rules.
 *
 * A definition says what a public header says; offsets follow for both data models that guests use
 * (LP64 for 64-bit, ILP32 for 32-bit x86, where 64-bit integers are aligned to four bytes). The sizes
 * that the header's compiler gives are stated beside it and checked when the table loads.
 */

import { invariant } from "../lib/assert.ts";

/** The data model of a guest's structures. */
export type DataModel = "lp64" | "ilp32";

/**
 * Scalar types of fields. `frame` is `xen_pfn_t`: read as a number, exact below 2^53, beyond that so
 * large that no frame has it. `ulong` and `handle` (a guest pointer) are as wide as the model's pointers.
 */
export type ScalarType =
  | "u8"
  | "s8"
  | "u16"
  | "s16"
  | "u32"
  | "s32"
  | "u64"
  | "s64"
  | "ulong"
  | "handle"
  | "frame";

/** A field: a scalar, a structure, an array of either, or one that a single model has. */
export type FieldType = ScalarType | ArrayType | OnlyType | StructLayout<Fields>;

/** An array of `count` scalars or structures. */
export interface ArrayType {
  readonly element: ScalarType | StructLayout<Fields>;
  readonly count: number;
}

/** A field that the structure has in one data model: in the other it takes no room and reads as zeros. */
export interface OnlyType {
  readonly model: DataModel;
  readonly field: ScalarType | StructLayout<Fields>;
}

/** Fields in the header's order. */
export type Fields = { readonly [name: string]: FieldType };

type ScalarValue<T extends ScalarType> = T extends "u64" | "s64" | "ulong" | "handle" ? bigint
  : number;

/** What a field holds when it is read. */
export type FieldValue<T extends FieldType> = T extends ScalarType ? ScalarValue<T>
  : T extends { readonly element: infer E extends FieldType } ? readonly FieldValue<E>[]
  : T extends { readonly field: infer E extends FieldType } ? FieldValue<E>
  : T extends StructLayout<infer F> ? StructValue<F>
  : never;

/** What a structure holds when it is read. */
export type StructValue<F extends Fields> = { readonly [K in keyof F]: FieldValue<F[K]> };

/** The value of a structure, by its definition. */
export type ValueOf<S> = S extends StructLayout<infer F> ? StructValue<F> : never;

/** An array field of `count` scalars or structures. */
export function array<const E extends ScalarType | StructLayout<Fields>>(
  element: E,
  count: number,
): { readonly element: E; readonly count: number } {
  return { element, count };
}

/** A field of `model` alone. */
export function only<const E extends ScalarType | StructLayout<Fields>>(
  model: DataModel,
  field: E,
): { readonly model: DataModel; readonly field: E } {
  return { model, field };
}

interface Placement {
  readonly offsets: { readonly [name: string]: number };
  readonly sizeBytes: number;
  readonly alignBytes: number;
}

const BITS: Readonly<Record<ScalarType, number>> = {
  u8: 8,
  s8: 8,
  u16: 16,
  s16: 16,
  u32: 32,
  s32: 32,
  u64: 64,
  s64: 64,
  ulong: 64,
  handle: 64,
  frame: 64,
};

function scalarBytes(type: ScalarType, model: DataModel): number {
  const narrow = model === "ilp32" && (type === "ulong" || type === "handle" || type === "frame");
  return narrow ? 4 : BITS[type] / 8;
}

/** One structure of the ABI; see the module comment. */
export class StructLayout<F extends Fields> {
  readonly #placements: Readonly<Record<DataModel, Placement>>;

  constructor(readonly name: string, readonly fields: F) {
    this.#placements = { lp64: place(fields, "lp64"), ilp32: place(fields, "ilp32") };
  }

  /** The size in bytes, with the padding at the end. */
  sizeBytes(model: DataModel = "lp64"): number {
    return this.#placements[model].sizeBytes;
  }

  /** The alignment in bytes. */
  alignBytes(model: DataModel = "lp64"): number {
    return this.#placements[model].alignBytes;
  }

  /** Where the field begins, in bytes from the start of the structure. */
  offsetOf(field: keyof F & string, model: DataModel = "lp64"): number {
    return this.#placements[model].offsets[field];
  }

  /** Reads the structure at `offset` of `bytes`; `RangeError` if it does not lie within them. */
  read(bytes: Uint8Array, offset = 0, model: DataModel = "lp64"): StructValue<F> {
    const view = viewOf(bytes);
    const { offsets } = this.#placements[model];
    const value: { [name: string]: unknown } = {};
    for (const name in this.fields) {
      value[name] = readField(view, offset + offsets[name], this.fields[name], model);
    }
    return value as StructValue<F>;
  }

  /** Stores the given fields at `offset` of `bytes`; the others, and padding, stay as they are. */
  write(
    bytes: Uint8Array,
    value: Partial<StructValue<F>>,
    offset = 0,
    model: DataModel = "lp64",
  ): void {
    const view = viewOf(bytes);
    const { offsets } = this.#placements[model];
    for (const name in this.fields) {
      const field = value[name];
      if (field !== undefined) {
        writeField(view, offset + offsets[name], this.fields[name], field, model);
      }
    }
  }

  /** The structure with all fields zero. */
  zero(model: DataModel = "lp64"): StructValue<F> {
    return this.read(new Uint8Array(this.sizeBytes(model)), 0, model);
  }

  /** The structure as bytes; fields that are left out are zero. */
  toBytes(value: Partial<StructValue<F>>, model: DataModel = "lp64"): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.sizeBytes(model));
    this.write(bytes, value, 0, model);
    return bytes;
  }
}

/**
 * Defines a structure. `sizeBytes` is what the header's compiler says of its size, for both models or
 * for each; a definition that differs is our own bug and stops at load.
 */
export function defineStruct<const F extends Fields>(
  name: string,
  sizeBytes: number | Readonly<Record<DataModel, number>>,
  fields: F,
): StructLayout<F> {
  const layout = new StructLayout(name, fields);
  for (const model of ["lp64", "ilp32"] as const) {
    const expected = typeof sizeBytes === "number" ? sizeBytes : sizeBytes[model];
    const found = layout.sizeBytes(model);
    invariant(
      found === expected,
      `struct ${name} has ${found} bytes in ${model}, expected ${expected}`,
    );
  }
  return layout;
}

function place(fields: Fields, model: DataModel): Placement {
  const offsets: { [name: string]: number } = {};
  let end = 0;
  let widest = 1;
  for (const [name, type] of Object.entries(fields)) {
    const { sizeBytes, alignBytes } = sizeOf(type, model);
    offsets[name] = roundUp(end, alignBytes);
    end = offsets[name] + sizeBytes;
    widest = Math.max(widest, alignBytes);
  }
  return { offsets, sizeBytes: roundUp(end, widest), alignBytes: widest };
}

function sizeOf(type: FieldType, model: DataModel): { sizeBytes: number; alignBytes: number } {
  if (type instanceof StructLayout) {
    return { sizeBytes: type.sizeBytes(model), alignBytes: type.alignBytes(model) };
  }
  if (typeof type !== "string") {
    if ("field" in type) {
      return type.model === model ? sizeOf(type.field, model) : { sizeBytes: 0, alignBytes: 1 };
    }
    const { sizeBytes, alignBytes } = sizeOf(type.element, model);
    return { sizeBytes: sizeBytes * type.count, alignBytes };
  }
  const bytes = scalarBytes(type, model);
  return { sizeBytes: bytes, alignBytes: model === "ilp32" ? Math.min(bytes, 4) : bytes };
}

function readField(view: DataView, at: number, type: FieldType, model: DataModel): unknown {
  if (typeof type === "string") return readScalar(view, at, type, model);
  if (type instanceof StructLayout) {
    return type.read(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), at, model);
  }
  if ("field" in type) {
    if (type.model === model) return readField(view, at, type.field, model);
    const absent = new DataView(new ArrayBuffer(sizeOf(type.field, type.model).sizeBytes));
    return readField(absent, 0, type.field, type.model);
  }
  const { sizeBytes } = sizeOf(type.element, model);
  return Array.from(
    { length: type.count },
    (_, index) => readField(view, at + index * sizeBytes, type.element, model),
  );
}

function writeField(
  view: DataView,
  at: number,
  type: FieldType,
  value: unknown,
  model: DataModel,
): void {
  if (typeof type === "string") return writeScalar(view, at, type, value as number, model);
  if (type instanceof StructLayout) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return type.write(bytes, value as StructValue<Fields>, at, model);
  }
  if ("field" in type) {
    if (type.model === model) writeField(view, at, type.field, value, model);
    return;
  }
  const { sizeBytes } = sizeOf(type.element, model);
  const elements = (value as readonly unknown[]).slice(0, type.count);
  elements.forEach((each, index) =>
    writeField(view, at + index * sizeBytes, type.element, each, model)
  );
}

function readScalar(
  view: DataView,
  at: number,
  type: ScalarType,
  model: DataModel,
): number | bigint {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "s8":
      return view.getInt8(at);
    case "u16":
      return view.getUint16(at, true);
    case "s16":
      return view.getInt16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "s32":
      return view.getInt32(at, true);
    case "s64":
      return view.getBigInt64(at, true);
    case "u64":
      return view.getBigUint64(at, true);
    case "ulong":
    case "handle":
      return model === "lp64" ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
    case "frame":
      return view.getUint32(at, true) +
        (model === "lp64" ? view.getUint32(at + 4, true) * 2 ** 32 : 0);
  }
}

function writeScalar(
  view: DataView,
  at: number,
  type: ScalarType,
  value: number | bigint,
  model: DataModel,
): void {
  const bits = 8 * scalarBytes(type, model);
  if (bits === 64) return view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  const number = Number(value);
  if (bits === 32) view.setUint32(at, number, true);
  else if (bits === 16) view.setUint16(at, number, true);
  else view.setUint8(at, number);
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
