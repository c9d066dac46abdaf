/** All instructions: the groups in one list, and the opcode tables built from it. */

import { type Encoding, parseEncoding } from "../decode/encoding.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { BITS } from "./bits.ts";
import { DECIMAL } from "./decimal.ts";
import { CONTROL } from "./control.ts";
import { MOVES } from "./moves.ts";
import { MULTIPLY_DIVIDE } from "./multiply_divide.ts";
import { SHIFTS_AND_ROTATIONS } from "./shifts.ts";
import { MMX_SSE_MOVES } from "./mmx_sse_moves.ts";
import { SIMD_ELEMENTS } from "./simd_elements.ts";
import { SIMD_INTEGER } from "./simd_integer.ts";
import { SIMD_SHUFFLE } from "./simd_shuffle.ts";
import { SSE_COMPARE } from "./sse_compare.ts";
import { SSE_CONVERT } from "./sse_convert.ts";
import { SSE_FLOAT } from "./sse_float.ts";
import { SSE_STRINGS } from "./sse_strings.ts";
import { STRINGS } from "./strings.ts";
import { SYSTEM } from "./system.ts";
import { STACK } from "./stack.ts";
import { X87_ARITHMETIC } from "./x87_arithmetic.ts";
import { X87_COMPARE } from "./x87_compare.ts";
import { X87_CONTROL } from "./x87_control.ts";
import { X87_TRANSFERS } from "./x87_transfers.ts";
import type { InstructionGroup } from "./definition.ts";

/** Every group of instructions. */
export const GROUPS: readonly InstructionGroup[] = [
  ARITHMETIC,
  MOVES,
  STACK,
  CONTROL,
  SHIFTS_AND_ROTATIONS,
  BITS,
  MULTIPLY_DIVIDE,
  STRINGS,
  SYSTEM,
  DECIMAL,
  MMX_SSE_MOVES,
  SIMD_INTEGER,
  SIMD_SHUFFLE,
  SIMD_ELEMENTS,
  SSE_STRINGS,
  SSE_FLOAT,
  SSE_COMPARE,
  SSE_CONVERT,
  X87_TRANSFERS,
  X87_ARITHMETIC,
  X87_COMPARE,
  X87_CONTROL,
];

/** Every encoding, in the order of the groups. */
export const ENCODINGS: readonly Encoding[] = GROUPS.flatMap(({ definitions }) =>
  definitions.flatMap((definition) =>
    definition.encodings.flatMap((text) => parseEncoding(definition, text))
  )
);
