/**
 * An ELF file that holds names and nothing else, for debuggers: what `objcopy --only-keep-debug` would leave of a kernel
 * with a symbol table. Source: System V ABI, "Object Files", "Symbol Table".
 */

import type { NamedPlace } from "./kernel_code.ts";

/** Sections by index: the empty one, code and data without bytes, and the three tables. */
const Section = { null: 0, text: 1, data: 2, symtab: 3, strtab: 4, shstrtab: 5 } as const;
const SECTION_NAMES = ["", ".text", ".data", ".symtab", ".strtab", ".shstrtab"];
const SHT = { symtab: 2, strtab: 3, nobits: 8 } as const;
const SHF = { write: 1, alloc: 2, execute: 4 } as const;
const ET_EXEC = 2;
const EM = { 32: 3, 64: 62 } as const;
const STB_GLOBAL = 1;
const STT = { object: 1, func: 2 } as const;
const CLASS = { 32: 1, 64: 2 } as const;

/** Sizes of the structures by class. */
const SIZES = {
  32: { header: 52, section: 40, symbol: 16, word: 4 },
  64: { header: 64, section: 64, symbol: 24, word: 8 },
} as const;

/** Bytes that are written one behind the other. */
class Bytes {
  #view = new DataView(new ArrayBuffer(4096));
  length = 0;

  put(value: number | bigint, size: number): void {
    this.#reserve(size);
    const at = this.length;
    this.length += size;
    if (size === 8) this.#view.setBigUint64(at, BigInt(value), true);
    else if (size === 4) this.#view.setUint32(at, Number(value), true);
    else if (size === 2) this.#view.setUint16(at, Number(value), true);
    else this.#view.setUint8(at, Number(value));
  }

  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#view.buffer.slice(0, this.length));
  }

  #reserve(size: number): void {
    const { buffer } = this.#view;
    if (this.length + size <= buffer.byteLength) return;
    this.#view = new DataView(buffer.transfer(2 * buffer.byteLength));
  }
}

/** Strings with closing NULs, and where each starts. */
class Strings {
  readonly #bytes: number[] = [0];

  add(text: string): number {
    if (text === "") return 0;
    const at = this.#bytes.length;
    for (let i = 0; i < text.length; i++) this.#bytes.push(text.charCodeAt(i));
    this.#bytes.push(0);
    return at;
  }

  take(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

interface Extent {
  readonly start: bigint;
  readonly size: bigint;
}

interface SectionHeader {
  readonly index: number;
  readonly type: number;
  readonly flags?: number;
  readonly start?: bigint;
  readonly offset: number;
  readonly size: number | bigint;
  readonly link?: number;
  readonly info?: number;
  readonly entry?: number;
}

/** The file for `names` of a kernel of `bits` bits. A name reaches up to the next one of its kind. */
export function writeSymbolElf(
  names: readonly NamedPlace[],
  bits: 32 | 64,
): Uint8Array<ArrayBuffer> {
  const strings = new Strings();
  const symbols = new Bytes();
  for (let i = 0; i < SIZES[bits].symbol; i++) symbols.put(0, 1);
  for (const isCode of [true, false]) {
    const kind = names.filter((each) => each.isCode === isCode)
      .sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
    for (const [i, { name, address }] of kind.entries()) {
      const next = kind[i + 1]?.address ?? address;
      putSymbol(symbols, bits, strings.add(name), address, next - address, isCode);
    }
  }
  const extents = [extentOf(names, true), extentOf(names, false)];
  return writeFile(bits, extents, symbols.take(), strings.take());
}

function putSymbol(
  to: Bytes,
  bits: 32 | 64,
  name: number,
  address: bigint,
  size: bigint,
  isCode: boolean,
): void {
  const info = (STB_GLOBAL << 4) | (isCode ? STT.func : STT.object);
  const section = isCode ? Section.text : Section.data;
  to.put(name, 4);
  if (bits === 64) {
    to.put(info, 1);
    to.put(0, 1);
    to.put(section, 2);
    to.put(address, 8);
    to.put(size, 8);
  } else {
    to.put(address, 4);
    to.put(size, 4);
    to.put(info, 1);
    to.put(0, 1);
    to.put(section, 2);
  }
}

/** The stretch that holds all code, or all else; small numbers are offsets of per-CPU data and lie nowhere. */
function extentOf(names: readonly NamedPlace[], isCode: boolean): Extent {
  const addresses = names.filter((each) => each.isCode === isCode && each.address >= 0x10_0000n)
    .map(({ address }) => address);
  if (addresses.length === 0) return { start: 0n, size: 0n };
  const start = addresses.reduce((least, each) => each < least ? each : least);
  const end = addresses.reduce((most, each) => each > most ? each : most);
  return { start, size: end - start + 1n };
}

function writeFile(
  bits: 32 | 64,
  [code, data]: readonly Extent[],
  symbols: Uint8Array,
  strings: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const sizes = SIZES[bits];
  const sectionNames = new Strings();
  const nameAt = SECTION_NAMES.map((name) => sectionNames.add(name));
  const tables = [symbols, strings, sectionNames.take()];
  const offsets: number[] = [];
  let end = sizes.header;
  for (const table of tables) {
    offsets.push(end);
    end = Math.ceil((end + table.length) / 8) * 8;
  }
  const head = new Bytes();
  putHeader(head, bits, end);
  const tail = new Bytes();
  const section = (each: SectionHeader) => {
    tail.put(nameAt[each.index], 4);
    tail.put(each.type, 4);
    const { flags = 0, start = 0n, offset, size } = each;
    for (const word of [flags, start, offset, size]) tail.put(word, sizes.word);
    tail.put(each.link ?? 0, 4);
    tail.put(each.info ?? 0, 4);
    tail.put(8, sizes.word);
    tail.put(each.entry ?? 0, sizes.word);
  };
  const { nobits, strtab } = SHT;
  const offset = sizes.header;
  section({ index: Section.null, type: 0, offset: 0, size: 0 });
  section({ index: Section.text, type: nobits, flags: SHF.alloc | SHF.execute, offset, ...code });
  section({ index: Section.data, type: nobits, flags: SHF.alloc | SHF.write, offset, ...data });
  section({
    index: Section.symtab,
    type: SHT.symtab,
    offset: offsets[0],
    size: symbols.length,
    link: Section.strtab,
    info: 1,
    entry: sizes.symbol,
  });
  section({ index: Section.strtab, type: strtab, offset: offsets[1], size: strings.length });
  section({ index: Section.shstrtab, type: strtab, offset: offsets[2], size: tables[2].length });
  const file = new Uint8Array(end + tail.length);
  file.set(head.take());
  tables.forEach((table, i) => file.set(table, offsets[i]));
  file.set(tail.take(), end);
  return file;
}

function putHeader(to: Bytes, bits: 32 | 64, sectionsAt: number): void {
  const sizes = SIZES[bits];
  for (const byte of [0x7f, 0x45, 0x4c, 0x46, CLASS[bits], 1, 1, 0]) to.put(byte, 1);
  to.put(0, 8);
  to.put(ET_EXEC, 2);
  to.put(EM[bits], 2);
  to.put(1, 4);
  to.put(0, sizes.word);
  to.put(0, sizes.word);
  to.put(sectionsAt, sizes.word);
  to.put(0, 4);
  to.put(sizes.header, 2);
  to.put(0, 2);
  to.put(0, 2);
  to.put(sizes.section, 2);
  to.put(SECTION_NAMES.length, 2);
  to.put(Section.shstrtab, 2);
}
