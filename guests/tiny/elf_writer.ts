/**
 * Writes the smallest ELF executables that boot loaders take: one loadable segment, and for PVH a note that
 * names the 32-bit entry. Sources: System V ABI, "Object Files"; Xen public header elfnote.h.
 */

/** What goes into an executable. */
export interface ElfContents {
  readonly bits: 32 | 64;
  /** Physical (and virtual) address of the first byte. */
  readonly address: number;
  readonly entry: number;
  readonly bytes: Uint8Array;
  /** Adds the note XEN_ELFNOTE_PHYS32_ENTRY with the entry's address. */
  readonly pvh: boolean;
}

const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_RWX = 7;
const PF_R = 4;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
/** Header, program headers and note fit before the first byte that is loaded. */
const DATA_OFFSET = 0x1000;

/** An ELF executable; throws `RangeError` if an address is not below 4 GiB. */
export function writeElf(contents: ElfContents): Uint8Array<ArrayBuffer> {
  const { bits, address, entry, bytes, pvh } = contents;
  for (const value of [address, entry, address + bytes.length]) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new RangeError(`expected ELF addresses below 4 GiB, found ${value}`);
    }
  }
  const image = new Uint8Array(DATA_OFFSET + bytes.length);
  const fields = new FieldWriter(image);
  const headerBytes = bits === 32 ? 52 : 64;
  const programHeaderBytes = bits === 32 ? 32 : 56;
  const noteAt = headerBytes + 2 * programHeaderBytes;
  fields.put(1, 0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1);
  fields.at = 16;
  fields.put(2, ET_EXEC, bits === 32 ? EM_386 : EM_X86_64);
  fields.put(4, 1);
  fields.put(bits / 8, entry, headerBytes, 0);
  fields.put(4, 0);
  fields.put(2, headerBytes, programHeaderBytes, pvh ? 2 : 1, 0, 0, 0);
  fields.programHeader(bits, PT_LOAD, PF_RWX, DATA_OFFSET, address, bytes.length, 0x1000);
  if (pvh) {
    const noteBytes = 20;
    fields.programHeader(bits, PT_NOTE, PF_R, noteAt, 0, noteBytes, 4);
    fields.put(4, 4, 4, XEN_ELFNOTE_PHYS32_ENTRY);
    fields.put(1, 0x58, 0x65, 0x6e, 0);
    fields.put(4, entry);
  }
  image.set(bytes, DATA_OFFSET);
  return image;
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
    sizeBytes: number,
    align: number,
  ): void {
    this.put(4, type);
    // The flags moved to the front in the 64-bit header.
    if (bits === 64) this.put(4, flags);
    this.put(bits / 8, offset, address, address, sizeBytes, sizeBytes);
    if (bits === 32) this.put(4, flags);
    this.put(bits / 8, align);
  }
}
