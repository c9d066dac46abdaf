/** ModRM, SIB and displacement (SDM vol. 2, "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */

import type { Addressing } from "../ir/instruction.ts";
import type { ByteReader, Prefixes } from "./prefixes.ts";

/** The parts of a ModRM byte. */
export interface Modrm {
  readonly mod: number;
  readonly reg: number;
  readonly rm: number;
  readonly byte: number;
}

export function readModrm(reader: ByteReader): Modrm {
  const byte = reader.byte();
  return { mod: byte >> 6, reg: (byte >> 3) & 7, rm: byte & 7, byte };
}

/** Base and index of 16-bit addressing by ModRM.rm. */
const BASES_16 = [[3, 6], [3, 7], [5, 6], [5, 7], [-1, 6], [-1, 7], [5, -1], [3, -1]] as const;

/** Reads what of a memory operand follows its ModRM byte. */
export function readAddressing(
  reader: ByteReader,
  modrm: Modrm,
  prefixes: Prefixes,
  width: 16 | 32 | 64,
  long: boolean,
): Addressing {
  if (width === 16) return readAddressing16(reader, modrm);
  const { mod } = modrm;
  const rexBase = (prefixes.rex & 1) << 3;
  let base = modrm.rm | rexBase;
  let index = -1;
  let scale = 0;
  if (modrm.rm === 4) {
    const sib = reader.byte();
    scale = sib >> 6;
    index = ((sib >> 3) & 7) | ((prefixes.rex & 2) << 2);
    if (index === 4) index = -1;
    base = (sib & 7) | rexBase;
    if ((sib & 7) === 5 && mod === 0) {
      return { base: -1, index, scale, displacement: reader.signed(32), ripRelative: false, width };
    }
  } else if (modrm.rm === 5 && mod === 0) {
    const displacement = reader.signed(32);
    return { base: -1, index, scale, displacement, ripRelative: long, width };
  }
  const displacement = mod === 1 ? reader.signed(8) : mod === 2 ? reader.signed(32) : 0n;
  return { base, index, scale, displacement, ripRelative: false, width };
}

function readAddressing16(reader: ByteReader, { mod, rm }: Modrm): Addressing {
  if (mod === 0 && rm === 6) {
    const displacement = reader.signed(16);
    return { base: -1, index: -1, scale: 0, displacement, ripRelative: false, width: 16 };
  }
  const [base, index] = BASES_16[rm];
  const displacement = mod === 1 ? reader.signed(8) : mod === 2 ? reader.signed(16) : 0n;
  return { base, index, scale: 0, displacement, ripRelative: false, width: 16 };
}
