import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

test("MOV writes as many bits as its operand has; 32 bits clear the upper half", () => {
  checkAll([
    { code: "89 d8", before: { rax: -1, rbx: 0x1_2345_6789n }, after: { rax: 0x23456789 } },
    { code: "66 89 d8", before: { rax: -1, rbx: 0 }, after: { rax: 0xffffffffffff0000n } },
    { code: "88 dc", before: { rax: -1, rbx: 0 }, after: { rax: 0xffffffffffff00ffn } },
    { code: "40 88 dc", before: { rbx: 0x55 }, after: { rsp: 0x8055 } },
    { code: "48 c7 c0 fe ff ff ff", after: { rax: -2 } },
    { code: "48 b8 01 02 03 04 05 06 07 08", after: { rax: 0x0807060504030201n } },
    { code: "b8 fe ff ff ff", after: { rax: 0xfffffffe } },
    { code: "66 b8 fe ff", before: { rax: 0x10000 }, after: { rax: 0x1fffe } },
    { code: "c6 45 00 80", before: { rbp: 0x2000 }, memoryAfter: { 0x2000: "80 00" } },
    {
      code: "48 c7 00 ff ff ff ff",
      before: { rax: 0x2000 },
      memoryAfter: { 0x2000: "ff ff ff ff ff ff ff ff 00" },
    },
    {
      code: "a1 00 20 00 00 00 00 00 00",
      memory: { 0x2000: "78 56 34 12" },
      after: { rax: 0x12345678 },
    },
    { code: "a2 00 20", bits: 16, before: { rax: 7 }, memoryAfter: { 0x2000: "07" } },
    { code: "8b 05 10 00 00 00", memory: { 0x1016: "2a" }, after: { rax: 42 } },
    {
      code: "8b 84 8b 00 10 00 00",
      before: { rbx: 0x1000, rcx: 4 },
      memory: { 0x2010: "2a" },
      after: { rax: 42 },
    },
    {
      code: "67 8b 03",
      before: { rbx: 0x1_0000_2000n },
      memory: { 0x2000: "2a" },
      after: { rax: 42 },
    },
    {
      code: "64 8b 03",
      before: { rbx: 0, fsBase: 0x3000 },
      memory: { 0x3000: "2a" },
      after: { rax: 42 },
    },
    {
      code: "8b 46 fe",
      bits: 16,
      before: { rbp: 0x2002, ssBase: 0x10000 },
      memory: { 0x12000: "2a" },
      after: { rax: 42 },
    },
  ]);
});

test("segment registers are read directly and loaded by the system", () => {
  checkAll([
    { code: "8c d8", before: { rax: -1, dsSelector: 0x2b }, after: { rax: 0x2b } },
    {
      code: "66 8c e0",
      before: { rax: -1, fsSelector: 0x2b },
      after: { rax: 0xffffffffffff002bn },
    },
    {
      code: "8c 18",
      before: { rax: 0x2000, dsSelector: 0x1234 },
      memoryAfter: { 0x2000: "34 12 00" },
    },
    { code: "8e d8", before: { rax: 0x5002b }, calls: [["loadSegment", 3, 0x2b]] },
    { code: "8e d0", before: { rax: 0x10 }, calls: [["loadSegment", 2, 0x10]] },
  ]);
});

test("MOVZX, MOVSX and MOVSXD extend", () => {
  checkAll([
    { code: "0f b6 c4", before: { rax: 0x8123 }, after: { rax: 0x81 } },
    { code: "0f be c3", before: { rbx: 0x80 }, after: { rax: 0xffffff80 } },
    { code: "48 0f be c3", before: { rbx: 0x80 }, after: { rax: -128 } },
    { code: "66 0f be c3", before: { rax: 0x70000, rbx: 0x80 }, after: { rax: 0x7ff80 } },
    { code: "0f bf c3", before: { rbx: 0x8000 }, after: { rax: 0xffff8000 } },
    { code: "48 63 c3", before: { rbx: 0x80000000 }, after: { rax: -0x80000000 } },
    { code: "63 c3", before: { rax: -1, rbx: 0x80000000 }, after: { rax: 0x80000000 } },
  ]);
});

test("XCHG swaps; 90 without REX.B is NOP", () => {
  checkAll([
    { code: "87 d8", before: { rax: 1, rbx: 2 }, after: { rax: 2, rbx: 1 } },
    { code: "86 e0", before: { rax: 0x0102 }, after: { rax: 0x0201 } },
    {
      code: "87 03",
      before: { rax: 1, rbx: 0x2000 },
      memory: { 0x2000: "07" },
      after: { rax: 7 },
      memoryAfter: { 0x2000: "01 00" },
    },
    { code: "90", before: { rax: -1 } },
    { code: "41 90", before: { rax: 5, r8: -1 }, after: { rax: 0xffffffff, r8: 5 } },
    { code: "48 91", before: { rax: 5, rcx: -1 }, after: { rax: -1, rcx: 5 } },
    { code: "f3 90" },
    { code: "0f 1f 44 00 00", before: { rax: -1 } },
    { code: "f3 0f 1e fa" },
  ]);
});

test("LEA gives the offset, cut to address and operand size", () => {
  checkAll([
    { code: "8d 44 8b 10", before: { rbx: 0x1_0000_0000n, rcx: 2 }, after: { rax: 0x18 } },
    {
      code: "48 8d 44 8b 10",
      before: { rbx: 0x1_0000_0000n, rcx: 2 },
      after: { rax: 0x1_0000_0018n },
    },
    { code: "67 48 8d 03", before: { rbx: -1 }, after: { rax: 0xffffffff } },
    { code: "8d 42 ff", bits: 16, before: { rbp: 0, rsi: 0 }, after: { rax: 0xffff } },
    { code: "48 8d 05 f9 ff ff ff", after: { rax: 0x1000 } },
  ]);
});

test("CMOVcc zero-extends even when it does not move; SETcc writes one byte", () => {
  checkAll([
    { code: "0f 44 c3", before: { rax: -1, rbx: 5, flags: "Z" }, after: { rax: 5 } },
    { code: "0f 44 c3", before: { rax: -1, rbx: 5 }, after: { rax: 0xffffffff } },
    { code: "0f 4c c3", before: { rbx: 5, flags: "S" }, after: { rax: 5 } },
    { code: "0f 4c c3", before: { rbx: 5, flags: "SO" }, after: {} },
    { code: "0f 97 c0", before: { rax: 0x1ff }, after: { rax: 0x101 } },
    { code: "0f 9a c0", before: { flags: "P" }, after: { rax: 1 } },
    { code: "0f 9e c0", before: { flags: "Z" }, after: { rax: 1 } },
  ]);
});

test("BSWAP and MOVBE reverse bytes", () => {
  checkAll([
    { code: "0f c8", before: { rax: 0x12345678 }, after: { rax: 0x78563412 } },
    { code: "48 0f c8", before: { rax: 0x0102030405060708n }, after: { rax: 0x0807060504030201n } },
    {
      code: "0f 38 f0 03",
      before: { rbx: 0x2000 },
      memory: { 0x2000: "01 02 03 04" },
      after: { rax: 0x01020304 },
    },
    {
      code: "66 0f 38 f1 03",
      before: { rax: 0x1234, rbx: 0x2000 },
      memoryAfter: { 0x2000: "12 34 00" },
    },
  ]);
});

test("XLAT and the sign conversions use AL, AX, EAX, RAX", () => {
  checkAll([
    {
      code: "d7",
      before: { rax: 0x1ff, rbx: 0x2000 },
      memory: { 0x20ff: "80" },
      after: { rax: 0x180 },
    },
    {
      code: "d7",
      bits: 16,
      before: { rax: 2, rbx: 0xffff },
      memory: { 1: "80" },
      after: { rax: 0x80 },
    },
    { code: "66 98", before: { rax: 0x80 }, after: { rax: 0xff80 } },
    { code: "98", before: { rax: 0x8000 }, after: { rax: 0xffff8000 } },
    { code: "48 98", before: { rax: 0x80000000 }, after: { rax: -0x80000000 } },
    { code: "66 99", before: { rax: 0x8000, rdx: 0x70000 }, after: { rdx: 0x7ffff } },
    { code: "99", before: { rax: 0x80000000 }, after: { rdx: 0xffffffff } },
    { code: "48 99", before: { rax: 1, rdx: 5 }, after: { rdx: 0 } },
  ]);
});

test("flag instructions change their flag alone", () => {
  checkAll([
    { code: "f8", before: { flags: "CPAZSOD" }, after: { flags: "PAZSOD" } },
    { code: "f9", before: { flags: "O" }, after: { flags: "CO" } },
    { code: "f9", before: { flags: "A" }, after: { flags: "CA" } },
    { code: "f5", before: { flags: "CO" }, after: { flags: "O" } },
    { code: "fc", before: { flags: "CD" }, after: { flags: "C" } },
    { code: "fd", before: { flags: "C" }, after: { flags: "CD" } },
    { code: "9f", before: { rax: 0x12345, flags: "CPAZSO" }, after: { rax: 0x1d745 } },
    { code: "9f", before: { rax: 0xff45, flags: "O" }, after: { rax: 0x0245 } },
    { code: "9e", before: { rax: 0xff00, flags: "O" }, after: { flags: "CPAZSO" } },
    { code: "9e", before: { rax: 0x4000, flags: "CSD" }, after: { flags: "ZD" } },
    { code: "d6", bits: 32, before: { flags: "C" }, after: { rax: 0xff } },
  ]);
});
