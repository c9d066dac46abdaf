import { test } from "../../lib/testing.ts";
import { checkVectors } from "./testing/vectors.ts";

const A = "0f0e0d0c0b0a09080706050403020100";
const B = "1f1e1d1c1b1a19181716151413121110";

test("an aligned move of a misaligned operand is #GP, an unaligned one is not", () => {
  checkVectors([
    { is: "movaps xmm1, [rsi]", code: "0f 28 0e", memory: B, vectorsAfter: { x1: B } },
    { is: "movaps xmm1, [rsi+8]", code: "0f 28 4e 08", memory: B, fault: 13 },
    { is: "movaps fs:[rsi+8]", code: "64 0f 28 4e 08", before: { fsBase: 8 } },
    { is: "movaps fs:[rsi]", code: "64 0f 28 0e", before: { fsBase: 8 }, fault: 13 },
    {
      is: "movups xmm1, [rsi+8]",
      code: "0f 10 4e 08",
      memory: B,
      vectorsAfter: { x1: "00000000000000001f1e1d1c1b1a1918" },
    },
    { is: "movdqa [rsi+8], xmm1", code: "66 0f 7f 4e 08", fault: 13 },
    { is: "movntps [rsi], xmm1", code: "0f 2b 0e", vectors: { x1: A }, memoryAfter: A },
  ]);
});

test("scalar moves clear the rest of a register from memory and keep it between registers", () => {
  checkVectors([
    {
      is: "movss xmm1, [rsi]",
      code: "f3 0f 10 0e",
      vectors: { x1: A },
      memory: B,
      vectorsAfter: { x1: "00000000000000000000000013121110" },
    },
    {
      is: "movss xmm1, xmm2",
      code: "f3 0f 10 ca",
      vectors: { x1: A, x2: B },
      vectorsAfter: { x1: "0f0e0d0c0b0a09080706050413121110" },
    },
    {
      is: "movsd xmm2, xmm1",
      code: "f2 0f 11 ca",
      vectors: { x1: A, x2: B },
      vectorsAfter: { x2: "1f1e1d1c1b1a19180706050403020100" },
    },
    {
      is: "movq xmm1, xmm2",
      code: "f3 0f 7e ca",
      vectors: { x1: A, x2: B },
      vectorsAfter: { x1: "00000000000000001716151413121110" },
    },
    {
      is: "movhlps xmm1, xmm2",
      code: "0f 12 ca",
      vectors: { x1: A, x2: B },
      vectorsAfter: { x1: "0f0e0d0c0b0a09081f1e1d1c1b1a1918" },
    },
    {
      is: "movhps [rsi], xmm1",
      code: "0f 17 0e",
      vectors: { x1: A },
      memoryAfter: "0f0e0d0c0b0a0908",
    },
    {
      is: "movddup xmm1, xmm2",
      code: "f2 0f 12 ca",
      vectors: { x2: B },
      vectorsAfter: { x1: "17161514131211101716151413121110" },
    },
  ]);
});

test("general registers exchange 32 or 64 bits with vector registers", () => {
  checkVectors([
    {
      is: "movd xmm1, edx",
      code: "66 0f 6e ca",
      vectors: { x1: A },
      before: { rdx: 0x1122334455667788n },
      vectorsAfter: { x1: "00000000000000000000000055667788" },
    },
    {
      is: "movq rdx, xmm1",
      code: "66 48 0f 7e ca",
      vectors: { x1: A },
      after: { rdx: 0x0706050403020100n },
    },
    {
      is: "movmskpd edx, xmm1",
      code: "66 0f 50 d1",
      vectors: { x1: "8".padEnd(32, "0") },
      after: { rdx: 2 },
    },
    {
      is: "pmovmskb edx, xmm1",
      code: "66 0f d7 d1",
      vectors: { x1: "80007f00ff0000000000000000000080" },
      after: { rdx: 0x8801 },
    },
  ]);
});

test("MMX instructions make all x87 registers valid and set the exponent of what they write", () => {
  checkVectors([
    {
      is: "movd mm1, edx",
      code: "0f 6e ca",
      before: { rdx: 0x12345678, fpuTop: 5, fpuTags: 0xff },
      vectorsAfter: { m1: "ffff0000000012345678" },
      after: { fpuTop: 0, fpuTags: 0 },
    },
    {
      is: "movq [rsi], mm1",
      code: "0f 7f 0e",
      vectors: { m1: "3fff1716151413121110" },
      before: { fpuTop: 5, fpuTags: 0xff },
      memoryAfter: "1716151413121110",
      vectorsAfter: { m1: "3fff1716151413121110" },
      after: { fpuTop: 0, fpuTags: 0 },
    },
    {
      is: "emms",
      code: "0f 77",
      before: { fpuTop: 5, fpuTags: 0 },
      after: { fpuTop: 0, fpuTags: 0xff },
    },
  ]);
});

test("units that are off and pending x87 exceptions come first", () => {
  checkVectors([
    { is: "movaps with #UD", code: "0f 28 4e 08", before: { sseTrap: 6 }, fault: 6 },
    { is: "movaps with #NM", code: "0f 28 4e 08", before: { sseTrap: 7 }, fault: 7 },
    { is: "paddb mm with #NM", code: "0f fc ca", before: { mmxTrap: 7 }, fault: 7 },
    { is: "paddb mm without SSE", code: "0f fc ca", before: { sseTrap: 6 } },
    { is: "paddb mm with ES", code: "0f fc ca", before: { fpuStatus: 0x80 }, fault: 16 },
    { is: "paddb xmm with ES", code: "66 0f fc ca", before: { fpuStatus: 0x80 } },
    { is: "movnti", code: "0f c3 16", before: { sseTrap: 6, rdx: 7 }, memoryAfter: "00000007" },
  ]);
});

test("MASKMOVDQU stores the selected bytes only", () => {
  checkVectors([
    {
      is: "maskmovdqu xmm1, xmm2",
      code: "66 0f f7 ca",
      vectors: { x1: A, x2: "80000000000000800000000000000080" },
      memory: B,
      before: { rdi: 0x2000 },
      memoryAfter: "0f1e1d1c1b1a19081716151413121100",
    },
    {
      is: "maskmovdqu of nothing",
      code: "66 0f f7 ca",
      vectors: { x1: A },
      before: { rdi: 0x7000_0000 },
    },
  ]);
});
