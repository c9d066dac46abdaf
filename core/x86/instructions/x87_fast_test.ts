import { assert, assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { EXTENDED, X87Machine, type X87Setup } from "./testing/x87.ts";
import { number, Random } from "./testing/x87_operands.ts";

const SEED = 20260302;
const CASES = 400;
/** Control words: masked and to nearest at every precision, and others. */
const QUIET = [0x37f, 0x37f, 0x27f, 0x07f, 0x17f];
const OTHER = [0x77f, 0xb7f, 0xf7f, 0x35f, 0x37e, 0x340];

/** Code, and how many percent of random cases must have taken the fast path. */
const ROWS: readonly (readonly [mnemonic: string, code: string, percent: number])[] = [
  ["FADD ST,STi", "d8 c1", 65],
  ["FADDP", "de c1", 65],
  ["FADD m32", "d8 03", 60],
  ["FIADD m16", "de 03", 65],
  ["FSUB ST,STi", "d8 e1", 65],
  ["FSUBR m64", "dc 2b", 60],
  ["FISUB m32", "da 23", 65],
  ["FMUL STi,ST", "dc c9", 65],
  ["FMUL m64", "dc 0b", 60],
  ["FDIV ST,STi", "d8 f1", 60],
  ["FDIVR ST,STi", "d8 f9", 60],
  ["FIDIV m16", "de 33", 35],
  ["FSQRT", "d9 fa", 30],
  ["FPREM", "d9 f8", 60],
  ["FRNDINT", "d9 fc", 75],
  ["FSCALE", "d9 fd", 55],
  ["FXTRACT", "d9 f4", 75],
  ["FCOM", "d8 d1", 80],
  ["FCOMPP", "de d9", 80],
  ["FUCOMI", "db e9", 80],
  ["FTST", "d9 e4", 80],
  ["FICOM m32", "da 13", 80],
  ["FLD m32", "d9 03", 75],
  ["FLD m64", "dd 03", 75],
  ["FST m32", "d9 13", 60],
  ["FSTP m64", "dd 1b", 60],
  ["FIST m16", "df 13", 70],
  ["FISTP m32", "db 1b", 70],
  ["FISTP m64", "df 3b", 75],
  ["FISTTP m32", "db 0b", 70],
];

function memoryOperand(random: Random): bigint {
  const view = new DataView(new ArrayBuffer(8));
  const value = (random.below(2001) - 1000) / 2 ** random.below(12);
  switch (random.below(8)) {
    case 0:
      return random.bits64();
    case 1:
      return BigInt.asUintN(64, BigInt(random.below(2001) - 1000));
    case 2:
      view.setFloat64(0, value / 3);
      break;
    case 3:
      return BigInt(random.below(0x800)) << 52n;
    case 4:
      view.setFloat64(0, value);
      break;
    default:
      // Both halves are ordinary singles, and the whole is an ordinary double.
      view.setFloat32(0, value);
      view.setFloat32(4, value / 3);
  }
  return view.getBigUint64(0);
}

function setup(random: Random): X87Setup {
  const first = number(random);
  // Every fourth pair differs in the last places or the sign alone.
  const alike = first ^ BigInt(random.below(8)) ^ (BigInt(random.below(2)) << 79n);
  const control = random.pick(random.below(5) > 0 ? QUIET : OTHER);
  return {
    control,
    status: random.below(2) * 0x4700,
    stack: [first, random.below(4) === 0 ? alike : number(random)],
    memory: memoryOperand(random),
    flags: random.below(2) * 0x8d5,
  };
}

for (const [mnemonic, code, percent] of ROWS) {
  test(`${mnemonic} gives the same on its fast path and without (seed ${SEED})`, () => {
    const machine = new X87Machine();
    const random = new Random(SEED);
    let fastCases = 0;
    for (let i = 0; i < CASES; i++) {
      const given = setup(random);
      const { exact, ...fast } = machine.run(code, given, true);
      const plain = machine.run(code, given, false);
      assertEquals({ ...fast, exact: true }, plain, hexadecimal(given));
      if (!exact) fastCases++;
    }
    assert(100 * fastCases >= percent * CASES, `${(100 * fastCases) / CASES} % took the fast path`);
  });
}

test("a stack fault is never taken for an ordinary case", () => {
  const machine = new X87Machine();
  const { one } = EXTENDED;
  const full = [one, one, one, one, one, one, one, one];
  for (const [, code] of ROWS) {
    for (const stack of [[], [one], [null, one], full]) {
      const { exact, ...fast } = machine.run(code, { stack }, true);
      const { exact: _, ...plain } = machine.run(code, { stack }, false);
      assertEquals(fast, plain, code);
      if ((plain.status & 0x40) !== 0) assert(exact, code);
    }
  }
});

function hexadecimal(given: X87Setup): string {
  return JSON.stringify(given, (_, part) => typeof part === "bigint" ? part.toString(16) : part);
}
