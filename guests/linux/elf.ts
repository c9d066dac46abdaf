/**
 * ELF executables of x86, 32 and 64 bits: program headers and notes, bounds-checked.
 * Source: System V ABI, "Object Files".
 */

import { BootError } from "./boot_error.ts";
import { ByteView, defineLayout } from "./layout.ts";

const ident = defineLayout("e_ident", 16, {
  EI_MAG: [0, 4],
  EI_CLASS: [4, 1],
  EI_DATA: [5, 1],
  EI_VERSION: [6, 1],
});

const ehdr32 = defineLayout("Elf32_Ehdr", 52, {
  e_type: [16, 2],
  e_machine: [18, 2],
  e_version: [20, 4],
  e_entry: [24, 4],
  e_phoff: [28, 4],
  e_shoff: [32, 4],
  e_phentsize: [42, 2],
  e_phnum: [44, 2],
  e_shentsize: [46, 2],
  e_shnum: [48, 2],
  e_shstrndx: [50, 2],
});

const ehdr64 = defineLayout("Elf64_Ehdr", 64, {
  e_type: [16, 2],
  e_machine: [18, 2],
  e_version: [20, 4],
  e_entry: [24, 8],
  e_phoff: [32, 8],
  e_shoff: [40, 8],
  e_phentsize: [54, 2],
  e_phnum: [56, 2],
  e_shentsize: [58, 2],
  e_shnum: [60, 2],
  e_shstrndx: [62, 2],
});

/** `Elf32_Phdr`, the fields that matter for loading. */
export const phdr32 = defineLayout("Elf32_Phdr", 32, {
  p_type: [0, 4],
  p_offset: [4, 4],
  p_vaddr: [8, 4],
  p_paddr: [12, 4],
  p_filesz: [16, 4],
  p_memsz: [20, 4],
  p_align: [28, 4],
});

/** `Elf64_Phdr`, the fields that matter for loading. */
export const phdr64 = defineLayout("Elf64_Phdr", 56, {
  p_type: [0, 4],
  p_offset: [8, 8],
  p_vaddr: [16, 8],
  p_paddr: [24, 8],
  p_filesz: [32, 8],
  p_memsz: [40, 8],
  p_align: [48, 8],
});

const shdr32 = defineLayout("Elf32_Shdr", 40, {
  sh_name: [0, 4],
  sh_type: [4, 4],
  sh_offset: [16, 4],
  sh_size: [20, 4],
});

const shdr64 = defineLayout("Elf64_Shdr", 64, {
  sh_name: [0, 4],
  sh_type: [4, 4],
  sh_offset: [24, 8],
  sh_size: [32, 8],
});

const noteHeader = defineLayout("Elf_Nhdr", 12, {
  n_namesz: [0, 4],
  n_descsz: [4, 4],
  n_type: [8, 4],
});

const ELF_MAGIC = 0x464c_457f;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT_NOBITS = 8;
/** More program headers than any kernel has; bounds the work on a corrupt file. */
const PROGRAM_HEADER_LIMIT = 4096;

/** Machines that somebody may try to boot by mistake (System V ABI, "e_machine"). */
const machineNames: Readonly<Record<number, string>> = {
  2: "SPARC",
  3: "i386",
  8: "MIPS",
  20: "PowerPC",
  21: "64-bit PowerPC",
  22: "S390",
  40: "32-bit ARM",
  43: "64-bit SPARC",
  50: "IA-64",
  62: "x86-64",
  183: "arm64 (AArch64)",
  243: "RISC-V",
  258: "LoongArch",
};

/** A loadable part of an executable, by physical address. */
export interface ElfSegment {
  readonly address: number;
  /** Where it is linked to run. */
  readonly virtualAddress: bigint;
  readonly bytes: Uint8Array;
  /** Size in memory, at least `bytes.length`. */
  readonly sizeBytes: number;
}

/** A note: its owner's name, type and descriptor. */
export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly descriptor: Uint8Array;
}

/** A parsed executable. */
export interface Elf {
  /** 32 or 64 bits. */
  readonly bits: 32 | 64;
  /** `executable` is ET_EXEC or ET_DYN; `relocatable` is ET_REL, as kernel modules are. */
  readonly type: "executable" | "relocatable";
  /** The physical address of the entry point. */
  readonly entry: number;
  /** PT_LOAD segments with a size in memory. */
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

/** Whether `bytes` begins with the magic number of ELF. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c &&
    bytes[3] === 0x46;
}

/**
 * Parses an x86 ELF file. Throws {@link BootError} if it is truncated, corrupt, or of another
 * architecture. `subject` names it in errors.
 */
export function parseElf(bytes: Uint8Array, subject = "ELF kernel"): Elf {
  const view = new ByteView(bytes, subject);
  const { bits, header } = readHeader(view);
  const type = view.get(header, "e_type");
  if (type < 1 || type > 3) {
    throw new BootError(`${subject} has ELF type ${type}, expected an executable (ET_EXEC)`);
  }
  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  const parts = programHeaders(view, bits);
  for (const part of parts) {
    if (part.type === PT_LOAD && part.memoryBytes > 0) {
      segments.push(loadSegment(view, part));
    } else if (part.type === PT_NOTE) {
      notes.push(
        ...readNotes(view.slice(part.offset, part.fileBytes, "a PT_NOTE segment"), subject),
      );
    }
  }
  return {
    bits,
    type: type === 1 ? "relocatable" : "executable",
    entry: physicalEntry(view, view.getBig(header, "e_entry"), parts),
    segments,
    notes,
  };
}

/** The contents of the section `name` of an x86 ELF file, or `null` if it has none. */
export function elfSection(
  bytes: Uint8Array,
  name: string,
  subject = "ELF file",
): Uint8Array | null {
  const view = new ByteView(bytes, subject);
  const { bits, header } = readHeader(view);
  const layout = bits === 32 ? shdr32 : shdr64;
  const table = view.get(header, "e_shoff");
  const count = view.get(header, "e_shnum");
  if (table === 0 || count === 0) return null;
  const at = (index: number) => table + index * layout.sizeBytes;
  const names = at(view.get(header, "e_shstrndx"));
  const nameBytes = view.slice(
    view.get(layout, "sh_offset", names),
    view.get(layout, "sh_size", names),
    "the section name table",
  );
  for (let index = 1; index < count; index++) {
    if (!startsWithName(nameBytes, view.get(layout, "sh_name", at(index)), name)) continue;
    if (view.get(layout, "sh_type", at(index)) === SHT_NOBITS) return null;
    return view.slice(
      view.get(layout, "sh_offset", at(index)),
      view.get(layout, "sh_size", at(index)),
      `section ${name}`,
    );
  }
  return null;
}

function readHeader(view: ByteView): { bits: 32 | 64; header: typeof ehdr32 | typeof ehdr64 } {
  if (view.get(ident, "EI_MAG") !== ELF_MAGIC) {
    throw new BootError(`${view.subject} is not ELF, expected it to begin with 7f 45 4c 46`);
  }
  const bits = view.get(ident, "EI_CLASS") === 2 ? 64 : 32;
  const header = bits === 64 ? ehdr64 : ehdr32;
  const bigEndian = view.get(ident, "EI_DATA") === 2;
  const raw = view.get(header, "e_machine");
  const machine = bigEndian ? ((raw & 0xff) << 8) | (raw >> 8) : raw;
  if (bigEndian || (machine !== 3 && machine !== 62)) {
    const found = machineNames[machine] ?? `machine number ${machine}`;
    throw new BootError(
      `${view.subject} is for ${found}${bigEndian ? ", big-endian" : ""}; ` +
        "this machine runs i386 and x86-64 code",
    );
  }
  return { bits, header };
}

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly virtualAddress: bigint;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

function programHeaders(view: ByteView, bits: 32 | 64): ProgramHeader[] {
  const header = bits === 32 ? ehdr32 : ehdr64;
  const layout = bits === 32 ? phdr32 : phdr64;
  const count = view.get(header, "e_phnum");
  const stride = view.get(header, "e_phentsize");
  if (count === 0) return [];
  if (stride < layout.sizeBytes || count > PROGRAM_HEADER_LIMIT) {
    throw new BootError(
      `${view.subject} is corrupt: ${count} program headers of ${stride} bytes, expected at most ` +
        `${PROGRAM_HEADER_LIMIT} of ${layout.sizeBytes}`,
    );
  }
  const table = view.get(header, "e_phoff");
  return Array.from({ length: count }, (_, index) => {
    const base = table + index * stride;
    return {
      type: view.get(layout, "p_type", base),
      offset: view.get(layout, "p_offset", base),
      virtualAddress: view.getBig(layout, "p_vaddr", base),
      address: view.get(layout, "p_paddr", base),
      fileBytes: view.get(layout, "p_filesz", base),
      memoryBytes: view.get(layout, "p_memsz", base),
    };
  });
}

/**
 * Some kernels (Linux) name a physical entry point, others (GNU Mach) a virtual one: an entry inside the
 * virtual range of a segment is the same place in its physical range.
 */
function physicalEntry(view: ByteView, entry: bigint, parts: readonly ProgramHeader[]): number {
  const home = parts.find(({ type, virtualAddress, memoryBytes }) =>
    type === PT_LOAD && virtualAddress <= entry && entry < virtualAddress + BigInt(memoryBytes)
  );
  const physical = home ? entry - home.virtualAddress + BigInt(home.address) : entry;
  if (physical >= 1n << 52n) {
    throw new BootError(
      `${view.subject} has its entry at 0x${entry.toString(16)}, which is in none of its segments`,
    );
  }
  return Number(physical);
}

function loadSegment(view: ByteView, part: ProgramHeader): ElfSegment {
  if (part.fileBytes > part.memoryBytes) {
    throw new BootError(
      `${view.subject} is corrupt: a segment has ${part.fileBytes} bytes in the file but only ` +
        `${part.memoryBytes} in memory`,
    );
  }
  return {
    address: part.address,
    virtualAddress: part.virtualAddress,
    bytes: view.slice(part.offset, part.fileBytes, "a PT_LOAD segment"),
    sizeBytes: part.memoryBytes,
  };
}

function readNotes(bytes: Uint8Array, subject: string): ElfNote[] {
  const view = new ByteView(bytes, `note segment of the ${subject}`);
  const notes: ElfNote[] = [];
  let offset = 0;
  while (offset + noteHeader.sizeBytes <= bytes.length) {
    const nameBytes = view.get(noteHeader, "n_namesz", offset);
    const descriptorBytes = view.get(noteHeader, "n_descsz", offset);
    const nameAt = offset + noteHeader.sizeBytes;
    const descriptorAt = nameAt + roundUp4(nameBytes);
    notes.push({
      name: cName(view.slice(nameAt, nameBytes, "a note's name")),
      type: view.get(noteHeader, "n_type", offset),
      // GRUB for 32-bit Xen has a descriptor that claims more than there is.
      descriptor: bytes.subarray(descriptorAt, descriptorAt + descriptorBytes),
    });
    offset = descriptorAt + roundUp4(descriptorBytes);
  }
  return notes;
}

function roundUp4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

/** The Latin-1 text of `bytes` up to the first NUL. */
function cName(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}

function startsWithName(table: Uint8Array, offset: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (table[offset + index] !== name.charCodeAt(index)) return false;
  }
  return table[offset + name.length] === 0;
}
