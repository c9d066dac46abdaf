/**
 * Plain data of snapshots and logs as bytes, the same bytes for the same data on every host.
 *
 * Each value is a tag and what follows it; whole numbers are LEB128 with their sign in the tag, other numbers are
 * IEEE 754 doubles, little-endian; fields keep their order.
 *
 * ```text
 *  0 null   1 false   2 true   3 whole number   4 negative whole number   5 double   6 string (length, UTF-8)
 *  7 bytes (length, bytes)   8 list (length, values)   9 record (length, names and values)
 * 10 big integer   11 negative big integer
 * ```
 */

import { SnapshotError, type SnapshotValue } from "../../core/lib/snapshot.ts";

const Tag = {
  null: 0,
  false: 1,
  true: 2,
  whole: 3,
  negative: 4,
  double: 5,
  string: 6,
  bytes: 7,
  list: 8,
  record: 9,
  big: 10,
  negativeBig: 11,
} as const;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true });
/** Records lie within each other no deeper than this; what is deeper is no snapshot of ours. */
const MAX_DEPTH = 64;
const MAX_BIG_BYTES = 64;

/** The bytes of `value`. Throws `TypeError` if it holds what is not plain data. */
export function encodeValue(value: SnapshotValue): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  return writer.taken();
}

/** The value of `bytes`. Throws {@link SnapshotError} if they are not exactly one. */
export function decodeValue(bytes: Uint8Array): SnapshotValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.atEnd) throw new SnapshotError("a record is followed by bytes that belong to none");
  return value;
}

class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  taken(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  value(value: SnapshotValue): void {
    if (value === null) return this.#byte(Tag.null);
    switch (typeof value) {
      case "boolean":
        return this.#byte(value ? Tag.true : Tag.false);
      case "number":
        return this.#number(value);
      case "bigint":
        return this.#big(value);
      case "string":
        this.#byte(Tag.string);
        return this.#lengthAndBytes(ENCODER.encode(value));
      case "object":
        return this.#object(value);
      default:
        throw new TypeError(`a snapshot holds plain data, found a ${typeof value}`);
    }
  }

  #object(value: SnapshotValue & object): void {
    if (value instanceof Uint8Array) {
      this.#byte(Tag.bytes);
      return this.#lengthAndBytes(value);
    }
    if (Array.isArray(value)) {
      this.#byte(Tag.list);
      this.#whole(value.length);
      for (const each of value) this.value(each);
      return;
    }
    const fields = Object.entries(value as { readonly [field: string]: SnapshotValue });
    this.#byte(Tag.record);
    this.#whole(fields.length);
    for (const [name, field] of fields) {
      this.#lengthAndBytes(ENCODER.encode(name));
      this.value(field);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#byte(value < 0 ? Tag.negative : Tag.whole);
      return this.#whole(Math.abs(value));
    }
    this.#byte(Tag.double);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#append(bytes);
  }

  #big(value: bigint): void {
    this.#byte(value < 0n ? Tag.negativeBig : Tag.big);
    const bytes: number[] = [];
    for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= 8n) {
      bytes.push(Number(rest & 0xffn));
    }
    this.#lengthAndBytes(Uint8Array.from(bytes));
  }

  #whole(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#byte((rest % 0x80) | 0x80);
    this.#byte(rest);
  }

  #lengthAndBytes(bytes: Uint8Array): void {
    this.#whole(bytes.length);
    this.#append(bytes);
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  #append(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get atEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  value(depth: number): SnapshotValue {
    if (depth > MAX_DEPTH) throw new SnapshotError(`records lie deeper than ${MAX_DEPTH}`);
    const tag = this.#byte();
    switch (tag) {
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.whole:
        return this.#whole();
      case Tag.negative:
        return -this.#whole();
      case Tag.double: {
        const bytes = this.#take(8);
        return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
      }
      case Tag.string:
        return this.#string();
      case Tag.bytes:
        return this.#take(this.#whole()).slice();
      case Tag.list:
        return Array.from({ length: this.#count() }, () => this.value(depth + 1));
      case Tag.record:
        return this.#record(depth);
      case Tag.big:
        return this.#big();
      case Tag.negativeBig:
        return -this.#big();
      default:
        throw new SnapshotError(`there is no kind ${tag} of data`);
    }
  }

  #record(depth: number): SnapshotValue {
    const fields: [string, SnapshotValue][] = [];
    for (let left = this.#count(); left > 0; left--) {
      fields.push([this.#string(), this.value(depth + 1)]);
    }
    return Object.fromEntries(fields);
  }

  #string(): string {
    try {
      return DECODER.decode(this.#take(this.#whole()));
    } catch (error) {
      if (error instanceof SnapshotError) throw error;
      throw new SnapshotError("a text is not UTF-8", { cause: error });
    }
  }

  #big(): bigint {
    const length = this.#whole();
    if (length > MAX_BIG_BYTES) throw new SnapshotError(`a number has ${length} bytes`);
    return this.#take(length).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  /** How many values follow: each takes a byte at least. */
  #count(): number {
    const count = this.#whole();
    if (count <= this.bytes.length - this.#at) return count;
    throw new SnapshotError(`${count} values do not lie in ${this.bytes.length - this.#at} bytes`);
  }

  #whole(): number {
    let value = 0;
    for (let factor = 1; factor <= Number.MAX_SAFE_INTEGER; factor *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new SnapshotError("a whole number is too long");
  }

  #byte(): number {
    return this.#take(1)[0];
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new SnapshotError("a record ends before its data does");
    return this.bytes.subarray(this.#at, this.#at = end);
  }
}
