/**
 * System instructions (SDM vol. 2, the entries of each mnemonic): operands are fetched and results are stored
 * here, the rest is the business of `system/`.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, Width } from "../ir/ir.ts";
import { SEGMENT_REGISTERS } from "../state/layout.ts";
import { Cr4, Eflags, Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { zero } from "./flags.ts";
import { mayChangeInterrupts } from "./stack.ts";

/** An instruction without operands that calls one system function. */
function plain(
  mnemonic: string,
  encoding: string,
  name: string,
  feature?: string,
): Definition {
  return {
    mnemonic,
    feature,
    encodings: [encoding],
    run(o) {
      o.system(name);
    },
  };
}

/** An instruction whose system function takes the operand size. */
function sized(mnemonic: string, encoding: string, name: string, feature?: string): Definition {
  return {
    mnemonic,
    feature,
    encodings: [encoding],
    run(o) {
      o.system(name, o.const(o.width));
    },
  };
}

/** An instruction whose system function takes a selector, or another value of 16 bits. */
function fromWord(mnemonic: string, encoding: string, name: string): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o, source) {
      o.system(name, o.read(source));
    },
  };
}

/** The same for ring 0 alone: elsewhere the function raises its exception before the operand is fetched. */
function fromWordInRing0(mnemonic: string, encoding: string, name: string): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o, source) {
      o.if(o.isNonzero(o.field("cpl")), () => o.system(name, o.const(0)));
      o.system(name, o.read(source));
    },
  };
}

/** An instruction that stores a system function's result: 16 bits in memory, the operand size in a register. */
function toWord(mnemonic: string, code: string, name: string): Definition {
  return {
    mnemonic,
    encodings: [`${code}: Rv`, `${code}: Mw`],
    run(o, destination) {
      o.system("checkUmip");
      o.write(destination, o.system(name));
    },
  };
}

/** An instruction whose system function accesses memory: it takes segment, offset and operand size. */
function onMemory(
  mnemonic: string,
  encoding: string,
  name: string,
  feature?: string,
  before: (o: Builder) => void = () => {},
): Definition {
  return {
    mnemonic,
    feature,
    encodings: [encoding],
    run(o, memory) {
      before(o);
      o.system(name, o.operandSegment(), o.address(memory), o.const(o.width));
    },
  };
}

const checkUmip = (o: Builder): void => void o.system("checkUmip");

/** LAR and LSL: the destination changes if ZF says that there is something to load. */
function query(mnemonic: string, encoding: string, name: string): Definition {
  return {
    mnemonic,
    encodings: [encoding],
    run(o, destination, selector) {
      const value = o.system(name, o.read(selector));
      o.if(zero(o), () => o.write(destination, o.zext(value, o.width)));
    },
  };
}

const DESCRIPTOR_TABLES: readonly Definition[] = [
  toWord("SLDT", "0F 00 /0", "sldt"),
  toWord("STR", "0F 00 /1", "str"),
  fromWordInRing0("LLDT", "0F 00 /2: Ew", "lldt"),
  fromWordInRing0("LTR", "0F 00 /3: Ew", "ltr"),
  fromWord("VERR", "0F 00 /4: Ew", "verr"),
  fromWord("VERW", "0F 00 /5: Ew", "verw"),
  onMemory("SGDT", "0F 01 /0: M", "sgdt", undefined, checkUmip),
  onMemory("SIDT", "0F 01 /1: M", "sidt", undefined, checkUmip),
  onMemory("LGDT", "0F 01 /2: M", "lgdt"),
  onMemory("LIDT", "0F 01 /3: M", "lidt"),
  toWord("SMSW", "0F 01 /4", "smsw"),
  fromWordInRing0("LMSW", "0F 01 /6: Ew", "lmsw"),
  query("LAR", "0F 02 /r: Gv,Ew", "lar"),
  query("LSL", "0F 03 /r: Gv,Ew", "lsl"),
  {
    mnemonic: "ARPL",
    encodings: ["63 /r: Ew,Gw not64"],
    run(o, destination, source) {
      const value = o.read(destination);
      const adjusted = o.system("arpl", value, o.read(source));
      o.if(o.ne(adjusted, value), () => o.write(destination, adjusted));
      o.setField("zeroSource", o.fromBool(o.eq(adjusted, value)));
    },
  },
];

/** The base of the memory operand's segment, as a linear address counts it. */
function operandBase(o: Builder): I64 {
  const number = o.operandSegment();
  const candidates = SEGMENT_REGISTERS.slice(0, 6).map((name, i) => ({ name, i }));
  const based = o.form.access === "long"
    ? []
    : candidates.filter(({ i }) => o.form.access !== "longBased" || i >= 4);
  return based.reduce(
    (base, { name, i }) => o.select(o.eq(number, o.const(i)), o.field(`${name}Base`), base),
    o.const(0),
  );
}

/** MOV from and to control or debug registers, whose operands have the size of the mode. */
function moveSpecial(code: string, reverse: string, kind: "C" | "D", name: string): Definition[] {
  const what = kind === "C" ? "control" : "debug";
  return [
    {
      mnemonic: `MOV from ${what} register`,
      encodings: [`0F ${code} /r: Rd,${kind}d not64`, `0F ${code} /r: Rq,${kind}q only64`],
      run(o, destination, number) {
        o.write(destination, o.system(`read${name}`, o.read(number)));
      },
    },
    {
      mnemonic: `MOV to ${what} register`,
      encodings: [`0F ${reverse} /r: ${kind}d,Rd not64`, `0F ${reverse} /r: ${kind}q,Rq only64`],
      run(o, number, source) {
        o.system(`write${name}`, o.read(number), o.read(source));
      },
    },
  ];
}

const REGISTERS: readonly Definition[] = [
  ...moveSpecial("20", "22", "C", "Cr"),
  ...moveSpecial("21", "23", "D", "Dr"),
  plain("CLTS", "0F 06: -", "clts"),
  plain("INVD", "0F 08: -", "invd"),
  plain("WBINVD", "0F 09: -", "wbinvd"),
  {
    mnemonic: "INVLPG",
    encodings: ["0F 01 /7: M"],
    run(o, page) {
      const linear = o.add(o.address(page), operandBase(o));
      const isLong = o.form.access === "long" || o.form.access === "longBased";
      o.system("invlpg", isLong ? linear : o.zext(linear, 32));
    },
  },
  plain("WRMSR", "0F 30: -", "wrmsr"),
  plain("RDTSC", "0F 31: -", "rdtsc"),
  plain("RDMSR", "0F 32: -", "rdmsr"),
  plain("RDPMC", "0F 33: -", "rdpmc"),
  plain("CPUID", "0F A2: -", "cpuid"),
  plain("RDTSCP", "0F 01 F9: -", "rdtscp", "RDTSCP"),
  plain("XGETBV", "NP 0F 01 D0: -", "xgetbv", "XSAVE"),
  plain("XSETBV", "NP 0F 01 D1: -", "xsetbv", "XSAVE"),
  {
    mnemonic: "RDPID",
    feature: "RDPID",
    encodings: ["F3 0F C7 /7: Rd not64", "F3 0F C7 /7: Rq only64"],
    run(o, destination) {
      o.write(destination, o.field("tscAux"));
    },
  },
];

/** RDFSBASE and its kin: only where CR4.FSGSBASE allows. */
function segmentBase(
  mnemonic: string,
  digit: number,
  transfer: (o: Builder, operand: Operand) => void,
): Definition {
  return {
    mnemonic,
    feature: "FSGSBASE",
    encodings: [`F3 0F AE /${digit}: Ry only64`],
    run(o, operand) {
      const enabled = o.and(o.field("cr4"), o.const(Cr4.FSGSBASE));
      o.if(o.isZero(enabled), () => o.raise(Exception.UD));
      transfer(o, operand);
    },
  };
}

function readBase(mnemonic: string, digit: number, field: "fsBase" | "gsBase"): Definition {
  return segmentBase(mnemonic, digit, (o, operand) => {
    o.write(operand, o.zext(o.field(field), o.widthOf(operand) as Width));
  });
}

function writeBase(mnemonic: string, digit: number, field: "fsBase" | "gsBase"): Definition {
  return segmentBase(mnemonic, digit, (o, operand) => {
    const base = o.read(operand);
    const canonical = o.sar(o.shl(base, o.const(16)), o.const(16));
    o.if(o.ne(canonical, base), () => o.raise(Exception.GP, 0));
    o.setField(field, base);
  });
}

const CALLS: readonly Definition[] = [
  plain("SYSCALL", "0F 05: -", "syscall", "SYSCALL"),
  sized("SYSRET", "0F 07: -", "sysret", "SYSCALL"),
  plain("SYSENTER", "0F 34: -", "sysenter", "SEP"),
  sized("SYSEXIT", "0F 35: -", "sysexit", "SEP"),
  plain("SWAPGS", "0F 01 F8: - only64", "swapgs"),
  readBase("RDFSBASE", 0, "fsBase"),
  readBase("RDGSBASE", 1, "gsBase"),
  writeBase("WRFSBASE", 2, "fsBase"),
  writeBase("WRGSBASE", 3, "gsBase"),
];

const INTERRUPTS: readonly Definition[] = [
  {
    mnemonic: "CLI",
    encodings: ["FA: -"],
    run(o) {
      o.if(o.isNot(mayChangeInterrupts(o)), () => o.raise(Exception.GP, 0));
      o.setField("flags", o.and(o.field("flags"), o.const(~Eflags.IF)));
    },
  },
  plain("STI", "FB: -", "sti"),
  plain("HLT", "F4: -", "hlt"),
  plain("CLAC", "NP 0F 01 CA: -", "clac", "SMAP"),
  plain("STAC", "NP 0F 01 CB: -", "stac", "SMAP"),
  {
    mnemonic: "MONITOR",
    feature: "MONITOR",
    encodings: ["NP 0F 01 C8: -"],
    depends: ["address", "memory"],
    run(o) {
      const offset = o.register("rax", o.form.addressWidth as Width);
      o.system("monitor", o.operandSegment(), offset);
    },
  },
  plain("MWAIT", "NP 0F 01 C9: -", "mwait", "MONITOR"),
];

const PORTS: readonly Definition[] = [
  {
    mnemonic: "IN",
    encodings: ["E4: AL,Ib", "E5: rAX,Ib max32", "EC: AL,DX", "ED: rAX,DX max32"],
    run(o, destination, port) {
      o.write(destination, o.system("in", o.read(port), o.const(o.width / 8)));
    },
  },
  {
    mnemonic: "OUT",
    encodings: ["E6: Ib,AL b", "E7: Ib,rAX max32", "EE: DX,AL b", "EF: DX,rAX max32"],
    run(o, port, source) {
      o.system("out", o.read(port), o.const(o.width / 8), o.read(source));
    },
  },
];

const FLOATING_AREAS: readonly Definition[] = [
  onMemory("FXSAVE", "NP 0F AE /0: M", "fxsave", "FXSR"),
  onMemory("FXRSTOR", "NP 0F AE /1: M", "fxrstor", "FXSR"),
  onMemory("XSAVE", "NP 0F AE /4: M", "xsave", "XSAVE"),
  onMemory("XRSTOR", "NP 0F AE /5: M", "xrstor", "XSAVE"),
  // It may save more than was modified.
  onMemory("XSAVEOPT", "NP 0F AE /6: M", "xsave", "XSAVEOPT"),
];

/** System instructions. */
export const SYSTEM: InstructionGroup = {
  name: "system",
  definitions: [
    ...DESCRIPTOR_TABLES,
    ...REGISTERS,
    ...CALLS,
    ...INTERRUPTS,
    ...PORTS,
    ...FLOATING_AREAS,
  ],
};
