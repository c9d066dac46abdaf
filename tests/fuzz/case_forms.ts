/**
 * The forms of instructions that the oracle can judge: for each encoding and mode, its operand kinds, widths and REP
 * prefixes, as far as they make a difference.
 */

import type { Decoder } from "../../core/x86/decode/decoder.ts";
import type { Encoding } from "../../core/x86/decode/encoding.ts";
import type { BoundForm, Instruction } from "../../core/x86/ir/instruction.ts";
import { decodeMode } from "../../core/x86/decode/mode.ts";
import type { DecodeMode } from "../../core/x86/decode/mode.ts";
import { ModeKey } from "../../core/x86/system/mode.ts";

export const LONG_MODE: DecodeMode = decodeMode(ModeKey.long);
export const COMPATIBILITY_MODE: DecodeMode = decodeMode(
  ModeKey.code32 | ModeKey.stack32 | ModeKey.flat,
);

/** One form, of which cases are made. */
export interface CaseForm {
  readonly name: string;
  readonly encoding: Encoding;
  readonly long: boolean;
  /** The ModRM operand is memory. */
  readonly memory: boolean;
  /** Prefixes that make the form, without REX. */
  readonly prefixes: readonly number[];
  readonly rexW: boolean;
  /** The opcode is another instruction's without REX.B. */
  readonly rexB: boolean;
  readonly bound: BoundForm;
  /** Whether an address-size prefix is part of the form. */
  readonly addressPrefix: boolean;
}

/** Every form of `encodings` that `decoder` knows. */
export function caseForms(encodings: readonly Encoding[], decoder: Decoder): CaseForm[] {
  return encodings.flatMap((encoding) =>
    [true, false].flatMap((long) => formsOf(encoding, long, decoder))
  );
}

function formsOf(encoding: Encoding, long: boolean, decoder: Decoder): CaseForm[] {
  if (encoding.attributes.has(long ? "not64" : "only64")) return [];
  const forms = formsWith(encoding, long, false, decoder);
  return forms.length > 0 || !long ? forms : formsWith(encoding, long, true, decoder);
}

function formsWith(
  encoding: Encoding,
  long: boolean,
  rexB: boolean,
  decoder: Decoder,
): CaseForm[] {
  const forms: CaseForm[] = [];
  const seen = new Set<string>();
  for (const memory of kindsOf(encoding)) {
    for (const { prefixes, rexW } of prefixSets(encoding, long)) {
      const bytes = [
        ...prefixes,
        ...(rexW || rexB ? [0x40 | (rexW ? 8 : 0) | (rexB ? 1 : 0)] : []),
        ...opcodeBytes(encoding),
        ...modrmBytes(encoding, memory),
      ];
      const decoded = decodePadded(decoder, bytes, long);
      if (decoded === null || decoded.bound.definition !== encoding.definition) continue;
      const key = `${decoded.bound.index}/${memory}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const marks = prefixes.map((p) => p.toString(16)).concat(rexW ? ["W"] : []).join(" ");
      const mode = long ? "64" : "32";
      const opcode = encoding.opcode.toString(16);
      const kind = encoding.hasModrm ? (memory ? " memory" : " register") : "";
      forms.push({
        name: `${encoding.definition.mnemonic} (${encoding.text}) ${opcode} ${mode}${kind} ${marks}`
          .trim(),
        encoding,
        long,
        memory,
        prefixes,
        rexW,
        rexB,
        bound: decoded.bound,
        addressPrefix: prefixes.includes(0x67),
      });
    }
  }
  return forms;
}

/** Decodes `bytes` followed by zeros; null if they are no instruction. */
export function decodePadded(
  decoder: Decoder,
  bytes: readonly number[],
  long: boolean,
): Instruction | null {
  const padded = new Uint8Array(32);
  padded.set(bytes);
  const decoded = decoder.decode(padded, 0, 32, long ? LONG_MODE : COMPATIBILITY_MODE);
  return typeof decoded === "string" ? null : decoded;
}

function kindsOf(encoding: Encoding): readonly boolean[] {
  if (!encoding.hasModrm || encoding.modrm >= 0 || encoding.mod === "register") return [false];
  return encoding.mod === "memory" ? [true] : [false, true];
}

interface PrefixSet {
  readonly prefixes: readonly number[];
  readonly rexW: boolean;
}

function prefixSets(encoding: Encoding, long: boolean): PrefixSet[] {
  const { prefix, definition: { depends = [] } } = encoding;
  const mandatory = /^[6F]/.test(prefix) ? [Number.parseInt(prefix, 16)] : [];
  const sizes = prefix === "any" || prefix === "F2" || prefix === "F3" ? [[], [0x66]] : [[]];
  const repeats = depends.includes("repeat") && prefix === "any" ? [[], [0xf3], [0xf2]] : [[]];
  const addresses = depends.includes("address") ? [[], [0x67]] : [[]];
  return (long ? [false, true] : [false]).flatMap((rexW) =>
    sizes.flatMap((size) =>
      repeats.flatMap((repeat) =>
        addresses.map((address) => ({
          prefixes: [...address, ...size, ...repeat, ...mandatory],
          rexW,
        }))
      )
    )
  );
}

/** The opcode with its escapes. */
export function opcodeBytes({ map, opcode }: Encoding): number[] {
  return [...[[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][map], opcode];
}

function modrmBytes(encoding: Encoding, memory: boolean): number[] {
  if (!encoding.hasModrm) return [];
  if (encoding.modrm >= 0) return [encoding.modrm];
  const reg = Math.max(encoding.digit, 0) << 3;
  // Memory at [ESI], which 16-bit addressing reads as [BP + displacement].
  return [memory ? reg | 6 : 0xc0 | reg | 1];
}
