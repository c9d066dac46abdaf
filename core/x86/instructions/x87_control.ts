/**
 * x87 control instructions (SDM vol. 2, FLDCW to FWAIT). Those with N in their names do not wait: they raise no
 * pending exception. None of them changes FIP.
 */

import type { Builder } from "../ir/builder.ts";
import type { I64 } from "../ir/ir.ts";
import { Cr0, Exception } from "../state/bits.ts";
import { X87Status } from "../system/x87_calls.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { openX87 } from "./x87_stack.ts";

/** Bits of the control word that can be set; bit 6 always is (SDM vol. 1, "x87 FPU Control Word"). */
const Control = { writable: 0x1f3f, fixed: 0x40 } as const;

/** The status word with TOP. */
function statusWord(o: Builder): I64 {
  return o.or(o.field("fpuStatus"), o.shl(o.field("fpuTop"), o.const(11)));
}

/** FNSTENV and its like: the system function has the layouts. */
function image(mnemonic: string, encoding: string, name: string, waits: boolean): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings: [`${encoding}: M`],
    run(o, area) {
      if (waits) openX87(o);
      o.system(name, o.operandSegment(), o.address(area), o.const(o.width));
    },
  };
}

const definitions: readonly Definition[] = [
  {
    mnemonic: "FLDCW",
    unit: "x87",
    encodings: ["D9 /5: Mw"],
    run(o, source) {
      const { status } = openX87(o);
      const control = o.or(
        o.and(o.read(source), o.const(Control.writable)),
        o.const(Control.fixed),
      );
      o.setField("fpuControl", control);
      // Flags that the new masks let through are pending from now on, and those masked now no longer.
      const unmasked = o.and(o.and(status, o.not(control)), o.const(X87Status.exceptions));
      const summary = o.select(
        o.isNonzero(unmasked),
        o.const(X87Status.summary),
        o.const(0),
      );
      const rest = o.and(status, o.const(0xffff & ~X87Status.summary));
      o.setField("fpuStatus", o.or(rest, summary));
    },
  },
  {
    mnemonic: "FNSTCW",
    unit: "x87",
    encodings: ["D9 /7: Mw"],
    run(o, destination) {
      o.write(destination, o.field("fpuControl"));
    },
  },
  {
    mnemonic: "FNSTSW",
    unit: "x87",
    encodings: ["DD /7: Mw", "DF E0: AX"],
    run(o, destination) {
      o.write(destination, statusWord(o));
    },
  },
  {
    mnemonic: "FNCLEX",
    unit: "x87",
    encodings: ["DB E2: -"],
    run(o) {
      const cleared = X87Status.exceptions | X87Status.SF | X87Status.summary;
      o.setField("fpuStatus", o.and(o.field("fpuStatus"), o.const(0xffff & ~cleared)));
    },
  },
  {
    mnemonic: "FNINIT",
    unit: "x87",
    encodings: ["DB E3: -"],
    run(o) {
      o.system("fninit");
    },
  },
  image("FNSTENV", "D9 /6", "fnstenv", false),
  image("FLDENV", "D9 /4", "fldenv", true),
  image("FNSAVE", "DD /6", "fnsave", false),
  image("FRSTOR", "DD /4", "frstor", true),
  {
    // Interrupt masks of the 8087 and the protected-mode switch of the 80287 (FNENI, FNDISI, FNSETPM).
    mnemonic: "FNENI",
    unit: "x87",
    encodings: ["DB E0: -", "DB E1: -", "DB E4: -"],
    run() {},
  },
  {
    mnemonic: "FWAIT",
    encodings: ["9B: -"],
    run(o) {
      const monitored = o.const(Cr0.MP | Cr0.TS);
      o.if(o.eq(o.and(o.field("cr0"), monitored), monitored), () => o.raise(Exception.NM));
      openX87(o);
    },
  },
];

/** Control of the x87 FPU. */
export const X87_CONTROL: InstructionGroup = { name: "x87 control", definitions };
