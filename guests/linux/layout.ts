/**
 * Little-endian structures as tables: a layout names each field's offset and width, a view reads and
 * writes them with bounds checks. Reading past the end is a {@link BootError}, never a wrong value.
 */

import { BootError } from "./boot_error.ts";

/** Where a field is: offset in bytes, width in bytes. */
export type Field = readonly [offset: number, sizeBytes: 1 | 2 | 4 | 8];

/** A checked structure: total size in bytes, and fields by their manual's names, without overlap. */
export interface Layout<FieldName extends string> {
  readonly name: string;
  readonly sizeBytes: number;
  readonly fields: Readonly<Record<FieldName, Field>>;
}

/** Declares a structure; throws `RangeError` when fields overlap or leave its `sizeBytes`. */
export function defineLayout<FieldName extends string>(
  name: string,
  sizeBytes: number,
  fields: Readonly<Record<FieldName, Field>>,
): Layout<FieldName> {
  const taken = new Map<number, string>();
  for (const [field, [offset, width]] of Object.entries<Field>(fields)) {
    if (offset + width > sizeBytes) {
      throw new RangeError(`${name}.${field} ends at ${offset + width}, past size ${sizeBytes}`);
    }
    for (let byte = offset; byte < offset + width; byte++) {
      const other = taken.get(byte);
      if (other !== undefined) throw new RangeError(`${name}.${field} overlaps ${other}`);
      taken.set(byte, field);
    }
  }
  return { name, sizeBytes, fields };
}

/** Bounds-checked access to bytes; `subject` names them in errors, for example `kernel image`. */
export class ByteView {
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array, readonly subject: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The `sizeBytes` bytes from `offset` (no copy); `what` names them in the error. */
  slice(offset: number, sizeBytes: number, what: string): Uint8Array {
    this.#check(offset, sizeBytes, what);
    return this.bytes.subarray(offset, offset + sizeBytes);
  }

  /** Reads an unsigned value; one of eight bytes must be below 2^53. */
  read(offset: number, sizeBytes: 1 | 2 | 4 | 8, what: string): number {
    this.#check(offset, sizeBytes, what);
    switch (sizeBytes) {
      case 1:
        return this.#view.getUint8(offset);
      case 2:
        return this.#view.getUint16(offset, true);
      case 4:
        return this.#view.getUint32(offset, true);
      case 8: {
        const value = this.readBig(offset, what);
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
          throw new BootError(
            `${this.subject}: ${what} is 0x${value.toString(16)}, expected an address below 2^53`,
          );
        }
        return Number(value);
      }
    }
  }

  /** Reads an unsigned value of eight bytes, however large. */
  readBig(offset: number, what: string): bigint {
    this.#check(offset, 8, what);
    return this.#view.getBigUint64(offset, true);
  }

  /** Writes an unsigned value. */
  write(offset: number, sizeBytes: 1 | 2 | 4 | 8, value: number): void {
    this.#check(offset, sizeBytes, "a field");
    switch (sizeBytes) {
      case 1:
        return this.#view.setUint8(offset, value);
      case 2:
        return this.#view.setUint16(offset, value, true);
      case 4:
        return this.#view.setUint32(offset, value, true);
      case 8:
        return this.#view.setBigUint64(offset, BigInt(value), true);
    }
  }

  /** Reads `field` of the structure `layout` that starts at `base`. */
  get<FieldName extends string>(layout: Layout<FieldName>, field: FieldName, base = 0): number {
    const [offset, sizeBytes] = layout.fields[field];
    return this.read(base + offset, sizeBytes, `${layout.name}.${field}`);
  }

  /** Reads `field` of the structure `layout` that starts at `base`, however large. */
  getBig<FieldName extends string>(layout: Layout<FieldName>, field: FieldName, base = 0): bigint {
    const [offset, sizeBytes] = layout.fields[field];
    const what = `${layout.name}.${field}`;
    return sizeBytes === 8
      ? this.readBig(base + offset, what)
      : BigInt(this.read(base + offset, sizeBytes, what));
  }

  /** Writes `field` of the structure `layout` that starts at `base`. */
  set<FieldName extends string>(
    layout: Layout<FieldName>,
    field: FieldName,
    value: number,
    base = 0,
  ): void {
    const [offset, sizeBytes] = layout.fields[field];
    this.write(base + offset, sizeBytes, value);
  }

  #check(offset: number, sizeBytes: number, what: string): void {
    if (offset >= 0 && sizeBytes >= 0 && offset + sizeBytes <= this.bytes.length) return;
    throw new BootError(
      `${this.subject} is truncated or corrupt: ${what} needs bytes ${offset} to ` +
        `${offset + sizeBytes}, but there are only ${this.bytes.length}`,
    );
  }
}

/** A new structure of `layout` with the given fields; all other bytes are zero. */
export function buildStructure<FieldName extends string>(
  layout: Layout<FieldName>,
  values: Partial<Record<FieldName, number>>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(layout.sizeBytes);
  const view = new ByteView(bytes, layout.name);
  for (const [field, value] of Object.entries(values)) {
    view.set(layout, field as FieldName, value as number);
  }
  return bytes;
}

/** Joins byte strings into one. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

/** `text` in UTF-8 (host-free twin of `TextEncoder`); a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) {
      out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      out.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 0x3f),
        0x80 | ((code >> 6) & 0x3f),
        0x80 | (code & 0x3f),
      );
    }
  }
  return Uint8Array.from(out);
}

/** `text` in UTF-8 with a closing NUL; throws {@link BootError} if it holds a NUL or is too long. */
export function cString(text: string, what: string, limitBytes: number): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new BootError(`${what} holds a NUL character, expected plain text`);
  }
  const bytes = utf8(text);
  if (bytes.length > limitBytes) {
    throw new BootError(
      `${what} is ${bytes.length} bytes long; this kernel accepts at most ${limitBytes}`,
    );
  }
  return concatBytes([bytes, new Uint8Array(1)]);
}
