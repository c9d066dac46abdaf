/**
 * Undoes the x86 filter of xz: before compression the relative targets of CALL and JMP (opcodes E8 and
 * E9) became absolute ones. Whether an operand was converted follows from the opcodes seen shortly
 * before it. Source: "The .xz File Format", section 5.3.2, whose reference is liblzma's x86 filter.
 */

/** By which of the last three bytes were opcodes: whether a conversion is possible at all. */
const POSSIBLE = [true, true, true, false, true, false, false, false] as const;
/** By the same: which operand byte (counted from the last) may belong to an earlier opcode. */
const SHARED_BYTE = [0, 1, 2, 2, 3, 3, 3, 3] as const;

/** The top byte of a converted operand is a sign extension. */
function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

/** Replaces the absolute targets in `code` by relative ones; `start` is the address of its first byte. */
export function undoX86BranchFilter(code: Uint8Array, start = 0): void {
  let previous = -1;
  let history = 0;
  const last = code.length - 5;
  for (let at = 0; at <= last; at++) {
    if ((code[at] & 0xfe) !== 0xe8) continue;
    const distance = at - previous;
    previous = at;
    history = distance > 3 ? 0 : (history << (distance - 1)) & 7;
    const blocked = history !== 0 &&
      (!POSSIBLE[history] || isSignByte(code[at + 4 - SHARED_BYTE[history]]));
    if (blocked || !isSignByte(code[at + 4])) {
      history = (history << 1) | 1;
      continue;
    }
    writeOperand(code, at + 1, relativeTarget(readOperand(code, at + 1), start + at + 5, history));
    at += 4;
  }
}

/** The operand of a branch whose next instruction is at `next`, sign-extended from 25 bits. */
function relativeTarget(operand: number, next: number, history: number): number {
  let value = operand;
  let relative = (value - next) | 0;
  const shift = SHARED_BYTE[history] * 8;
  // At most two rounds: the second makes the shared byte differ from a sign byte.
  while (history !== 0 && isSignByte((relative >>> (24 - shift)) & 0xff)) {
    value = relative ^ (2 ** (32 - shift) - 1);
    relative = (value - next) | 0;
  }
  return (relative << 7) >> 7;
}

function readOperand(code: Uint8Array, at: number): number {
  return code[at] | (code[at + 1] << 8) | (code[at + 2] << 16) | (code[at + 3] << 24);
}

function writeOperand(code: Uint8Array, at: number, value: number): void {
  for (let byte = 0; byte < 4; byte++) code[at + byte] = value >>> (8 * byte);
}
