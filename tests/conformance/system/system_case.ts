/**
 * A case of the system behaviour suite: a few instructions, and the exceptions that the manual says they raise.
 *
 * In the body `@name` is a label of the case, and `@probe` the address of eight bytes that the case may leave
 * results in. Everything that a case changes is put back by the suite (segments, flags, CR0, CR4) or by itself.
 */

import { XEN_ELFNOTE } from "../../../core/abi/operations.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { writeElf, type XenNote } from "../../../guests/tiny/mod.ts";

/** An exception that must have been delivered. */
export interface ExpectedTrap {
  readonly vector: number;
  /** The error code; left out, the exception pushes none. */
  readonly error?: number;
  /** Label of the pushed instruction pointer. */
  readonly at: string;
  /** CR2, for page faults; `at`: the faulting instruction itself could not be fetched. */
  readonly cr2?: bigint | "at";
  /** The code runs through the user alias of the guest's first pages, {@link USER_ALIAS} above them. */
  readonly alias?: boolean;
}

/** One page of specification. */
export interface SystemCase {
  /** What the manual says, as a claim. */
  readonly claim: string;
  readonly body: string;
  readonly traps: readonly ExpectedTrap[];
  /** What the body left at `@probe`. */
  readonly probe?: bigint;
}

/** Where the guests leave what happened. */
export const RECORDS = 0x9000;
export const RECORD_BYTES = 48;
export const PROBES = 0x7000;
export const PROBE_BYTES = 8;

/** In the 64-bit guest, ring 3 sees the guest's first 2 MiB here. */
export const USER_ALIAS = 0x20_0000;

/** The assembly of case `number`: numbered labels, the point to go on at after an exception. */
export function caseSource(
  { body }: SystemCase,
  number: number,
  bits: 32 | 64,
): string {
  const named = body
    .replaceAll("@probe", String(PROBES + number * PROBE_BYTES))
    .replaceAll(/@(\w+)/g, `case${number}_$1`);
  const size = bits === 32 ? "dword" : "qword";
  return `
        mov dword [case_number], ${number}
        mov ${size} [resume], case${number}_end
${named}
        jmp case${number}_end
case${number}_end:
        call restore
`;
}

/** Vectors whose exceptions push an error code. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** The entry points of vectors below `vectors`: each leads to `recorder` with an error code (or -1) and its number. */
export function stubs(vectors: number): string {
  const lines: string[] = [];
  for (let vector = 0; vector < vectors; vector++) {
    lines.push(`stub${vector}:`);
    if (!WITH_ERROR_CODE.has(vector)) lines.push("        push -1");
    lines.push(`        push ${vector}`, "        jmp recorder");
  }
  return lines.join("\n");
}

/** Where guests of the suite are loaded. */
const LOAD_ADDRESS = 0x10_0000;

/** The image of a guest that starts at its label `entry`, and the labels that expectations name. */
export function guestOf(
  source: string,
  bits: 32 | 64,
): { image: Uint8Array; labels: Readonly<Record<string, bigint>> } {
  const { bytes, labels } = assemble(source, { bits: 32, origin: LOAD_ADDRESS });
  const entry = Number(labels.entry);
  const notes: XenNote[] = bits === 64 ? [[XEN_ELFNOTE.PHYS32_ENTRY, entry]] : [];
  const image = writeElf({ bits, address: LOAD_ADDRESS, entry, bytes, notes });
  return { image, labels };
}

/** A case that must fault at `@fault`. */
export function faulting(
  claim: string,
  body: string,
  vector: number,
  error?: number,
  cr2?: bigint,
): SystemCase {
  return { claim, body, traps: [{ vector, error, at: "fault", cr2 }] };
}
