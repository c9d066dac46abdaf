/** SIB and displacement behind a ModRM byte (SDM vol. 2, "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */

import type { Decoded } from "./decoded.ts";
import type { InstructionReader } from "./reader.ts";

/** Base and index of 16-bit addressing by ModRM.rm. */
const BASES_16 = [3, 3, 5, 5, -1, -1, 5, 3] as const;
const INDICES_16 = [6, 7, 6, 7, 6, 7, -1, -1] as const;

/** Reads what of a memory operand follows its ModRM byte. */
export function readAddressing(
  reader: InstructionReader,
  into: Decoded,
  width: 16 | 32 | 64,
  long: boolean,
): void {
  into.hasAddress = true;
  into.addressWidth = width;
  if (width === 16) return readAddressing16(reader, into);
  const mod = reader.modrm >> 6;
  const rm = reader.modrm & 7;
  const rexBase = (reader.rex & 1) << 3;
  if (rm === 4) {
    const sib = reader.byte();
    const index = ((sib >> 3) & 7) | ((reader.rex & 2) << 2);
    into.scale = sib >> 6;
    into.index = index === 4 ? -1 : index;
    if ((sib & 7) === 5 && mod === 0) return into.setDisplacement(reader.doubleword());
    into.base = (sib & 7) | rexBase;
  } else if (rm === 5 && mod === 0) {
    into.ripRelative = long;
    return into.setDisplacement(reader.doubleword());
  } else into.base = rm | rexBase;
  if (mod === 1) into.setDisplacement(reader.signedByte());
  else if (mod === 2) into.setDisplacement(reader.doubleword());
}

function readAddressing16(reader: InstructionReader, into: Decoded): void {
  const mod = reader.modrm >> 6;
  const rm = reader.modrm & 7;
  if (mod === 0 && rm === 6) return into.setDisplacement((reader.word() << 16) >> 16);
  into.base = BASES_16[rm];
  into.index = INDICES_16[rm];
  if (mod === 1) into.setDisplacement(reader.signedByte());
  else if (mod === 2) into.setDisplacement((reader.word() << 16) >> 16);
}

/** Reads a memory operand that is an address alone (moffs). */
export function readAbsoluteAddress(
  reader: InstructionReader,
  into: Decoded,
  width: 16 | 32 | 64,
): void {
  into.hasAddress = true;
  into.absolute = true;
  into.base = into.index = -1;
  into.scale = 0;
  into.addressWidth = width;
  into.displacementLow = width === 16 ? reader.word() : reader.doubleword();
  into.displacementHigh = width === 64 ? reader.doubleword() : 0;
}
