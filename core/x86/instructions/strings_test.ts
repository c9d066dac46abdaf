import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

const WHERE = { rsi: 0x2000, rdi: 0x3000 };

test("one execution is one item, in the direction of DF", () => {
  checkAll([
    {
      code: "a4",
      before: WHERE,
      memory: { 0x2000: "2a" },
      memoryAfter: { 0x3000: "2a 00" },
      after: { rsi: 0x2001, rdi: 0x3001 },
    },
    {
      code: "48 a5",
      before: { ...WHERE, flags: "D" },
      memory: { 0x2000: "01 02 03 04 05 06 07 08" },
      memoryAfter: { 0x3000: "01 02 03 04 05 06 07 08" },
      after: { rsi: 0x1ff8, rdi: 0x2ff8 },
    },
    {
      code: "ab",
      before: { rdi: 0x3000, rax: 0x12345678 },
      memoryAfter: { 0x3000: "78 56 34 12" },
      after: { rdi: 0x3004 },
    },
    {
      code: "ac",
      before: { ...WHERE, rax: -1 },
      memory: { 0x2000: "2a" },
      after: { rax: -0xd6, rsi: 0x2001 },
    },
    {
      code: "a6",
      before: WHERE,
      memory: { 0x2000: "01", 0x3000: "02" },
      after: { rsi: 0x2001, rdi: 0x3001, flags: "CSPA" },
    },
    {
      code: "66 af",
      before: { rdi: 0x3000, rax: 0x0201 },
      memory: { 0x3000: "01 02" },
      after: { rdi: 0x3002, flags: "ZP" },
    },
  ]);
});

test("REP repeats while the count lasts; a count of 0 does nothing once", () => {
  checkAll([
    {
      code: "f3 a4",
      before: { ...WHERE, rcx: 2 },
      repeats: true,
      after: { rsi: 0x2001, rdi: 0x3001, rcx: 1 },
    },
    { code: "f3 a4", before: { ...WHERE, rcx: 1 }, after: { rsi: 0x2001, rdi: 0x3001, rcx: 0 } },
    { code: "f3 a4", before: { ...WHERE, rcx: 0 } },
    {
      code: "f3 aa",
      times: 5,
      before: { rdi: 0x3000, rcx: 4, rax: 7 },
      memoryAfter: { 0x3000: "07 07 07 07 00" },
      after: { rdi: 0x3004, rcx: 0 },
    },
    {
      code: "f2 a5",
      times: 9,
      before: { ...WHERE, rcx: 3 },
      after: { rsi: 0x200c, rdi: 0x300c, rcx: 0 },
    },
    {
      code: "67 f3 aa",
      before: { rdi: 0x1_0000_3000n, rcx: 0x1_0000_0001n },
      after: { rdi: 0x3001, rcx: 0 },
    },
    { code: "f3 a4", before: { rsi: 0x40000, rdi: 0x3000, rcx: 2 }, fault: 14, errorCode: 0 },
  ]);
});

test("REPE and REPNE also stop by ZF", () => {
  const memory = { 0x2000: "61 62 63 64", 0x3000: "61 62 78 64" };
  checkAll([
    {
      code: "f3 a6",
      times: 9,
      before: { ...WHERE, rcx: 4 },
      memory,
      after: { rsi: 0x2003, rdi: 0x3003, rcx: 1, flags: "CSPA" },
    },
    {
      code: "f2 ae",
      times: 9,
      before: { rdi: 0x3000, rcx: -1, rax: 0x78 },
      memory,
      after: { rdi: 0x3003, rcx: -4, flags: "ZP" },
    },
    {
      code: "f3 ae",
      times: 9,
      before: { rdi: 0x3000, rcx: 4, rax: 0x61 },
      memory,
      after: { rdi: 0x3002, rcx: 2, flags: "CSPA" },
    },
  ]);
});

test("segment overrides apply to the source alone", () => {
  checkAll([
    {
      code: "64 a4",
      before: { ...WHERE, fsBase: 0x1000 },
      memory: { 0x3000: "2a" },
      memoryAfter: { 0x3000: "2a" },
      after: { rsi: 0x2001, rdi: 0x3001 },
    },
    {
      code: "64 ac",
      bits: 32,
      before: { ...WHERE, fsBase: 0x1000 },
      memory: { 0x3000: "2a" },
      after: { rax: 0x2a, rsi: 0x2001 },
    },
    {
      code: "26 a4",
      bits: 16,
      before: { ...WHERE, esBase: 0x1000 },
      memory: { 0x3000: "2a" },
      memoryAfter: { 0x4000: "2a" },
      after: { rsi: 0x2001, rdi: 0x3001 },
    },
    { code: "a5", bits: 16, before: { rsi: 0xfffe, rdi: 0 }, after: { rsi: 0, rdi: 2 } },
    { code: "a5", bits: 16, before: { rsi: 0xffff, rdi: 0 }, fault: 13, errorCode: 0 },
  ]);
});

test("INS and OUTS ask for the right to the port, then for memory, then go through the port", () => {
  const system = { in: () => 0x1234 };
  checkAll([
    {
      code: "66 6d",
      system,
      before: { rdi: 0x3000, rdx: 0x1f0 },
      memoryAfter: { 0x3000: "34 12 00" },
      after: { rdi: 0x3002 },
      calls: [["checkIo", 0x1f0, 2], ["in", 0x1f0, 2]],
    },
    { code: "6c", before: { rdi: 0x40000 }, fault: 14, errorCode: 0, calls: [["checkIo", 0, 1]] },
    {
      code: "f3 6f",
      times: 2,
      before: { rsi: 0x2000, rdx: 5, rcx: 2 },
      memory: { 0x2000: "01 00 00 00 02" },
      after: { rsi: 0x2008, rcx: 0 },
      calls: [["checkIo", 5, 4], ["out", 5, 4, 1], ["checkIo", 5, 4], ["out", 5, 4, 2]],
    },
    { code: "f3 6e", before: { rdx: 5 }, calls: [["checkIo", 5, 1]] },
    {
      code: "48 6d",
      before: { rdi: 0x3000 },
      after: { rdi: 0x3004 },
      calls: [["checkIo", 0, 4], ["in", 0, 4]],
    },
  ]);
});
