/** What a tiny guest is: an image built from assembly, and what it reports when all goes well. */

import { XEN_ELFNOTE } from "../../core/abi/operations.ts";
import { assemble } from "../../core/x86/assembler/mod.ts";
import { writeElf } from "./elf_writer.ts";

/** A kernel of our own. */
export interface TinyGuest {
  readonly name: string;
  readonly summary: string;
  /** How many CPUs it needs to report what {@link expectedOutput} says. */
  readonly cpus: number;
  /** The assembly it is made of. */
  readonly source: string;
  /** The ELF executable, for Multiboot (32-bit) or PVH (64-bit). */
  image(): Uint8Array<ArrayBuffer>;
  /** What it writes to the serial port. */
  readonly expectedOutput: string;
  /** The code with which it ends through the debug-exit port when all went well. */
  readonly expectedExitCode: number;
}

/** Where images are loaded: above the first MiB, as both protocols ask. */
const LOAD_ADDRESS = 0x10_0000;

/** What a guest writes to port 0xF4 when all went well; the exit code is twice that, plus one. */
export const SUCCESS = 0x10;
/** What it writes after an exception that it did not ask for. */
export const FAILURE = 0x11;

/** How a guest is described; `source` has a label `entry`, of 32-bit code. */
export interface TinyGuestDescription {
  readonly name: string;
  readonly summary: string;
  readonly cpus?: number;
  readonly protocol: "multiboot" | "pvh";
  readonly source: string;
  readonly expectedOutput: string;
}

/** A guest from its description; it is assembled when its image is asked for. */
export function tinyGuest(description: TinyGuestDescription): TinyGuest {
  const { name, summary, cpus = 1, protocol, source, expectedOutput } = description;
  return {
    name,
    summary,
    cpus,
    source,
    expectedOutput,
    expectedExitCode: SUCCESS * 2 + 1,
    image() {
      const { bytes, labels } = assemble(source, { bits: 32, origin: LOAD_ADDRESS });
      const entry = Number(labels.entry);
      const pvh = protocol === "pvh";
      return writeElf({
        bits: pvh ? 64 : 32,
        address: LOAD_ADDRESS,
        entry,
        bytes,
        notes: pvh ? [[XEN_ELFNOTE.PHYS32_ENTRY, entry]] : [],
      });
    },
  };
}
