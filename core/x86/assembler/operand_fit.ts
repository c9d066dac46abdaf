/** Which written operands can stand for which operands of the opcode tables: kinds, widths, register numbers. */

import type { OperandSpec } from "../decode/encoding.ts";
import type { MemoryOperand, Operand } from "./operand.ts";
import type { Spelling } from "./spellings.ts";

/** Whether an operand as written can be the operand `spec` of `width` bits. */
export function operandFits(
  operand: Operand,
  spec: OperandSpec,
  width: number,
  operandBits: number,
  spelling: Spelling,
): boolean {
  switch (operand.kind) {
    case "register":
      return registerFits(operand, spec, width, spelling);
    case "memory": {
      if (!"EMWQO".includes(spec.source)) return false;
      if (spec.source === "O" && !isOffset(operand)) return false;
      if (operand.far !== isFarTransfer(spelling)) return false;
      return operand.sizeBits === 0 || width === 0 || operand.sizeBits === width;
    }
    case "immediate": {
      if (spec.source === "J") {
        const isShort = spec.size === "b";
        const wanted = operand.distance === null || (operand.distance === "short") === isShort;
        return wanted && (operand.sizeBits === 0 || operand.sizeBits === operandBits);
      }
      if (spec.source === "constant") return spec.size === "b" && !usesSegmentNumber(spelling);
      if (spec.source !== "I" || operand.distance !== null) return false;
      const isByte = spec.size === "b" || spec.size === "bs";
      return operand.sizeBits === 0 || operand.sizeBits === width ||
        (operand.sizeBits === 8 && isByte) ||
        (spec.size === "z" && operand.sizeBits === Math.min(width, 32));
    }
    case "far":
      return spec.source === "A" && (operand.sizeBits === 0 || operand.sizeBits === operandBits);
  }
}

function registerFits(
  { register }: Operand & { kind: "register" },
  spec: OperandSpec,
  width: number,
  spelling: Spelling,
): boolean {
  if (isHint(spelling)) return false;
  switch (spec.source) {
    case "E":
    case "G":
    case "R":
    case "Z": {
      if (register.class !== "general") return false;
      if (spec.size === "w" && takesSelector(spelling)) return register.widthBits > 8;
      if (register.widthBits !== width) return false;
      if (spec.source !== "Z") return true;
      // 90 is NOP, which XCHG EAX, EAX is not in 64-bit mode.
      if (spelling.encoding.opcode === 0x90 && register.number === 0) return false;
      return (spelling.encoding.opcode & 7) === (register.number & 7);
    }
    case "C":
      return register.class === "control";
    case "D":
      return register.class === "debug";
    case "V":
    case "W":
    case "U":
      return register.class === "xmm";
    case "P":
    case "Q":
    case "N":
      return register.class === "mmx";
    case "ST":
      return register.class === "x87";
    case "fixed":
      if (spec.number === 32) return register.class === "xmm" && register.number === 0;
      return register.class === "general" && register.number === spec.number &&
        register.widthBits === width;
    case "constant":
      if (spec.size === "t") return register.class === "x87" && register.number === 0;
      return usesSegmentNumber(spelling) && register.class === "segment" &&
        register.number === spec.number;
    default:
      return false;
  }
}

/** Instructions that read a selector from the low half of a register of any width. */
function takesSelector({ encoding }: Spelling): boolean {
  return ["MOV to segment register", "LAR", "LSL"].includes(encoding.definition.mnemonic);
}

/** PREFETCH instructions: hints about memory, whose operand has no width. */
export function isHint({ digit, name }: Spelling): boolean {
  return digit >= 0 && name !== "nop";
}

/** The constants of these encodings are numbers of segment registers. */
export function usesSegmentNumber({ encoding }: Spelling): boolean {
  return encoding.definition.mnemonic.endsWith("segment register");
}

function isFarTransfer({ encoding }: Spelling): boolean {
  return encoding.definition.mnemonic.endsWith(" far");
}

/** A memory operand that is an address alone. */
function isOffset({ base, index, ripRelative }: MemoryOperand): boolean {
  return !base && !index && !ripRelative;
}
