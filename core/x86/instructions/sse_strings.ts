/** String comparison of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2, their entries). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, V128 } from "../ir/ir.ts";
import { StringControl, StringResult } from "../system/sse_strings.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { writeStatusFlags } from "./flags.ts";
import { elementMask } from "./simd_elements.ts";

/** The mask as elements of all ones, or as bits. */
function expandMask(o: Builder, mask: I64, immediate: I64): V128 {
  const bytes = o.simd(
    "i8x16.swizzle",
    o.vector(mask, o.const(0)),
    o.vectorConst(0, 0x0101010101010101n),
  );
  const bits = o.vectorConst(0x8040201008040201n, 0x8040201008040201n);
  const byBytes = o.simd("i8x16.eq", o.simd("v128.and", bytes, bits), bits);
  const expanded = o.select(o.bit(immediate, 0), elementMask(o, "i16x8", mask), byBytes);
  return o.select(o.bit(immediate, 6), expanded, o.vector(mask, o.const(0)));
}

function compareStrings(
  mnemonic: string,
  opcode: string,
  lengths: "explicit" | "implicit",
  result: "index" | "mask",
): Definition {
  return {
    mnemonic,
    unit: "sse",
    feature: "SSE4_2",
    encodings: [`66 0F 3A ${opcode} /r: Vdq,Wdq,Ib`],
    run(o, first: Operand, second: Operand, control: Operand) {
      const b = o.readVector(second);
      const a = o.readVector(first);
      const immediate = o.read(control);
      const wide = o.width === 64 ? StringControl.wide : 0;
      const flag = lengths === "explicit" ? StringControl.explicit | wide : 0;
      const given = lengths === "explicit"
        ? o.vector(o.register("rax"), o.register("rdx"))
        : o.vectorConst(0, 0);
      const answer = o.system(
        "sseCompareStrings",
        a,
        b,
        o.or(immediate, o.const(flag)),
        given,
      );
      if (result === "index") {
        const index = o.and(o.shr(answer, o.const(StringResult.indexShift)), o.const(0xff));
        o.setRegister("rcx", 32, index);
      } else {
        const mask = o.and(answer, o.const(StringResult.mask));
        o.setVectorField("xmm", expandMask(o, mask, immediate));
      }
      writeStatusFlags(o, o.shr(answer, o.const(StringResult.flagsShift)));
    },
  };
}

/** The string comparisons of SSE4.2. */
export const SSE_STRINGS: InstructionGroup = {
  name: "SSE4.2 string comparison",
  definitions: [
    compareStrings("PCMPESTRM", "60", "explicit", "mask"),
    compareStrings("PCMPESTRI", "61", "explicit", "index"),
    compareStrings("PCMPISTRM", "62", "implicit", "mask"),
    compareStrings("PCMPISTRI", "63", "implicit", "index"),
  ],
};
