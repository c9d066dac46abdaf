import { test } from "../../lib/testing.ts";
import { checkVectors } from "./testing/vectors.ts";

const ONE = "3ff0000000000000";
const THIRD = "3fd5555555555555";
const HIGH = "1111111122222222";
const SNAN = "7ff0000000000001";

test("scalar arithmetic keeps the upper half, raises flags and rounds as MXCSR says", () => {
  const vectors = { x1: HIGH + ONE, x2: `0000000000000000${"4008000000000000"}` };
  checkVectors([
    {
      is: "divsd",
      code: "f2 0f 5e ca",
      vectors,
      vectorsAfter: { x1: HIGH + THIRD },
      after: { mxcsr: 0x1fa0 },
    },
    {
      is: "divsd up",
      code: "f2 0f 5e ca",
      vectors,
      before: { mxcsr: 0x5f80 },
      vectorsAfter: { x1: `${HIGH}3fd5555555555556` },
    },
    {
      is: "addsd of a signalling NaN",
      code: "f2 0f 58 ca",
      vectors: { x1: HIGH + ONE, x2: SNAN },
      vectorsAfter: { x1: `${HIGH}7ff8000000000001` },
      after: { mxcsr: 0x1f81 },
    },
    {
      is: "addsd of a misaligned operand",
      code: "f2 0f 58 4e 08",
      vectors,
      memory: `${ONE}0000000000000000`,
      vectorsAfter: { x1: `${HIGH}4000000000000000` },
    },
  ]);
});

test("an unmasked exception sets its flag, leaves the destination and is #XM, or #UD without OSXMMEXCPT", () => {
  const row = {
    code: "f2 0f 5e ca",
    vectors: { x1: HIGH + ONE, x2: "0" },
    vectorsAfter: { x1: HIGH + ONE },
    after: { mxcsr: 0x1d84 },
  };
  checkVectors([
    { is: "divsd by zero", ...row, before: { mxcsr: 0x1d80 }, fault: 19 },
    { is: "divsd by zero, #UD", ...row, before: { mxcsr: 0x1d80, cr4: 0x200 }, fault: 6 },
  ]);
});

test("MINSD and MAXSD return the source for zeros and NaNs", () => {
  const zeros = { x1: "0", x2: "8000000000000000" };
  checkVectors([
    { is: "minsd", code: "f2 0f 5d ca", vectors: zeros, vectorsAfter: { x1: "8000000000000000" } },
    {
      is: "maxsd of a NaN",
      code: "f2 0f 5f ca",
      vectors: { x1: ONE, x2: SNAN },
      vectorsAfter: { x1: SNAN },
      after: { mxcsr: 0x1f81 },
    },
  ]);
});

test("DAZ and FTZ", () => {
  checkVectors([
    {
      is: "addsd of a denormal",
      code: "f2 0f 58 ca",
      vectors: { x1: "0", x2: "1" },
      vectorsAfter: { x1: "1" },
      after: { mxcsr: 0x1f82 },
    },
    {
      is: "addsd with DAZ",
      code: "f2 0f 58 ca",
      vectors: { x1: "0", x2: "1" },
      before: { mxcsr: 0x1fc0 },
      vectorsAfter: { x1: "0" },
      after: { mxcsr: 0x1fc0 },
    },
    {
      is: "mulsd with FTZ",
      code: "f2 0f 59 ca",
      vectors: { x1: "0010000000000001", x2: THIRD },
      before: { mxcsr: 0x9f80 },
      vectorsAfter: { x1: "0" },
      after: { mxcsr: 0x9fb0 },
    },
  ]);
});

test("comparisons set masks and flags", () => {
  const vectors = { x1: ONE, x2: THIRD };
  checkVectors([
    { is: "cmpltsd", code: "f2 0f c2 ca 01", vectors, vectorsAfter: { x1: "0" } },
    { is: "cmpnltsd", code: "f2 0f c2 ca 05", vectors, vectorsAfter: { x1: "f".repeat(16) } },
    {
      is: "ucomisd greater",
      code: "66 0f 2e ca",
      vectors,
      after: { carrySource: 0, zeroSource: 1 },
    },
    {
      is: "comisd unordered",
      code: "66 0f 2f ca",
      vectors: { x1: ONE, x2: "7ff8000000000000" },
      after: { zeroSource: 0, carrySource: 3n << 62n, mxcsr: 0x1f81 },
    },
    {
      is: "ucomisd unordered",
      code: "66 0f 2e ca",
      vectors: { x1: ONE, x2: "7ff8000000000000" },
      after: { zeroSource: 0, mxcsr: 0x1f80 },
    },
  ]);
});

test("conversions round, truncate, and answer what does not fit with the integer indefinite", () => {
  const x2 = "400c000000000000"; // 3.5
  checkVectors([
    { is: "cvtsd2si", code: "f2 0f 2d d2", vectors: { x2 }, after: { rdx: 4, mxcsr: 0x1fa0 } },
    { is: "cvttsd2si", code: "f2 0f 2c d2", vectors: { x2 }, after: { rdx: 3 } },
    {
      is: "cvttsd2si of 2^40",
      code: "f2 0f 2c d2",
      vectors: { x2: "4270000000000000" },
      after: { rdx: 0x80000000n, mxcsr: 0x1f81 },
    },
    {
      is: "cvttsd2si r64 of 2^40",
      code: "f2 48 0f 2c d2",
      vectors: { x2: "4270000000000000" },
      after: { rdx: 1n << 40n },
    },
    {
      is: "cvtsi2sd",
      code: "f2 0f 2a ca",
      vectors: { x1: HIGH + ONE },
      before: { rdx: 0xffffffffn },
      vectorsAfter: { x1: `${HIGH}bff0000000000000` },
    },
    {
      is: "cvtsd2ss",
      code: "f2 0f 5a ca",
      vectors: { x1: HIGH + HIGH, x2: THIRD },
      vectorsAfter: { x1: `${HIGH}111111113eaaaaab` },
    },
    {
      is: "cvtpd2dq",
      code: "f2 0f e6 ca",
      vectors: { x1: HIGH + HIGH, x2: x2 + ONE },
      vectorsAfter: { x1: "00000000000000000000000400000001" },
    },
    {
      is: "cvtpi2pd from memory leaves x87",
      code: "66 0f 2a 0e",
      memory: "ffffffff00000001",
      before: { fpuTop: 3, fpuStatus: 0x80 },
      vectorsAfter: { x1: `bff0000000000000${ONE}` },
      after: { fpuTop: 3 },
    },
    {
      is: "so does cvtpi2ps",
      code: "0f 2a 0e",
      memory: "0000000000000001",
      before: { fpuTop: 3 },
      after: { fpuTop: 3 },
    },
    {
      is: "cvtpi2ps from a register enters MMX state",
      code: "0f 2a c9",
      before: { fpuTop: 3 },
      after: { fpuTop: 0 },
    },
  ]);
});

test("rounding takes its mode from the immediate or MXCSR", () => {
  const x2 = "c004000000000000"; // -2.5
  checkVectors([
    {
      is: "nearest",
      code: "66 0f 3a 0b ca 00",
      vectors: { x2 },
      vectorsAfter: { x1: "c000000000000000" },
      after: { mxcsr: 0x1fa0 },
    },
    {
      is: "down, no flag",
      code: "66 0f 3a 0b ca 09",
      vectors: { x2 },
      vectorsAfter: { x1: "c008000000000000" },
      after: { mxcsr: 0x1f80 },
    },
    {
      is: "MXCSR, to zero",
      code: "66 0f 3a 0b ca 04",
      vectors: { x2 },
      before: { mxcsr: 0x7f80 },
      vectorsAfter: { x1: "c000000000000000" },
    },
  ]);
});

test("LDMXCSR refuses reserved bits", () => {
  checkVectors([
    { is: "ldmxcsr", code: "0f ae 16", memory: "0000ffff", after: { mxcsr: 0xffff } },
    {
      is: "ldmxcsr, reserved",
      code: "0f ae 16",
      memory: "00010000",
      fault: 13,
      after: { mxcsr: 0x1f80 },
    },
    { is: "stmxcsr", code: "0f ae 1e", memoryAfter: "00001f80" },
  ]);
});
