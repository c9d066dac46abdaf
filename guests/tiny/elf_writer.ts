/**
 * Writes the smallest ELF executables that boot loaders take: one loadable segment, and notes that tell Xen how it is
 * started. Sources: System V ABI, "Object Files"; Xen public header elfnote.h.
 */

/** A note of Xen's: its type (`XEN_ELFNOTE_*`), and a number below 2^32 or a text. */
export type XenNote = readonly [type: number, value: number | string];

/** What goes into an executable. */
export interface ElfContents {
  readonly bits: 32 | 64;
  /** Physical (and virtual) address of the first byte. */
  readonly address: number;
  readonly entry: number;
  readonly bytes: Uint8Array;
  /** Memory behind them that is zero at the start; default 0. */
  readonly zeroBytes?: number;
  /** Default none. */
  readonly notes?: readonly XenNote[];
}

const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_RWX = 7;
const PF_R = 4;
const NOTE_NAME = "Xen\0";
/** Header, program headers and note fit before the first byte that is loaded. */
const DATA_OFFSET = 0x1000;

/** An ELF executable; throws `RangeError` if an address is not below 4 GiB. */
export function writeElf(contents: ElfContents): Uint8Array<ArrayBuffer> {
  const { bits, address, entry, bytes, zeroBytes = 0, notes = [] } = contents;
  const memoryBytes = bytes.length + zeroBytes;
  for (const value of [address, entry, address + memoryBytes]) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new RangeError(`expected ELF addresses below 4 GiB, found ${value}`);
    }
  }
  const image = new Uint8Array(DATA_OFFSET + bytes.length);
  const fields = new FieldWriter(image);
  const headerBytes = bits === 32 ? 52 : 64;
  const programHeaderBytes = bits === 32 ? 32 : 56;
  const headers = notes.length > 0 ? 2 : 1;
  const notesAt = headerBytes + 2 * programHeaderBytes;
  const noteBytes = notes.map(noteOf).flat();
  fields.put(1, 0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1);
  fields.at = 16;
  fields.put(2, ET_EXEC, bits === 32 ? EM_386 : EM_X86_64);
  fields.put(4, 1);
  fields.put(bits / 8, entry, headerBytes, 0);
  fields.put(4, 0);
  fields.put(2, headerBytes, programHeaderBytes, headers, 0, 0, 0);
  const sizes = [bytes.length, memoryBytes] as const;
  fields.programHeader(bits, PT_LOAD, PF_RWX, DATA_OFFSET, address, sizes, 0x1000);
  if (headers > 1) {
    const { length } = noteBytes;
    fields.programHeader(bits, PT_NOTE, PF_R, notesAt, 0, [length, length], 4);
    fields.put(1, ...noteBytes);
  }
  image.set(bytes, DATA_OFFSET);
  return image;
}

/** A note's bytes: the sizes of name and value, the type, both; each padded to words. */
function noteOf([type, value]: XenNote): number[] {
  const word = (number: number) => [0, 8, 16, 24].map((shift) => (number >>> shift) & 0xff);
  const characters = (text: string) => [...text].map((each) => each.charCodeAt(0));
  const bytes = typeof value === "number" ? word(value) : characters(`${value}\0`);
  const padding = new Array<number>(-bytes.length & 3).fill(0);
  const header = [NOTE_NAME.length, bytes.length, type].flatMap(word);
  return [...header, ...characters(NOTE_NAME), ...bytes, ...padding];
}

/** Writes little-endian fields one after another. */
class FieldWriter {
  at = 0;
  readonly #view: DataView;

  constructor(image: Uint8Array<ArrayBuffer>) {
    this.#view = new DataView(image.buffer);
  }

  /** Puts values of `sizeBytes` bytes each. */
  put(sizeBytes: number, ...values: readonly number[]): void {
    for (const value of values) {
      for (let i = 0; i < sizeBytes; i++) {
        this.#view.setUint8(this.at++, i < 4 ? (value >>> (8 * i)) & 0xff : 0);
      }
    }
  }

  programHeader(
    bits: 32 | 64,
    type: number,
    flags: number,
    offset: number,
    address: number,
    [fileBytes, memoryBytes]: readonly [number, number],
    align: number,
  ): void {
    this.put(4, type);
    // The flags moved to the front in the 64-bit header.
    if (bits === 64) this.put(4, flags);
    this.put(bits / 8, offset, address, address, fileBytes, memoryBytes);
    if (bits === 32) this.put(4, flags);
    this.put(bits / 8, align);
  }
}
