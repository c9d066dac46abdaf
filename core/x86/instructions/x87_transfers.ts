/** x87 data transfer: loads, stores, exchanges, conditional moves, constants (SDM vol. 2, FLD to FXCH). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { I64, Width } from "../ir/ir.ts";
import { constant, type ConstantName, x87Environment } from "../softfloat/mod.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { condition } from "./flags.ts";
import {
  doubtEmpty,
  doubtFilled,
  doubtInteger,
  doubtOrdinary,
  doubtPrecision,
  doubtRounding,
  doubtSwitch,
  isClear,
  join,
  narrow,
  type Parts,
  partsOf,
  partsOfInteger,
  roundingControl,
  roundToInteger,
  statusAfter,
  widen,
} from "./x87_fast.ts";
import {
  allOf,
  type Extended,
  fill,
  finish,
  indefinite,
  isEmpty,
  loadExtended,
  openX87,
  overwrite,
  physical,
  pop,
  probeExtended,
  push,
  readRegister,
  recordInstruction,
  stackFault,
  storeExtended,
  storeHalves,
  type X87,
} from "./x87_stack.ts";

/** Pushes a number if there is room, else reports the overflow. */
function pushChecked(o: Builder, x: X87, value: Extended, address?: I64): void {
  o.if(isEmpty(o, x, physical(o, x, -1)), () => {
    push(o, x, value);
    finish(o, x);
  }, () => stackFault(o, o.const(1), () => push(o, x, indefinite(o)), address));
}

/** RC's encoding of rounding toward zero. */
const TRUNCATE = 3;

const load: Definition = {
  mnemonic: "FLD",
  unit: "x87",
  encodings: ["D9 /0: Md", "DD /0: Mq"],
  run(o, source) {
    const x = openX87(o);
    const bits = o.read(source);
    const width = o.widthOf(source) as 32 | 64;
    const value = widen(o, bits, width);
    const room = doubtEmpty(o, x, physical(o, x, -1));
    o.if(isClear(o, doubtSwitch(o), room, doubtOrdinary(o, value)), () => {
      push(o, x, join(o, value));
      finish(o, x);
    }, () => void o.system("x87Load", bits, o.const(width), o.address(source)));
  },
};

const loadWhole: Definition = {
  mnemonic: "FLD",
  unit: "x87",
  encodings: ["DB /5: Mt"],
  run(o, source) {
    const x = openX87(o);
    pushChecked(o, x, loadExtended(o, source), o.address(source));
  },
};

const loadRegister: Definition = {
  mnemonic: "FLD",
  unit: "x87",
  encodings: ["D9 C0+r: STi"],
  run(o, source) {
    const x = openX87(o);
    const from = physical(o, x, o.read(source));
    const isFilled = o.isNot(isEmpty(o, x, from));
    o.if(o.bothOf(isFilled, isEmpty(o, x, physical(o, x, -1))), () => {
      push(o, x, readRegister(o, from));
      finish(o, x);
    }, () => {
      // An empty source counts first.
      stackFault(o, o.fromBool(isFilled), () => push(o, x, indefinite(o)));
    });
  },
};

const loadInteger: Definition = {
  mnemonic: "FILD",
  unit: "x87",
  encodings: ["DF /0: Mw", "DB /0: Md", "DF /5: Mq"],
  run(o, source) {
    const x = openX87(o);
    const integer = o.sext(o.read(source), o.widthOf(source) as Width);
    pushChecked(o, x, join(o, partsOfInteger(o, integer)), o.address(source));
  },
};

const loadDecimal: Definition = {
  mnemonic: "FBLD",
  unit: "x87",
  encodings: ["DF /4: Mt"],
  run(o, source) {
    openX87(o);
    const { significand, signExponent } = loadExtended(o, source);
    o.system("x87LoadDecimal", significand, signExponent, o.address(source));
  },
};

/** A constant; its last bit depends on the rounding control. */
function loadConstant(name: ConstantName, modrm: string): Definition {
  return {
    mnemonic: `FLD${name}`,
    unit: "x87",
    encodings: [`D9 ${modrm}: -`],
    run(o) {
      const x = openX87(o);
      const byRounding = [0, 1, 2, 3].map((rc) => constant(x87Environment(0x37f | rc << 10), name));
      const rounding = o.and(o.shr(o.field("fpuControl"), o.const(10)), o.const(3));
      const significand = byRounding.map((bits) => o.const(BigInt.asUintN(64, bits)))
        .reduce((chosen, other, rc) =>
          other === chosen ? chosen : o.select(o.eq(rounding, o.const(rc)), other, chosen)
        );
      const signExponent = o.const(byRounding[0] >> 64n);
      pushChecked(o, x, { significand, signExponent });
    },
  };
}

/** What a fast path found to store, with PE and C1 of the status word; taken if nothing of `doubts` is doubted. */
interface FastStore {
  readonly bits: I64;
  readonly flags: I64;
  readonly doubts: readonly I64[];
}

/** A store to memory in another format: a fast path, or the system function `name`; `how` has bit 0 set to pop. */
function converted(
  mnemonic: string,
  encodings: readonly string[],
  name: string,
  how: number,
  convert: (o: Builder, value: Parts, width: Width) => FastStore,
): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings,
    run(o, destination) {
      const x = openX87(o);
      const width = o.widthOf(destination) as Width;
      const { bits, flags, doubts } = convert(o, partsOf(o, readRegister(o, x.top)), width);
      o.if(isClear(o, doubtSwitch(o), doubtFilled(o, x, x.top), ...doubts), () => {
        o.write(destination, bits);
        if ((how & 1) !== 0) pop(o, x);
        finish(o, x, statusAfter(o, x.status, flags));
      }, () => {
        storeExactly(o, destination, name, o.const(width), o.const(how));
      });
    },
  };
}

/** FST and FSTP to memory in a shorter format. */
function store(mnemonic: string, digit: number, pops: boolean): Definition {
  const encodings = [`D9 /${digit}: Md`, `DD /${digit}: Mq`];
  return converted(mnemonic, encodings, "x87Store", pops ? 1 : 0, (o, value, width) => {
    const { bits, flags, doubt } = narrow(o, value, width as 32 | 64);
    // An exact value does not mind how it is rounded.
    const rounding = o.and(doubtRounding(o, o.field("fpuControl")), o.neg(flags));
    return { bits, flags, doubts: [doubt, rounding] };
  });
}

/** FIST, FISTP and FISTTP: `how` has bit 0 set to pop, bit 1 to truncate. */
function storeInteger(mnemonic: string, encodings: readonly string[], how: number): Definition {
  return converted(mnemonic, encodings, "x87StoreInteger", how, (o, value, width) => {
    const control = o.field("fpuControl");
    const rounding = (how & 2) !== 0 ? o.const(TRUNCATE) : roundingControl(o, control);
    const integer = roundToInteger(o, value, rounding);
    const { magnitude, flags } = integer;
    return {
      bits: o.select(o.isZero(value.sign), magnitude, o.neg(magnitude)),
      flags,
      doubts: [doubtInteger(o, value, integer, width), doubtPrecision(o, control, flags)],
    };
  });
}

/** Stores what a system function delivers; the operand is probed before, since that changes the unit's state. */
function storeExactly(
  o: Builder,
  destination: Operand,
  name: string,
  width: I64,
  how: I64,
): void {
  o.readForWrite(destination);
  const delivered = o.systemVector(name, width, how, o.address(destination));
  o.if(o.isNonzero(o.high(delivered)), () => o.write(destination, o.low(delivered)));
}

const storeWhole: Definition = {
  mnemonic: "FSTP",
  unit: "x87",
  encodings: ["DB /7: Mt"],
  run(o, destination) {
    const x = openX87(o);
    o.if(isEmpty(o, x, x.top), () => {
      probeExtended(o, destination);
      stackFault(o, o.const(0), () => {
        storeHalves(o, destination, indefinite(o));
        pop(o, x);
      }, o.address(destination));
    }, () => {
      storeExtended(o, destination, readRegister(o, x.top));
      pop(o, x);
      finish(o, x);
    });
  },
};

function storeRegister(mnemonic: string, encodings: readonly string[], pops: boolean): Definition {
  return {
    mnemonic,
    unit: "x87",
    encodings,
    run(o, destination) {
      const x = openX87(o);
      const to = physical(o, x, o.read(destination));
      o.if(isEmpty(o, x, x.top), () => {
        stackFault(o, o.const(0), () => fill(o, x, to, indefinite(o), pops));
      }, () => {
        fill(o, x, to, readRegister(o, x.top), pops);
        finish(o, x);
      });
    },
  };
}

/** The undocumented FSTPNCE: an empty ST(0) is popped without a fault, and nothing is copied. */
const storeRegisterUnchecked: Definition = {
  mnemonic: "FSTPNCE",
  unit: "x87",
  encodings: ["D9 D8+r: STi"],
  run(o, destination) {
    const x = openX87(o);
    const to = physical(o, x, o.read(destination));
    o.if(
      isEmpty(o, x, x.top),
      () => pop(o, x),
      () => fill(o, x, to, readRegister(o, x.top), true),
    );
    finish(o, x);
  },
};

const storeDecimal: Definition = {
  mnemonic: "FBSTP",
  unit: "x87",
  encodings: ["DF /6: Mt"],
  run(o, destination) {
    openX87(o);
    probeExtended(o, destination);
    const delivered = o.systemVector("x87StoreDecimal", o.address(destination));
    const high = o.high(delivered);
    // Bit 127 says that there is something to store.
    o.if(o.isNonzero(high), () => {
      const signExponent = o.zext(high, 16);
      storeHalves(o, destination, { significand: o.low(delivered), signExponent });
    });
  },
};

const exchange: Definition = {
  mnemonic: "FXCH",
  unit: "x87",
  // DD C8 and DF C8 are undocumented.
  encodings: ["D9 C8+r: STi", "DD C8+r: STi", "DF C8+r: STi"],
  run(o, other) {
    const x = openX87(o);
    const register = physical(o, x, o.read(other));
    const [topEmpty, otherEmpty] = [isEmpty(o, x, x.top), isEmpty(o, x, register)];
    const [first, second] = [readRegister(o, x.top), readRegister(o, register)];
    o.if(o.eitherOf(topEmpty, otherEmpty), () => {
      stackFault(o, o.const(0), () => {
        overwrite(o, register, orIndefinite(o, topEmpty, first));
        const filled = o.and(x.tags, o.not(o.shl(o.const(1), register)));
        fill(o, { ...x, tags: filled }, x.top, orIndefinite(o, otherEmpty, second), false);
      });
    }, () => {
      overwrite(o, register, first);
      overwrite(o, x.top, second);
      finish(o, x);
    });
  },
};

function orIndefinite(o: Builder, empty: ReturnType<typeof isEmpty>, value: Extended): Extended {
  const other = indefinite(o);
  return {
    significand: o.select(empty, other.significand, value.significand),
    signExponent: o.select(empty, other.signExponent, value.signExponent),
  };
}

/** FCMOVcc: an empty register is a fault even if the condition fails; C1 is left otherwise. */
function conditionalMove(suffix: string, encoding: string, code: number): Definition {
  return {
    mnemonic: `FCMOV${suffix}`,
    unit: "x87",
    feature: "CMOV",
    encodings: [`${encoding}+r: ST,STi`],
    run(o, _destination, source) {
      const x = openX87(o);
      const from = physical(o, x, o.read(source));
      const filled = allOf(o, o.isNot(isEmpty(o, x, x.top)), o.isNot(isEmpty(o, x, from)));
      o.if(filled, () => {
        o.if(condition(o, code), () => overwrite(o, x.top, readRegister(o, from)));
        recordInstruction(o);
      }, () => stackFault(o, o.const(0), () => fill(o, x, x.top, indefinite(o), false)));
    },
  };
}

const definitions: readonly Definition[] = [
  load,
  loadWhole,
  loadRegister,
  loadInteger,
  loadDecimal,
  loadConstant("1", "E8"),
  loadConstant("L2T", "E9"),
  loadConstant("L2E", "EA"),
  loadConstant("PI", "EB"),
  loadConstant("LG2", "EC"),
  loadConstant("LN2", "ED"),
  loadConstant("Z", "EE"),
  store("FST", 2, false),
  store("FSTP", 3, true),
  storeWhole,
  storeRegister("FST", ["DD D0+r: STi"], false),
  // DF D0 and DF D8 are undocumented.
  storeRegister("FSTP", ["DD D8+r: STi", "DF D0+r: STi", "DF D8+r: STi"], true),
  storeRegisterUnchecked,
  storeInteger("FIST", ["DF /2: Mw", "DB /2: Md"], 0),
  storeInteger("FISTP", ["DF /3: Mw", "DB /3: Md", "DF /7: Mq"], 1),
  storeInteger("FISTTP", ["DF /1: Mw f=SSE3", "DB /1: Md f=SSE3", "DD /1: Mq f=SSE3"], 3),
  storeDecimal,
  exchange,
  conditionalMove("B", "DA C0", 0x2),
  conditionalMove("E", "DA C8", 0x4),
  conditionalMove("BE", "DA D0", 0x6),
  conditionalMove("U", "DA D8", 0xa),
  conditionalMove("NB", "DB C0", 0x3),
  conditionalMove("NE", "DB C8", 0x5),
  conditionalMove("NBE", "DB D0", 0x7),
  conditionalMove("NU", "DB D8", 0xb),
];

/** Loads, stores and moves of the x87 FPU. */
export const X87_TRANSFERS: InstructionGroup = { name: "x87 transfers", definitions };
