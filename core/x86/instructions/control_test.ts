import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

test("near branches go to the next instruction plus the displacement, cut to the operand size", () => {
  checkAll([
    { code: "eb fe", rip: 0x1000 },
    { code: "e9 00 01 00 00", rip: 0x1105 },
    { code: "66 e9 00 01 00 00", rip: 0x1106 },
    { code: "eb 7f", bits: 16, before: { rip: 0xfff0 }, rip: 0x71 },
    { code: "66 e9 00 00 01 00", bits: 16, fault: 13, errorCode: 0 },
    { code: "74 10", before: { flags: "Z" }, rip: 0x1012 },
    { code: "74 10" },
    { code: "0f 8f 10 00 00 00", before: { flags: "SO" }, rip: 0x1016 },
    { code: "ff e0", before: { rax: 0x4000 }, rip: 0x4000 },
    { code: "ff e0", before: { rax: 0x8000_0000_0000n }, fault: 13, errorCode: 0 },
    { code: "ff 20", before: { rax: 0x2000 }, memory: { 0x2000: "00 50" }, rip: 0x5000 },
  ]);
});

test("CALL pushes the return offset, RET takes it; a bad target changes nothing", () => {
  checkAll([
    {
      code: "e8 00 01 00 00",
      rip: 0x1105,
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "05 10 00" },
    },
    {
      code: "ff d0",
      before: { rax: 0x4000 },
      rip: 0x4000,
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "02 10" },
    },
    { code: "ff d0", before: { rax: -1n << 47n, rsp: 0x40000 }, fault: 14, errorCode: 0 },
    { code: "ff d0", before: { rax: 1n << 47n }, fault: 13, errorCode: 0 },
    { code: "ff 14 24", memory: { 0x8000: "00 50" }, rip: 0x5000, after: { rsp: 0x7ff8 } },
    { code: "c3", memory: { 0x8000: "00 50" }, rip: 0x5000, after: { rsp: 0x8008 } },
    { code: "c2 10 00", memory: { 0x8000: "00 50" }, rip: 0x5000, after: { rsp: 0x8018 } },
    { code: "c3", memory: { 0x8000: "00 00 00 00 00 00 01 00" }, fault: 13, errorCode: 0 },
    {
      code: "66 c3",
      bits: 32,
      memory: { 0x8000: "00 50 01 00" },
      rip: 0x5000,
      after: { rsp: 0x8002 },
    },
  ]);
});

test("LOOP counts with the address size; JCXZ tests", () => {
  checkAll([
    { code: "e2 10", before: { rcx: 2 }, rip: 0x1012, after: { rcx: 1 } },
    { code: "e2 10", before: { rcx: 1 }, after: { rcx: 0 } },
    { code: "67 e2 10", before: { rcx: 0x1_0000_0000n }, rip: 0x1013, after: { rcx: 0xffffffff } },
    { code: "e1 10", before: { rcx: 2, flags: "Z" }, rip: 0x1012, after: { rcx: 1 } },
    { code: "e1 10", before: { rcx: 2 }, after: { rcx: 1 } },
    { code: "e0 10", before: { rcx: 2 }, rip: 0x1012, after: { rcx: 1 } },
    { code: "e3 10", before: { rcx: 0 }, rip: 0x1012 },
    { code: "e3 10", before: { rcx: 1 } },
    { code: "e3 10", bits: 16, before: { rcx: 0x10000 }, rip: 0x1012 },
    { code: "e2 80", bits: 16, before: { rip: 0, rcx: 2 }, rip: 0xff82, after: { rcx: 1 } },
  ]);
});

test("far transfers and interrupts are left to the system with their operands", () => {
  checkAll([
    { code: "ea 78 56 34 12 10 00", bits: 32, calls: [["jumpFar", 0x10, 0x12345678, 32]] },
    { code: "9a 34 12 10 00", bits: 16, calls: [["callFar", 0x10, 0x1234, 16]] },
    {
      code: "ff 28",
      before: { rax: 0x2000 },
      memory: { 0x2000: "78 56 34 12 10 00" },
      calls: [["jumpFar", 0x10, 0x12345678, 32]],
    },
    {
      code: "48 ff 18",
      before: { rax: 0x2000 },
      memory: { 0x2000: "01 00 00 00 01 00 00 00 10" },
      calls: [["callFar", 0x10, 0x1_0000_0001n, 64]],
    },
    { code: "cb", calls: [["returnFar", 32, 0]] },
    { code: "48 ca 08 00", calls: [["returnFar", 64, 8]] },
    { code: "48 cf", calls: [["iret", 64]] },
    { code: "cd 80", calls: [["int", 0x80]] },
    { code: "cc", calls: [["int3"]] },
    { code: "ce", bits: 32, calls: [] },
    { code: "ce", bits: 32, before: { flags: "O" }, calls: [["into"]] },
    { code: "f1", calls: [["int1"]] },
    {
      code: "c5 06 00 20",
      bits: 16,
      memory: { 0x2000: "34 12 78 56" },
      after: { rax: 0x1234 },
      calls: [["loadFarSegment", 3, 0x5678]],
    },
  ]);
});

test("BOUND compares signed; UD0, UD1 and UD2 raise #UD", () => {
  checkAll([
    {
      code: "62 03",
      bits: 32,
      before: { rax: -1, rbx: 0x2000 },
      memory: { 0x2000: "fe ff ff ff 05" },
    },
    {
      code: "62 03",
      bits: 32,
      before: { rax: 6, rbx: 0x2000 },
      memory: { 0x2000: "fe ff ff ff 05" },
      fault: 5,
    },
    { code: "0f 0b", fault: 6 },
    { code: "0f b9 c0", fault: 6 },
    { code: "0f ff c0", fault: 6 },
  ]);
});
