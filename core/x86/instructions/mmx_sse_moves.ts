/**
 * Data movement of MMX and SSE to SSE4.1 (SDM vol. 2, the entries of each mnemonic). Instructions that
 * differ only in the type of what they move share a definition with the name of the first.
 */

import type { Builder, Operand } from "../ir/builder.ts";
import type { V128 } from "../ir/ir.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import {
  beginMmx,
  beginVector,
  enterMmx,
  isMmx,
  readAligned,
  reportPendingX87,
  writeAligned,
  writeRegister,
} from "./simd_operands.ts";

/** The low `width` bits of `from` in place of those of `into`. */
export function withLow(o: Builder, into: V128, from: V128, width: 32 | 64): V128 {
  if (width === 64) return o.vector(o.low(from), o.high(into));
  return o.replaceLane("i32x4", into, 0, o.simdToInteger("i32x4.extract_lane", from, 0));
}

/** Moves of 128 bits. */
const wholeRegister: readonly Definition[] = [
  {
    mnemonic: "MOVAPS",
    unit: "sse",
    encodings: [
      "NP 0F 28 /r: Vdq,Wdq f=SSE",
      "NP 0F 29 /r: Wdq,Vdq f=SSE",
      // MOVNTPS
      "NP 0F 2B /r: Mdq,Vdq f=SSE",
      // MOVAPD, MOVNTPD
      "66 0F 28 /r: Vdq,Wdq f=SSE2",
      "66 0F 29 /r: Wdq,Vdq f=SSE2",
      "66 0F 2B /r: Mdq,Vdq f=SSE2",
      // MOVDQA, MOVNTDQ, MOVNTDQA
      "66 0F 6F /r: Vdq,Wdq f=SSE2",
      "66 0F 7F /r: Wdq,Vdq f=SSE2",
      "66 0F E7 /r: Mdq,Vdq f=SSE2",
      "66 0F 38 2A /r: Vdq,Mdq f=SSE4_1",
    ],
    run(o, destination, source) {
      writeAligned(o, destination, readAligned(o, source));
    },
  },
  {
    mnemonic: "MOVUPS",
    unit: "sse",
    encodings: [
      "NP 0F 10 /r: Vdq,Wdq f=SSE",
      "NP 0F 11 /r: Wdq,Vdq f=SSE",
      // MOVUPD, MOVDQU, LDDQU
      "66 0F 10 /r: Vdq,Wdq f=SSE2",
      "66 0F 11 /r: Wdq,Vdq f=SSE2",
      "F3 0F 6F /r: Vdq,Wdq f=SSE2",
      "F3 0F 7F /r: Wdq,Vdq f=SSE2",
      "F2 0F F0 /r: Vdq,Mdq f=SSE3",
    ],
    run(o, destination, source) {
      o.writeVector(destination, o.readVector(source));
    },
  },
];

/** MOVSS or MOVSD: from memory it clears the rest of the register, between registers it keeps it. */
function scalarMove(mnemonic: string, prefix: string, size: string, width: 32 | 64): Definition {
  const feature = width === 32 ? "SSE" : "SSE2";
  return {
    mnemonic,
    unit: "sse",
    feature,
    encodings: [`${prefix} 0F 10 /r: Vdq,W${size}`, `${prefix} 0F 11 /r: W${size},Vdq`],
    run(o, destination, source) {
      const value = o.readVector(source);
      const merges = !o.isMemory(source) && !o.isMemory(destination);
      o.writeVector(
        destination,
        merges ? withLow(o, o.readVector(destination), value, width) : value,
      );
    },
  };
}

/** A load of 64 bits into one half of a register, or a move between halves, that keeps the other half. */
function halfMove(
  mnemonic: string,
  encodings: readonly string[],
  combine: (o: Builder, old: V128, source: V128) => V128,
): Definition {
  return {
    mnemonic,
    unit: "sse",
    encodings,
    run(o, destination, source) {
      const value = o.readVector(source);
      o.writeVector(destination, combine(o, o.readVector(destination), value));
    },
  };
}

/** A store of one half of a register. */
function halfStore(
  mnemonic: string,
  opcode: string,
  half: (o: Builder, source: V128) => V128,
): Definition {
  return {
    mnemonic,
    unit: "sse",
    encodings: [`NP 0F ${opcode} /r: Mq,Vdq f=SSE`, `66 0F ${opcode} /r: Mq,Vdq f=SSE2`],
    run(o, destination, source) {
      o.writeVector(destination, half(o, o.readVector(source)));
    },
  };
}

/** A move that repeats elements: `order` names the source byte of each byte. */
function duplicate(
  mnemonic: string,
  encoding: string,
  low: bigint,
  high: bigint,
): Definition {
  return {
    mnemonic,
    unit: "sse",
    feature: "SSE3",
    encodings: [encoding],
    run(o, destination, source) {
      const order = o.vectorConst(low, high);
      o.writeVector(destination, o.simd("i8x16.swizzle", readAligned(o, source), order));
    },
  };
}

const partsOfRegisters: readonly Definition[] = [
  scalarMove("MOVSS", "F3", "d", 32),
  scalarMove("MOVSD", "F2", "q", 64),
  halfMove(
    "MOVLPS",
    ["NP 0F 12 /r: Vdq,Mq f=SSE", "66 0F 12 /r: Vdq,Mq f=SSE2"],
    (o, old, source) => o.vector(o.low(source), o.high(old)),
  ),
  halfMove(
    "MOVHLPS",
    ["NP 0F 12 /r: Vdq,Udq f=SSE"],
    (o, old, source) => o.vector(o.high(source), o.high(old)),
  ),
  halfMove(
    "MOVHPS",
    ["NP 0F 16 /r: Vdq,Mq f=SSE", "66 0F 16 /r: Vdq,Mq f=SSE2"],
    (o, old, source) => o.vector(o.low(old), o.low(source)),
  ),
  halfMove(
    "MOVLHPS",
    ["NP 0F 16 /r: Vdq,Udq f=SSE"],
    (o, old, source) => o.vector(o.low(old), o.low(source)),
  ),
  halfStore("MOVLPS", "13", (_, source) => source),
  halfStore("MOVHPS", "17", (o, source) => o.vector(o.high(source), o.const(0))),
  duplicate("MOVSLDUP", "F3 0F 12 /r: Vdq,Wdq", 0x0302010003020100n, 0x0b0a09080b0a0908n),
  duplicate("MOVSHDUP", "F3 0F 16 /r: Vdq,Wdq", 0x0706050407060504n, 0x0f0e0d0c0f0e0d0cn),
  duplicate("MOVDDUP", "F2 0F 12 /r: Vdq,Wq", 0x0706050403020100n, 0x0706050403020100n),
];

/** Moves between general, MMX and XMM registers. */
const betweenRegisterFiles: readonly Definition[] = [
  {
    mnemonic: "MOVD",
    feature: "MMX",
    encodings: ["NP 0F 6E /r: Pq,Ey"],
    run(o, destination, source) {
      beginMmx(o);
      writeRegister(o, destination, o.vector(o.read(source), o.const(0)));
    },
  },
  {
    mnemonic: "MOVD",
    feature: "MMX",
    encodings: ["NP 0F 7E /r: Ey,Pq"],
    run(o, destination, source) {
      beginMmx(o);
      o.write(destination, o.low(o.readVector(source)));
      enterMmx(o);
    },
  },
  {
    mnemonic: "MOVD",
    unit: "sse",
    feature: "SSE2",
    encodings: ["66 0F 6E /r: Vdq,Ey"],
    run(o, destination, source) {
      o.writeVector(destination, o.vector(o.read(source), o.const(0)));
    },
  },
  {
    mnemonic: "MOVD",
    unit: "sse",
    feature: "SSE2",
    encodings: ["66 0F 7E /r: Ey,Vdq"],
    run(o, destination, source) {
      o.write(destination, o.low(o.readVector(source)));
    },
  },
  {
    mnemonic: "MOVQ",
    encodings: ["NP 0F 6F /r: Pq,Qq f=MMX", "NP 0F 7F /r: Qq,Pq f=MMX", "NP 0F E7 /r: Mq,Pq f=SSE"],
    run(o, destination, source) {
      beginMmx(o);
      o.writeVector(destination, o.readVector(source));
      enterMmx(o);
    },
  },
  {
    mnemonic: "MOVQ",
    unit: "sse",
    feature: "SSE2",
    encodings: ["F3 0F 7E /r: Vdq,Wq", "66 0F D6 /r: Wq,Vdq"],
    run(o, destination, source) {
      o.writeVector(destination, o.vector(o.low(o.readVector(source)), o.const(0)));
    },
  },
  {
    mnemonic: "MOVDQ2Q",
    unit: "sse",
    feature: "SSE2",
    encodings: ["F2 0F D6 /r: Pq,Udq"],
    run(o, destination, source) {
      reportPendingX87(o);
      writeRegister(o, destination, o.readVector(source));
    },
  },
  {
    mnemonic: "MOVQ2DQ",
    unit: "sse",
    feature: "SSE2",
    encodings: ["F3 0F D6 /r: Vdq,Nq"],
    run(o, destination, source) {
      reportPendingX87(o);
      o.writeVector(destination, o.readVector(source));
      enterMmx(o);
    },
  },
  {
    mnemonic: "MOVNTI",
    feature: "SSE2",
    encodings: ["NP 0F C3 /r: My,Gy"],
    run(o, destination, source) {
      o.write(destination, o.read(source));
    },
  },
];

/** A move of the top bits of all elements into a general register. */
function moveMask(
  mnemonic: string,
  encodings: readonly string[],
  shape: "i8x16" | "i32x4" | "i64x2",
): Definition {
  return {
    mnemonic,
    encodings,
    run(o, destination, source) {
      beginVector(o, source);
      o.write(destination, o.simdToInteger(`${shape}.bitmask`, o.readVector(source)));
      if (isMmx(o, source)) enterMmx(o);
    },
  };
}

/** MASKMOVQ and MASKMOVDQU: stores the bytes whose mask byte has its top bit set at DS:rDI. */
function storeSelected(o: Builder, source: Operand, mask: Operand): void {
  beginVector(o, source);
  const bytes = o.readVector(source);
  const [low, high] = [o.low(bytes), o.high(bytes)];
  const selected = o.simdToInteger("i8x16.bitmask", o.readVector(mask));
  const addressWidth = o.form.addressWidth || 64;
  const start = o.register("rdi", addressWidth);
  const rest = o.variable(selected);
  o.if(o.isNonzero(selected), () =>
    o.loop(() => {
      const bits = o.get(rest);
      const index = o.ctz(bits);
      const half = o.select(o.ltU(index, o.const(8)), low, high);
      const byte = o.shr(half, o.shl(index, o.const(3)));
      o.store("operand", o.zext(o.add(start, index), addressWidth), 8, byte);
      const remaining = o.and(bits, o.sub(bits, o.const(1)));
      o.set(rest, remaining);
      return o.isNonzero(remaining);
    }));
  if (isMmx(o, source)) enterMmx(o);
}

const masks: readonly Definition[] = [
  moveMask("MOVMSKPS", ["NP 0F 50 /r: Gd,Udq f=SSE"], "i32x4"),
  moveMask("MOVMSKPD", ["66 0F 50 /r: Gd,Udq f=SSE2"], "i64x2"),
  moveMask("PMOVMSKB", ["NP 0F D7 /r: Gd,Nq f=SSE", "66 0F D7 /r: Gd,Udq f=SSE2"], "i8x16"),
  {
    mnemonic: "MASKMOVDQU",
    encodings: ["NP 0F F7 /r: Pq,Nq f=SSE", "66 0F F7 /r: Vdq,Udq f=SSE2"],
    depends: ["memory", "address"],
    run: storeSelected,
  },
];

const states: readonly Definition[] = [
  {
    mnemonic: "EMMS",
    feature: "MMX",
    encodings: ["NP 0F 77: -"],
    run(o) {
      beginMmx(o);
      // The manual leaves TOP open; processors clear it.
      o.setField("fpuTop", o.const(0));
      o.setField("fpuTags", o.const(0xff));
    },
  },
];

/** Moves of MMX and SSE. */
export const MMX_SSE_MOVES: InstructionGroup = {
  name: "MMX and SSE data movement",
  definitions: [
    ...wholeRegister,
    ...partsOfRegisters,
    ...betweenRegisterFiles,
    ...masks,
    ...states,
  ],
};
