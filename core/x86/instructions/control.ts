/** Jumps, calls, returns and software interrupts (SDM vol. 2, the entries of each mnemonic). */

import type { Builder } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import { Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { condition, overflow, zero } from "./flags.ts";
import { loadFarPointer, opcode, perCondition } from "./moves.ts";
import { drop, push, top } from "./stack.ts";

/** Pushes the offset of the next instruction and continues at `target`. */
function call(o: Builder, target: I64, direct: boolean): void {
  o.checkTarget(target);
  push(o, o.nextIp());
  o.continueAt(target, direct);
}

/** Continues at the offset on top of the stack and drops it and `extra` bytes. */
function ret(o: Builder, extra: I64 | null): void {
  const target = top(o);
  o.checkTarget(target);
  drop(o, extra);
  o.continueAt(target);
}

const NEAR: readonly Definition[] = [
  ...perCondition((name, code) => ({
    mnemonic: `J${name}`,
    encodings: [`${opcode(0x70, code)}: Jb f64`, `0F ${opcode(0x80, code)}: Jz f64`],
    depends: ["long"],
    run(o, target) {
      o.if(condition(o, code), () => o.jumpRelative(target));
    },
  })),
  {
    mnemonic: "JMP",
    encodings: ["E9: Jz f64", "EB: Jb f64"],
    depends: ["long"],
    run(o, target) {
      o.jumpRelative(target);
    },
  },
  {
    mnemonic: "JMP",
    encodings: ["FF /4: Ev f64"],
    depends: ["long"],
    run(o, target) {
      o.jump(o.read(target));
    },
  },
  {
    mnemonic: "CALL",
    encodings: ["E8: Jz f64"],
    depends: ["long", "stack"],
    run(o, target) {
      call(o, o.relativeTarget(target), true);
    },
  },
  {
    mnemonic: "CALL",
    encodings: ["FF /2: Ev f64"],
    depends: ["long", "stack"],
    run(o, target) {
      call(o, o.read(target), false);
    },
  },
  {
    mnemonic: "RET",
    encodings: ["C3: - f64"],
    depends: ["long", "stack"],
    run(o) {
      ret(o, null);
    },
  },
  {
    mnemonic: "RET",
    encodings: ["C2: Iw f64"],
    depends: ["long", "stack"],
    run(o, extra) {
      ret(o, o.read(extra));
    },
  },
];

/** A loop instruction that counts rCX down and jumps while it is not zero and `also` holds. */
function loopInstruction(
  mnemonic: string,
  encoding: string,
  also: ((o: Builder) => Bool) | null,
): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    depends: ["address", "long"],
    run(o, operand) {
      const size = o.form.addressWidth as Width;
      const count = o.zext(o.sub(o.register("rcx", size), o.const(1)), size);
      const target = o.relativeTarget(operand);
      const taken = also ? o.bothOf(o.isNonzero(count), also(o)) : o.isNonzero(count);
      o.if(taken, () => o.checkTarget(target));
      o.setRegister("rcx", size, count);
      o.if(taken, () => o.continueAt(target, true));
    },
  };
}

const LOOPS: readonly Definition[] = [
  loopInstruction("LOOPNE", "E0: Jb f64", (o) => o.isNot(zero(o))),
  loopInstruction("LOOPE", "E1: Jb f64", zero),
  loopInstruction("LOOP", "E2: Jb f64", null),
  {
    mnemonic: "JCXZ/JECXZ/JRCXZ",
    encodings: ["E3: Jb f64"],
    depends: ["address", "long"],
    run(o, target) {
      const count = o.register("rcx", o.form.addressWidth as Width);
      o.if(o.isZero(count), () => o.jumpRelative(target));
    },
  },
];

/** A far JMP or CALL: direct and through memory. */
function farTransfer(mnemonic: string, direct: string, indirect: string, system: string) {
  const definitions: Definition[] = [
    {
      mnemonic,
      encodings: [direct],
      run(o, pointer) {
        o.system(system, o.immediate2(), o.read(pointer), o.const(o.width));
      },
    },
    {
      mnemonic,
      encodings: [indirect],
      depends: ["address"],
      run(o, pointer) {
        const { offset, selector } = loadFarPointer(o, pointer);
        o.system(system, selector, offset, o.const(o.width));
      },
    },
  ];
  return definitions;
}

const FAR: readonly Definition[] = [
  ...farTransfer("JMP far", "EA: Ap not64", "FF /5: Mp", "jumpFar"),
  ...farTransfer("CALL far", "9A: Ap not64", "FF /3: Mp", "callFar"),
  {
    mnemonic: "RET far",
    encodings: ["CB: -"],
    run(o) {
      o.system("returnFar", o.const(o.width), o.const(0));
    },
  },
  {
    mnemonic: "RET far",
    encodings: ["CA: Iw"],
    run(o, extra) {
      o.system("returnFar", o.const(o.width), o.read(extra));
    },
  },
  {
    mnemonic: "IRET",
    encodings: ["CF: -"],
    run(o) {
      o.system("iret", o.const(o.width));
    },
  },
];

/** A definition that raises #UD. */
function undefinedInstruction(mnemonic: string, encoding: string): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o) {
      o.raise(Exception.UD);
    },
  };
}

const INTERRUPTS: readonly Definition[] = [
  {
    mnemonic: "INT",
    encodings: ["CD: Ib"],
    run(o, vector) {
      o.system("int", o.read(vector));
    },
  },
  {
    mnemonic: "INT3",
    encodings: ["CC: -"],
    run(o) {
      o.system("int3");
    },
  },
  {
    mnemonic: "INTO",
    encodings: ["CE: - not64"],
    run(o) {
      o.if(overflow(o), () => o.system("into"));
    },
  },
  {
    mnemonic: "INT1",
    encodings: ["F1: -"],
    run(o) {
      o.system("int1");
    },
  },
  {
    mnemonic: "BOUND",
    encodings: ["62 /r: Gv,M not64"],
    depends: ["address"],
    run(o, index, bounds) {
      const address = o.address(bounds);
      const behind = o.add(address, o.const(o.width / 8));
      const lower = o.sext(o.load("operand", address, o.width), o.width);
      const upperOffset = o.zext(behind, o.form.addressWidth as Width);
      const upper = o.sext(o.load("operand", upperOffset, o.width), o.width);
      const value = o.sext(o.read(index), o.width);
      o.if(
        o.eitherOf(o.ltS(value, lower), o.ltS(upper, value)),
        () => o.raise(Exception.BR),
      );
    },
  },
  undefinedInstruction("UD0", "0F FF /r: Gv,Ev"),
  undefinedInstruction("UD1", "0F B9 /r: Gv,Ev"),
  undefinedInstruction("UD2", "0F 0B: -"),
];

/** Control transfers. */
export const CONTROL: InstructionGroup = {
  name: "control transfers",
  definitions: [...NEAR, ...LOOPS, ...FAR, ...INTERRUPTS],
};
