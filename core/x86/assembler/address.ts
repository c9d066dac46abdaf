/** Memory operands as ModRM, SIB and displacement (SDM vol. 2, 2.1.5, "Addressing-Mode Encoding"). */

import type { MemoryOperand } from "./operand.ts";
import type { Register } from "./registers.ts";

/** One way to encode a memory operand. */
export interface AddressForm {
  readonly operand: MemoryOperand;
  readonly widthBits: 16 | 32 | 64;
  readonly mod: number;
  readonly rm: number;
  /** SIB byte, or -1. */
  readonly sib: number;
  readonly rexX: boolean;
  readonly rexB: boolean;
  /** 0, 8, 16, 32 or (offset alone) 64. */
  readonly displacementBits: number;
  readonly ripRelative: boolean;
}

/** ModRM.rm of 16-bit addressing by the numbers of its registers, the lower one first. */
const RM_16: Readonly<Record<string, number>> = {
  "3,6": 0,
  "3,7": 1,
  "5,6": 2,
  "5,7": 3,
  "6": 4,
  "7": 5,
  "5": 6,
  "3": 7,
};

/**
 * The forms of `operand` in `bits`-bit code, with address size `demandedBits` if that is not 0; `offset` asks
 * for the address alone, as MOV with an accumulator takes it. Throws `SyntaxError` for an impossible address.
 */
export function addressForms(
  operand: MemoryOperand,
  bits: 16 | 32 | 64,
  demandedBits: number,
  offset: boolean,
): AddressForm[] {
  const registerBits = (operand.base ?? operand.index)?.widthBits ?? 0;
  const widthBits = (registerBits || demandedBits || bits) as 16 | 32 | 64;
  if (bits === 64 ? widthBits === 16 : widthBits === 64) {
    throw new SyntaxError(`${bits}-bit code has no ${widthBits}-bit addresses`);
  }
  if (demandedBits !== 0 && demandedBits !== widthBits) {
    throw new SyntaxError(`the address is ${widthBits} bits wide, not ${demandedBits}`);
  }
  if (operand.ripRelative && bits !== 64) throw new SyntaxError("rel exists in 64-bit code only");
  const plain = {
    operand,
    widthBits,
    sib: -1,
    rexX: false,
    rexB: false,
    ripRelative: false,
  };
  if (offset) return [{ ...plain, mod: 0, rm: 0, displacementBits: widthBits }];
  if (widthBits === 16) return forms16(operand, plain);
  const { base, index } = operand;
  if (!base && !index) {
    if (operand.ripRelative) {
      return [{ ...plain, mod: 0, rm: 5, displacementBits: 32, ripRelative: true }];
    }
    if (bits !== 64) return [{ ...plain, mod: 0, rm: 5, displacementBits: 32 }];
  }
  return formsWide(operand, plain);
}

type Plain = Omit<AddressForm, "mod" | "rm" | "displacementBits">;

function forms16({ base, index, scale }: MemoryOperand, plain: Plain): AddressForm[] {
  const numbers = [base, index].filter((r): r is Register => r !== null).map((r) => r.number);
  if (numbers.length === 0) return [{ ...plain, mod: 0, rm: 6, displacementBits: 16 }];
  const rm = RM_16[numbers.sort((a, b) => a - b).join()];
  if (rm === undefined || scale !== 1) {
    throw new SyntaxError("a 16-bit address is bx or bp, plus si or di, plus a displacement");
  }
  const wide = [[1, 8], [2, 16]].map(([mod, displacementBits]) => ({
    ...plain,
    mod,
    rm,
    displacementBits,
  }));
  return rm === 6 ? wide : [{ ...plain, mod: 0, rm, displacementBits: 0 }, ...wide];
}

function formsWide({ base, index, scale }: MemoryOperand, plain: Plain): AddressForm[] {
  const baseBits = base ? base.number & 7 : 5;
  const needsSib = index !== null || base === null || baseBits === 4;
  const indexBits = index ? index.number & 7 : 4;
  const registers = {
    rm: needsSib ? 4 : baseBits,
    sib: needsSib ? (Math.log2(scale) << 6) | (indexBits << 3) | baseBits : -1,
    rexX: (index?.number ?? 0) > 7,
    rexB: (base?.number ?? 0) > 7,
  };
  const form = (mod: number, displacementBits: number) => ({
    ...plain,
    ...registers,
    mod,
    displacementBits,
  });
  if (!base) return [form(0, 32)];
  const wide = [form(1, 8), form(2, 32)];
  return baseBits === 5 ? wide : [form(0, 0), ...wide];
}
