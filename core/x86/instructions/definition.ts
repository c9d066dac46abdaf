/** What groups of instructions are written with: the shape of a definition (see ir/definition.ts). */

export {
  type Definition,
  type Dependence,
  type InstructionGroup,
  requireUnit,
  type Unit,
} from "../ir/definition.ts";
