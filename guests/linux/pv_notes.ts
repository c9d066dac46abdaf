/** What a paravirtual kernel says about itself in its ELF notes. Source: Xen 4.17's `elfnote.h`. */

import { XEN_ELFNOTE } from "../../core/abi/operations.ts";
import { BootError } from "./boot_error.ts";
import type { Elf, ElfNote } from "./elf.ts";
import { ByteView } from "./layout.ts";

/** The notes that matter for building a domain. Addresses are linear. */
export interface PvNotes {
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

/** Reads the notes; throws {@link BootError} if the kernel has none, or is not for 64-bit Xen. */
export function pvNotes(elf: Elf): PvNotes {
  const notes = new Map<number, ElfNote>();
  for (const note of elf.notes) if (note.name === "Xen") notes.set(note.type, note);
  if (!notes.has(XEN_ELFNOTE.ENTRY) || elf.bits !== 64) {
    throw new BootError(
      elf.bits !== 64
        ? "kernel is a 32-bit ELF file, expected a 64-bit one for a paravirtual domain"
        : "kernel has no Xen notes (XEN_ELFNOTE_ENTRY), expected one built with CONFIG_XEN_PV",
    );
  }
  const number = (type: number): bigint | null => {
    const note = notes.get(type);
    if (!note) return null;
    const view = new ByteView(note.descriptor, `Xen note ${type}`);
    return note.descriptor.length >= 8
      ? view.readBig(0, "its value")
      : BigInt(view.read(0, 4, "its value"));
  };
  const text = (type: number): string => {
    const bytes = notes.get(type)?.descriptor ?? new Uint8Array(0);
    const end = bytes.indexOf(0);
    return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
  };
  return {
    guestOs: text(XEN_ELFNOTE.GUEST_OS),
    entry: number(XEN_ELFNOTE.ENTRY)!,
    hypercallPage: number(XEN_ELFNOTE.HYPERCALL_PAGE),
    virtBase: number(XEN_ELFNOTE.VIRT_BASE) ?? 0n,
    paddrOffset: number(XEN_ELFNOTE.PADDR_OFFSET) ?? 0n,
    initP2m: number(XEN_ELFNOTE.INIT_P2M),
    modStartPfn: (number(XEN_ELFNOTE.MOD_START_PFN) ?? 0n) !== 0n,
    features: text(XEN_ELFNOTE.FEATURES),
  };
}
