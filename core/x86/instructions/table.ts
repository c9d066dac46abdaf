/** All instructions: the groups in one list, and the opcode tables built from it. */

import { type Encoding, parseEncoding } from "../decode/encoding.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { CONTROL } from "./control.ts";
import { MOVES } from "./moves.ts";
import { SHIFTS_AND_ROTATIONS } from "./shifts.ts";
import { STACK } from "./stack.ts";
import type { InstructionGroup } from "./definition.ts";

/** Every group of instructions. */
export const GROUPS: readonly InstructionGroup[] = [
  ARITHMETIC,
  MOVES,
  STACK,
  CONTROL,
  SHIFTS_AND_ROTATIONS,
];

/** Every encoding, in the order of the groups. */
export const ENCODINGS: readonly Encoding[] = GROUPS.flatMap(({ definitions }) =>
  definitions.flatMap((definition) =>
    definition.encodings.flatMap((text) => parseEncoding(definition, text))
  )
);
