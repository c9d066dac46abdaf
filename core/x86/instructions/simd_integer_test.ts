import { test } from "../../lib/testing.ts";
import { checkVectors } from "./testing/vectors.ts";

const ABC = "0f0e0d0c0b0a09080706050403020100";

test("sums saturate or wrap by element", () => {
  const vectors = { x1: "7f8000ff".padStart(32, "0"), x2: "01ff0101".padStart(32, "0") };
  const after = (digits: string) => ({ vectorsAfter: { x1: digits.padStart(32, "0") } });
  checkVectors([
    { is: "paddb", code: "66 0f fc ca", vectors, ...after("807f0100") },
    { is: "paddsb", code: "66 0f ec ca", vectors, ...after("7f800100") },
    { is: "paddusb", code: "66 0f dc ca", vectors, ...after("80ff01ff") },
    { is: "psubusb", code: "66 0f d8 ca", vectors, ...after("7e0000fe") },
    { is: "paddd", code: "66 0f fe ca", vectors, ...after("817f0200") },
  ]);
});

test("MMX forms compute on 64 bits", () => {
  const vectors = { m1: "ffff8000000100020003", m2: "ffff00010002fffe8000" };
  checkVectors([
    { is: "packsswb", code: "0f 63 ca", vectors, vectorsAfter: { m1: "ffff0102fe8080010203" } },
    { is: "punpckhdq", code: "0f 6a ca", vectors, vectorsAfter: { m1: "ffff0001000280000001" } },
    {
      is: "psrlq by 65",
      code: "0f d3 ca",
      vectors: { m1: "1", m2: "41" },
      vectorsAfter: { m1: "ffff0000000000000000" },
    },
    {
      is: "palignr 3",
      code: "0f 3a 0f ca 03",
      vectors,
      vectorsAfter: { m1: "ffff02000300010002ff" },
    },
  ]);
});

test("shift counts beyond the element give zeros, or copies of the sign", () => {
  const value = "8000000180000001".padStart(32, "0");
  checkVectors([
    {
      is: "psrlw 16",
      code: "66 0f 71 d1 10",
      vectors: { x1: ABC },
      vectorsAfter: { x1: "0".repeat(32) },
    },
    {
      is: "psrad 200",
      code: "66 0f 72 e1 c8",
      vectors: { x1: value },
      vectorsAfter: { x1: "ffffffffffffffff".padStart(32, "0") },
    },
    {
      is: "psllq by a count above 32 bits",
      code: "66 0f f3 ca",
      vectors: { x1: value, x2: "100000001" },
      vectorsAfter: { x1: "0".repeat(32) },
    },
    {
      is: "pslldq 3",
      code: "66 0f 73 f9 03",
      vectors: { x1: ABC },
      vectorsAfter: { x1: "0c0b0a09080706050403020100000000" },
    },
    {
      is: "psrldq 255",
      code: "66 0f 73 d9 ff",
      vectors: { x1: ABC },
      vectorsAfter: { x1: "0".repeat(32) },
    },
  ]);
});

test("products of the least numbers", () => {
  const least = "8000".repeat(8);
  checkVectors([
    {
      is: "pmulhrsw",
      code: "66 0f 38 0b ca",
      vectors: { x1: least, x2: least },
      vectorsAfter: { x1: least },
    },
    {
      is: "pmaddwd",
      code: "66 0f f5 ca",
      vectors: { x1: least, x2: least },
      vectorsAfter: { x1: "80000000".repeat(4) },
    },
    {
      is: "pmulhw",
      code: "66 0f e5 ca",
      vectors: { x1: least, x2: least },
      vectorsAfter: { x1: "4000".repeat(8) },
    },
    {
      is: "pmaddubsw",
      code: "66 0f 38 04 ca",
      vectors: { x1: "ff".repeat(16), x2: "80".repeat(16) },
      vectorsAfter: { x1: least },
    },
  ]);
});

test("horizontal instructions", () => {
  checkVectors([
    {
      is: "psadbw",
      code: "66 0f f6 ca",
      vectors: { x1: "ff".repeat(16), x2: "0" },
      vectorsAfter: { x1: "00000000000007f800000000000007f8" },
    },
    {
      is: "phaddsw",
      code: "66 0f 38 03 ca",
      vectors: { x1: "7fff".repeat(8), x2: "8000".repeat(8) },
      vectorsAfter: { x1: "8000".repeat(4) + "7fff".repeat(4) },
    },
    {
      is: "phsubw",
      code: "66 0f 38 05 ca",
      vectors: { x1: "00018000".repeat(4), x2: "0" },
      vectorsAfter: { x1: "7fff".repeat(4).padStart(32, "0") },
    },
    {
      is: "phminposuw",
      code: "66 0f 38 41 ca",
      vectors: { x2: "00050004000300020009000200080007" },
      vectorsAfter: { x1: "00020002".padStart(32, "0") },
    },
    {
      is: "mpsadbw",
      code: "66 0f 3a 42 ca 00",
      vectors: { x1: ABC, x2: "0" },
      vectorsAfter: { x1: "0022001e001a00160012000e000a0006" },
    },
  ]);
});

test("PTEST sets ZF and CF and clears the other flags", () => {
  const zf = { vectors: { x1: "f0", x2: "0f" } };
  const cf = { vectors: { x1: "ff", x2: "0f" } };
  checkVectors([
    {
      is: "disjoint",
      code: "66 0f 38 17 ca",
      ...zf,
      after: { zeroSource: 0, carrySource: 0, signSource: 1 },
    },
    {
      is: "covered",
      code: "66 0f 38 17 ca",
      ...cf,
      after: { zeroSource: 1, carrySource: 3n << 62n },
    },
  ]);
});

test("shuffles by immediate and by vector", () => {
  checkVectors([
    {
      is: "pshufd 1b",
      code: "66 0f 70 ca 1b",
      vectors: { x2: ABC },
      vectorsAfter: { x1: "03020100070605040b0a09080f0e0d0c" },
    },
    {
      is: "pshuflw 1b",
      code: "f2 0f 70 ca 1b",
      vectors: { x2: ABC },
      vectorsAfter: { x1: "0f0e0d0c0b0a09080100030205040706" },
    },
    {
      is: "pshufhw 1b",
      code: "f3 0f 70 ca 1b",
      vectors: { x2: ABC },
      vectorsAfter: { x1: "09080b0a0d0c0f0e0706050403020100" },
    },
    {
      is: "pshufb",
      code: "66 0f 38 00 ca",
      vectors: { x1: ABC, x2: "800f7f00".padStart(32, "8") },
      vectorsAfter: { x1: "000f0f00".padStart(32, "0") },
    },
    {
      is: "palignr 5",
      code: "66 0f 3a 0f ca 05",
      vectors: { x1: "ff", x2: ABC },
      vectorsAfter: { x1: "00000000ff0f0e0d0c0b0a0908070605" },
    },
    {
      is: "shufps e4",
      code: "0f c6 ca e4",
      vectors: { x1: ABC, x2: "ff".repeat(16) },
      vectorsAfter: { x1: "ffffffffffffffff0706050403020100" },
    },
  ]);
});

test("elements are inserted, extracted and blended by number", () => {
  const filled = { x1: "0", x2: ABC };
  checkVectors([
    {
      is: "pinsrw 5",
      code: "66 0f c4 ca 0d",
      vectors: filled,
      before: { rdx: 0xabcd1234n },
      vectorsAfter: { x1: "00000000123400000000000000000000" },
    },
    { is: "pextrb 9", code: "66 0f 3a 14 d2 19", vectors: filled, after: { rdx: 9 } },
    {
      is: "pextrq [rsi], 1",
      code: "66 48 0f 3a 16 16 01",
      vectors: filled,
      memoryAfter: "0f0e0d0c0b0a0908",
    },
    {
      is: "insertps 9a",
      code: "66 0f 3a 21 ca 9a",
      vectors: { x1: "ff".repeat(16), x2: ABC },
      vectorsAfter: { x1: "00000000ffffffff00000000ffffffff" },
    },
    {
      is: "pblendw 81",
      code: "66 0f 3a 0e ca 81",
      vectors: filled,
      vectorsAfter: { x1: "0f0e0000000000000000000000000100" },
    },
    {
      is: "pblendvb",
      code: "66 0f 38 10 ca",
      vectors: { ...filled, x0: "80".padEnd(32, "7") },
      vectorsAfter: { x1: "0f".padEnd(32, "0") },
    },
    {
      is: "pmovsxbq",
      code: "66 0f 38 22 ca",
      vectors: { x2: "ff80" },
      vectorsAfter: { x1: "ffffffffffffffffffffffffffffff80" },
    },
  ]);
});

test("string comparison finds, bounds and masks", () => {
  const text = "00006f6c6c6568"; // "hello"
  checkVectors([
    {
      is: "pcmpistri equal any",
      code: "66 0f 3a 63 ca 00",
      vectors: { x1: "6c", x2: text },
      after: { rcx: 2, zeroSource: 0 },
    },
    {
      is: "pcmpistri, most significant",
      code: "66 0f 3a 63 ca 40",
      vectors: { x1: "6c", x2: text },
      after: { rcx: 3 },
    },
    {
      is: "pcmpistri, not found",
      code: "66 0f 3a 63 ca 00",
      vectors: { x1: "7a", x2: text },
      after: { rcx: 16, carrySource: 0 },
    },
    {
      is: "pcmpistri ordered",
      code: "66 0f 3a 63 ca 0c",
      vectors: { x1: "6f6c", x2: text },
      after: { rcx: 3 },
    },
    {
      is: "pcmpistrm ranges, bytes",
      code: "66 0f 3a 62 ca 44",
      vectors: { x1: "6d66", x2: text },
      vectorsAfter: { x0: "00ffff00ff".padStart(32, "0") },
    },
    {
      is: "pcmpestri each, negative lengths",
      code: "66 0f 3a 61 ca 18",
      vectors: { x1: text, x2: text },
      before: { rax: 0xfffffffdn, rdx: 5 },
      after: { rcx: 3 },
    },
  ]);
});
