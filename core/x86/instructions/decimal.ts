/** Decimal adjustment (SDM vol. 2, "AAA" to "AAS", "DAA", "DAS"); outside 64-bit mode only. */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64 } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { adjust, carry, setCarryOverflowAdjust, setLogicFlags, setResultFlags } from "./flags.ts";

/** Whether the low digit of AL is above 9 or AF is set. */
function lowDigitCarries(o: Builder, al: I64): Bool {
  return o.eitherOf(o.ltU(o.const(9), o.and(al, o.const(0xf))), adjust(o));
}

/** DAA and DAS; OF, undefined, is cleared. */
function adjustPacked(mnemonic: string, encoding: string, subtract: boolean): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o) {
      const al = o.register("rax", 8);
      const low = lowDigitCarries(o, al);
      const high = o.eitherOf(o.ltU(o.const(0x99), al), carry(o));
      const zero = o.const(0);
      const amount = o.add(
        o.select(low, o.const(0x06), zero),
        o.select(high, o.const(0x60), zero),
      );
      const result = o.zext(subtract ? o.sub(al, amount) : o.add(al, amount), 8);
      o.setRegister("rax", 8, result);
      // The low digit's borrow alone leaves CF set after DAS.
      const borrowed = o.bothOf(low, o.ltU(al, o.const(6)));
      const no = o.differ(low, low);
      setResultFlags(o, result, 8);
      setCarryOverflowAdjust(o, subtract ? o.eitherOf(high, borrowed) : high, no, low);
    },
  };
}

/** AAA and AAS; SF, ZF and PF, undefined, are those of AL, OF is cleared. */
function adjustUnpacked(mnemonic: string, encoding: string, by: number): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o) {
      const ax = o.register("rax", 16);
      const carries = lowDigitCarries(o, ax);
      const adjusted = o.select(carries, o.add(ax, o.const(by)), ax);
      const result = o.and(adjusted, o.const(0xff0f));
      o.setRegister("rax", 16, result);
      setResultFlags(o, o.zext(result, 8), 8);
      setCarryOverflowAdjust(o, carries, o.differ(carries, carries), carries);
    },
  };
}

const definitions: readonly Definition[] = [
  adjustPacked("DAA", "27: - not64", false),
  adjustPacked("DAS", "2F: - not64", true),
  adjustUnpacked("AAA", "37: - not64", 0x106),
  adjustUnpacked("AAS", "3F: - not64", -0x106),
  {
    mnemonic: "AAM",
    encodings: ["D4: Ib not64 b"],
    run(o, base) {
      const divisor = o.read(base);
      o.if(o.isZero(divisor), () => o.raise(Exception.DE));
      const al = o.register("rax", 8);
      const digit = o.remU(al, divisor);
      o.setRegister("rax", 16, o.or(digit, o.shl(o.divU(al, divisor), o.const(8))));
      setLogicFlags(o, digit);
    },
  },
  {
    mnemonic: "AAD",
    encodings: ["D5: Ib not64 b"],
    run(o, base) {
      const ax = o.register("rax", 16);
      const high = o.shr(ax, o.const(8));
      const result = o.zext(o.add(ax, o.mul(high, o.read(base))), 8);
      o.setRegister("rax", 16, result);
      setLogicFlags(o, result);
    },
  },
];

/** Decimal adjustment. */
export const DECIMAL: InstructionGroup = { name: "decimal adjustment", definitions };
