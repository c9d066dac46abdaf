/** What an instruction would have taken, for the error that refuses what was written. */

import type { OperandSpec } from "../decode/encoding.ts";
import type { WrittenInstruction } from "./candidates.ts";
import { usesSegmentNumber } from "./operand_fit.ts";
import type { Spelling } from "./spellings.ts";

const FORMS_SHOWN = 8;

/** The error for operands that no encoding takes: it lists what there is. */
export function noEncoding(
  { name, bits, operands }: WrittenInstruction,
  spellings: readonly Spelling[],
): SyntaxError {
  const other = bits === 64 ? "not64" : "only64";
  const here = spellings.filter(({ encoding }) => !encoding.attributes.has(other));
  if (here.length === 0) {
    return new SyntaxError(`${name} does not exist in ${bits}-bit code`);
  }
  const forms = [
    ...new Set(here.map((spelling) => {
      const specs = spelling.encoding.operands;
      return specs.length === 0
        ? "no operands"
        : specs.map((s) => describe(s, spelling)).join(", ");
    })),
  ];
  const shown = forms.slice(0, FORMS_SHOWN).join(" | ") +
    (forms.length > FORMS_SHOWN ? " | …" : "");
  const count = operands.length === 1 ? "this operand" : "these operands";
  return new SyntaxError(
    `${name} does not take ${
      operands.length === 0 ? "no operands" : count
    } in ${bits}-bit code; it takes ${shown}`,
  );
}

const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];

/** An operand of an encoding in the manual's words: `r/m32`, `imm8`, `rel32`. */
function describe(spec: OperandSpec, spelling: Spelling): string {
  const widths: Readonly<Record<string, string>> = {
    b: "8",
    w: "16",
    d: "32",
    q: "64",
    dq: "128",
    t: "80",
    v: "16/32/64",
    y: "32/64",
    z: "16/32",
    bs: "8",
    p: "far",
    "": "",
  };
  const width = widths[spec.size];
  switch (spec.source) {
    case "E":
      return `r/m${width}`;
    case "G":
    case "R":
    case "Z":
      return `r${width}`;
    case "M":
      return `m${width}`;
    case "I":
      return `imm${width}`;
    case "J":
      return `rel${width}`;
    case "A":
      return "selector:offset";
    case "O":
      return `[address]`;
    case "S":
      return "segment register";
    case "C":
      return "control register";
    case "D":
      return "debug register";
    case "V":
    case "U":
      return "xmm";
    case "W":
      return `xmm/m${width}`;
    case "P":
    case "N":
      return "mm";
    case "Q":
      return `mm/m${width}`;
    case "ST":
      return "st";
    case "fixed":
      return spec.number === 32
        ? "xmm0"
        : spec.number === 2
        ? "dx"
        : spec.number === 1
        ? "cl"
        : "al/ax/eax";
    case "constant":
      if (spec.size === "t") return "st0";
      return usesSegmentNumber(spelling) ? SEGMENT_NAMES[spec.number] : String(spec.number);
  }
}
