/**
 * An encoder for the part of the ACPI Machine Language that a PC's DSDT needs.
 *
 * Each function returns the bytes of one term. Source: ACPI Specification 6.4, chapter 20
 * "ACPI Machine Language (AML) Specification".
 */

/** The bytes of a term. */
export type Aml = readonly number[];

const Op = {
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  string: 0x0d,
  qword: 0x0e,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  method: 0x14,
  dualName: 0x2e,
  multiName: 0x2f,
  extended: 0x5b,
  device: 0x82,
  return: 0xa4,
} as const;

/** A NameString such as `\_SB.PCI0`; throws `SyntaxError` on a segment that is no name. */
export function nameString(path: string): Aml {
  const [, prefix, rest] = /^(\\|\^*)(.*)$/.exec(path)!;
  const segments = rest.split(".").map((segment) => {
    if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) {
      throw new SyntaxError(`expected an ACPI name of up to 4 characters, found "${segment}"`);
    }
    return ascii(segment.padEnd(4, "_"));
  });
  const count = segments.length;
  const lead = count === 1 ? [] : count === 2 ? [Op.dualName] : [Op.multiName, count];
  return [...ascii(prefix), ...lead, ...segments.flat()];
}

/** An integer constant, 0 to 2^53 - 1, in its shortest form. */
export function integer(value: number): Aml {
  if (value <= 1) return [value];
  if (value <= 0xff) return [Op.byte, value];
  if (value <= 0xffff) return [Op.word, ...littleEndian(value, 2)];
  if (value <= 0xffff_ffff) return [Op.dword, ...littleEndian(value, 4)];
  return [Op.qword, ...littleEndian(value, 8)];
}

/** A string constant of ASCII characters. */
export function string(text: string): Aml {
  return [Op.string, ...ascii(text), 0];
}

/** A buffer of the given bytes. */
export function buffer(bytes: Aml): Aml {
  return [Op.buffer, ...withLength([...integer(bytes.length), ...bytes])];
}

/** A package of up to 255 elements. */
export function amlPackage(elements: readonly Aml[]): Aml {
  if (elements.length > 255) {
    throw new RangeError(`a package has at most 255 elements, found ${elements.length}`);
  }
  return [Op.package, ...withLength([elements.length, ...elements.flat()])];
}

/** Name(path, value). */
export function name(path: string, value: Aml): Aml {
  return [Op.name, ...nameString(path), ...value];
}

/** Scope(path) { body }. */
export function scope(path: string, ...body: readonly Aml[]): Aml {
  return [Op.scope, ...withLength([...nameString(path), ...body.flat()])];
}

/** Device(path) { body }. */
export function device(path: string, ...body: readonly Aml[]): Aml {
  return [Op.extended, Op.device, ...withLength([...nameString(path), ...body.flat()])];
}

/** Method(path, argumentCount) { body }. */
export function method(path: string, argumentCount: number, ...body: readonly Aml[]): Aml {
  return [Op.method, ...withLength([...nameString(path), argumentCount, ...body.flat()])];
}

/** Return(value). */
export function returns(value: Aml): Aml {
  return [Op.return, ...value];
}

/** EisaId("PNP0A03"): three letters and four hex digits, compressed into 32 bits, big-endian. */
export function eisaId(id: string): Aml {
  const match = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id);
  if (!match) throw new SyntaxError(`expected an EISA id such as PNP0A03, found "${id}"`);
  const [a, b, c] = ascii(match[1]).map((letter) => letter - 0x40);
  const letters = (a << 10) | (b << 5) | c;
  const product = parseInt(match[2], 16);
  return [Op.dword, letters >> 8, letters & 0xff, product >> 8, product & 0xff];
}

/** `value` in `size` bytes, lowest first. */
export function littleEndian(value: number, size: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; bytes.length < size; rest = Math.floor(rest / 256)) bytes.push(rest % 256);
  return bytes;
}

/** The codes of a string of ASCII characters. */
export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0) & 0x7f);
}

/** PkgLength and its contents; the length counts its own bytes ("Package Length Encoding"). */
function withLength(contents: Aml): Aml {
  const short = contents.length + 1;
  if (short < 0x40) return [short, ...contents];
  for (let extra = 1; extra <= 3; extra++) {
    const total = contents.length + 1 + extra;
    if (total < 2 ** (4 + 8 * extra)) {
      return [(extra << 6) | (total & 15), ...littleEndian(total >> 4, extra), ...contents];
    }
  }
  throw new RangeError(`an AML object has less than 256 MiB, found ${contents.length} bytes`);
}
