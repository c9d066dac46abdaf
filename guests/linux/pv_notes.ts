/**
 * What a paravirtual kernel says about itself: in ELF notes, or in the section `__xen_guest`, a text that kernels had
 * before there were notes and that some still have. Source: Xen 4.17's `elfnote.h`, which gives both names of each.
 */

import { XEN_ELFNOTE } from "../../core/abi/operations.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { BootError } from "./boot_error.ts";
import { type Elf, elfSection, parseElf } from "./elf.ts";
import { ByteView } from "./layout.ts";

/** What matters for building a domain. Addresses are linear. */
export interface PvNotes {
  /** How wide the kernel's words are. */
  readonly model: DataModel;
  readonly guestOs: string;
  readonly entry: bigint;
  readonly hypercallPage: bigint | null;
  /** Where pseudo-physical address 0 is mapped. */
  readonly virtBase: bigint;
  /** What the kernel's physical addresses in the ELF file have above pseudo-physical ones. */
  readonly paddrOffset: bigint;
  /** Where the list of machine frames is wanted, or `null`: behind the kernel. */
  readonly initP2m: bigint | null;
  /** The initramfs need not be mapped: its frame number is enough. */
  readonly modStartPfn: boolean;
  readonly features: string;
}

/** A kernel's words by what they mean; `null` where it says nothing. */
interface Source {
  number(name: NumberName): bigint | null;
  text(name: TextName): string;
}

type NumberName =
  | "entry"
  | "hypercallPage"
  | "virtBase"
  | "paddrOffset"
  | "initP2m"
  | "modStartPfn";
type TextName = "guestOs" | "features" | "paeMode";

/** Notes by what they mean. */
const NOTES: Readonly<Record<NumberName | TextName, number>> = {
  entry: XEN_ELFNOTE.ENTRY,
  hypercallPage: XEN_ELFNOTE.HYPERCALL_PAGE,
  virtBase: XEN_ELFNOTE.VIRT_BASE,
  paddrOffset: XEN_ELFNOTE.PADDR_OFFSET,
  initP2m: XEN_ELFNOTE.INIT_P2M,
  modStartPfn: XEN_ELFNOTE.MOD_START_PFN,
  guestOs: XEN_ELFNOTE.GUEST_OS,
  features: XEN_ELFNOTE.FEATURES,
  paeMode: XEN_ELFNOTE.PAE_MODE,
};

/** Words of `__xen_guest`; what is newer than it has none. */
const LEGACY: Readonly<Record<NumberName | TextName, string | null>> = {
  entry: "VIRT_ENTRY",
  hypercallPage: "HYPERCALL_PAGE",
  virtBase: "VIRT_BASE",
  paddrOffset: "ELF_PADDR_OFFSET",
  initP2m: null,
  modStartPfn: null,
  guestOs: "GUEST_OS",
  features: "FEATURES",
  paeMode: "PAE",
};

const LEGACY_SECTION = "__xen_guest";
const PAGE_SHIFT = 12n;

/** Reads what `kernel`, an ELF file, says. Throws {@link BootError} if it is not for Xen, or not for its 64-bit or PAE ABI. */
export function pvNotes(kernel: Uint8Array, elf: Elf = parseElf(kernel, "kernel")): PvNotes {
  const model = elf.bits === 64 ? "lp64" : "ilp32";
  const notes = fromNotes(elf);
  const section = notes === null ? elfSection(kernel, LEGACY_SECTION, "kernel") : null;
  const source = notes ?? (section && fromSection(section, elf));
  if (source === null) {
    throw new BootError(
      "kernel has no Xen notes (XEN_ELFNOTE_ENTRY), expected one built with CONFIG_XEN_PV",
    );
  }
  const paeMode = source.text("paeMode");
  if (model === "ilp32" && !/^(yes|bimodal)/.test(paeMode)) {
    throw new BootError(
      `kernel is a 32-bit one with PAE mode "${paeMode}", expected "yes": Xen has no other`,
    );
  }
  return {
    model,
    guestOs: source.text("guestOs"),
    entry: source.number("entry")!,
    hypercallPage: source.number("hypercallPage"),
    virtBase: source.number("virtBase") ?? 0n,
    paddrOffset: source.number("paddrOffset") ?? 0n,
    initP2m: source.number("initP2m"),
    modStartPfn: (source.number("modStartPfn") ?? 0n) !== 0n,
    features: source.text("features"),
  };
}

/** The notes, or `null` if there is none that says where the kernel starts. */
function fromNotes(elf: Elf): Source | null {
  const notes = new Map<number, Uint8Array>();
  for (const { name, type, descriptor } of elf.notes) {
    if (name === "Xen") notes.set(type, descriptor);
  }
  if (!notes.has(XEN_ELFNOTE.ENTRY)) return null;
  return {
    number(name) {
      const descriptor = notes.get(NOTES[name]);
      if (!descriptor) return null;
      const view = new ByteView(descriptor, `Xen note ${NOTES[name]}`);
      return descriptor.length >= 8
        ? view.readBig(0, "its value")
        : BigInt(view.read(0, 4, "its value"));
    },
    text: (name) => upToNul(notes.get(NOTES[name]) ?? new Uint8Array(0)),
  };
}

/**
 * `__xen_guest`: `NAME=VALUE,NAME=VALUE,…`. The kernel starts where the ELF file does, unless it says otherwise; the
 * hypercall page is counted in pages from the virtual base, which physical addresses begin with as well.
 */
function fromSection(section: Uint8Array, elf: Elf): Source {
  const words = new Map(
    upToNul(section).split(",").map((word): [string, string] => {
      const at = word.indexOf("=");
      return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
  const given = (name: NumberName): bigint | null => {
    const text = words.get(LEGACY[name] ?? "");
    if (text === undefined) return null;
    if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
      throw new BootError(`kernel's ${LEGACY[name]} is "${text}", expected a number`);
    }
    return BigInt(text);
  };
  const virtBase = given("virtBase") ?? 0n;
  return {
    number(name) {
      const value = given(name);
      switch (name) {
        case "entry":
          return value ?? virtualEntry(elf);
        case "paddrOffset":
          return value ?? virtBase;
        case "hypercallPage":
          return value === null ? null : virtBase + (value << PAGE_SHIFT);
        default:
          return value;
      }
    },
    text: (name) => words.get(LEGACY[name] ?? "") ?? "",
  };
}

/** The entry point where the kernel is linked to run. */
function virtualEntry({ entry, segments }: Elf): bigint {
  const home = segments.find(({ address, sizeBytes }) =>
    address <= entry && entry < address + sizeBytes
  );
  return home ? home.virtualAddress + BigInt(entry - home.address) : BigInt(entry);
}

/** The Latin-1 text of `bytes` up to the first NUL. */
function upToNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}
