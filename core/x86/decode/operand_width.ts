/** How wide an operand of the opcode tables is; decoder and assembler ask alike. */

import type { OperandSize } from "./encoding.ts";

/**
 * The width of an operand in bits, 0 for one that is not accessed: `operandSize` is the instruction's, and `wide`
 * says that a REX.W is in force (SDM vol. 2, appendix A.2.2 "Codes for Operand Type").
 */
export function operandWidth(size: OperandSize, operandSize: number, wide: boolean): number {
  switch (size) {
    case "b":
      return 8;
    case "w":
      return 16;
    case "d":
      return 32;
    case "q":
      return 64;
    case "dq":
      return 128;
    case "t":
      return 80;
    case "v":
    case "bs":
      return operandSize;
    case "z":
      return Math.min(operandSize, 32);
    case "y":
      return wide ? 64 : 32;
    case "p":
    case "":
      return 0;
  }
}
