import { test } from "../../lib/testing.ts";
import { type Case, checkAll } from "./testing/harness.ts";

test("PUSH and POP move operand-size items", () => {
  checkAll([
    {
      code: "50",
      before: { rax: 0x1122334455667788n },
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "88 77 66 55 44 33 22 11" },
    },
    {
      code: "66 50",
      before: { rax: 0x7788 },
      after: { rsp: 0x7ffe },
      memoryAfter: { 0x7ffe: "88 77" },
    },
    {
      code: "50",
      bits: 32,
      before: { rax: 1 },
      after: { rsp: 0x7ffc },
      memoryAfter: { 0x7ffc: "01 00 00 00" },
    },
    {
      code: "50",
      bits: 16,
      before: { rax: 1, rsp: 0x10000 },
      after: { rsp: 0x1fffe },
      memoryAfter: { 0xfffe: "01 00" },
    },
    { code: "54", after: { rsp: 0x7ff8 }, memoryAfter: { 0x7ff8: "00 80" } },
    { code: "6a ff", after: { rsp: 0x7ff8 }, memoryAfter: { 0x7ff8: "ff ff ff ff ff ff ff ff" } },
    {
      code: "68 00 00 00 80",
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "00 00 00 80 ff ff ff ff" },
    },
    {
      code: "ff 34 24",
      memory: { 0x8000: "2a" },
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "2a 00" },
    },
    {
      code: "58",
      memory: { 0x8000: "01 02 03 04 05 06 07 08" },
      after: { rax: 0x0807060504030201n, rsp: 0x8008 },
    },
    { code: "5c", memory: { 0x8000: "00 40" }, after: { rsp: 0x4000 } },
    { code: "58", before: { rsp: 0x40000 }, fault: 14, errorCode: 0 },
    { code: "50", bits: 16, before: { rsp: 1 }, fault: 12, errorCode: 0 },
  ]);
});

test("POP to memory uses the popped stack pointer, and restores it when the store faults", () => {
  checkAll([
    {
      code: "8f 04 24",
      memory: { 0x8000: "2a" },
      after: { rsp: 0x8008 },
      memoryAfter: { 0x8008: "2a 00" },
    },
    { code: "8f 00", before: { rax: 0x40000 }, fault: 14, errorCode: 0 },
    { code: "8f c3", memory: { 0x8000: "2a" }, after: { rbx: 0x2a, rsp: 0x8008 } },
  ]);
});

test("segment registers are pushed and popped", () => {
  checkAll([
    {
      code: "0f a0",
      before: { fsSelector: 0x33 },
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "33 00" },
    },
    {
      code: "1f",
      bits: 32,
      memory: { 0x8000: "2b 00" },
      after: { rsp: 0x8004 },
      calls: [["loadSegment", 3, 0x2b]],
    },
    {
      code: "1f",
      bits: 32,
      memory: { 0x8000: "2b 00" },
      system: { loadSegment: ({ state }) => ((state.vector = 13), (state.hasErrorCode = 0), null) },
      fault: 13,
    },
  ]);
});

test("PUSHA and POPA skip nothing but the stack pointer's image", () => {
  const image = "07 00 06 00 05 00 00 80 03 00 02 00 01 00 00 10";
  const registers = { rax: 0x1000, rcx: 1, rdx: 2, rbx: 3, rbp: 5, rsi: 6, rdi: 7 };
  checkAll([
    {
      code: "60",
      bits: 16,
      before: registers,
      after: { rsp: 0x7ff0 },
      memoryAfter: { 0x7ff0: image },
    },
    { code: "61", bits: 16, memory: { 0x8000: image }, after: { ...registers, rsp: 0x8010 } },
  ]);
});

const POPPED = { 0x8000: "d5 0c 00 00" };

test("PUSHF composes EFLAGS; POPF loads what privilege allows", () => {
  checkAll([
    {
      code: "9c",
      before: { flags: "CPAZSOID" },
      after: { rsp: 0x7ff8 },
      memoryAfter: { 0x7ff8: "d7 0e 00 00" },
    },
    {
      code: "9c",
      before: { flags: 0x20002, cpl: 3 },
      bits: 32,
      fault: 13,
      errorCode: 0,
    },
    {
      code: "9c",
      before: { flags: 0x23002, cpl: 3 },
      bits: 32,
      after: { rsp: 0x7ffc },
      memoryAfter: { 0x7ffc: "02 30 00 00" },
    },
    { code: "9d", memory: POPPED, after: { rsp: 0x8008, flags: "CPAZSOD" } },
    {
      code: "9d",
      memory: POPPED,
      before: { flags: "I" },
      after: { rsp: 0x8008, flags: "CPAZSOD" },
    },
    {
      code: "9d",
      memory: POPPED,
      before: { flags: "I", cpl: 3 },
      after: { rsp: 0x8008, flags: "CPAZSODI" },
    },
    { code: "9d", memory: { 0x8000: "02 30" }, after: { rsp: 0x8008, flags: 0x3002 } },
    {
      code: "9d",
      memory: { 0x8000: "02 30" },
      before: { cpl: 3 },
      after: { rsp: 0x8008, flags: 2 },
    },
    {
      code: "9d",
      memory: { 0x8000: "02 02" },
      after: { rsp: 0x8008 },
      calls: [["popf", 0x202, 64]],
    },
    {
      code: "9d",
      memory: { 0x8000: "02 01" },
      after: { rsp: 0x8008 },
      calls: [["popf", 0x102, 64]],
    },
    {
      code: "9d",
      memory: { 0x8000: "02 00 04" },
      after: { rsp: 0x8008 },
      calls: [["popf", 0x40002, 64]],
    },
  ]);
});

test("ENTER builds frames with any nesting, LEAVE takes them down", () => {
  const rows: Case[] = [
    {
      code: "c8 10 00 00",
      before: { rbp: 0x1234 },
      after: { rbp: 0x7ff8, rsp: 0x7fe8 },
      memoryAfter: { 0x7ff8: "34 12 00" },
    },
    {
      code: "c8 10 00 01",
      before: { rbp: 0x1234 },
      after: { rbp: 0x7ff8, rsp: 0x7fe0 },
      memoryAfter: { 0x7ff0: "f8 7f 00 00 00 00 00 00 34 12" },
    },
    {
      code: "c8 02 00 03",
      bits: 16,
      before: { rbp: 0x4000 },
      memory: { 0x3ffc: "22 22 11 11" },
      after: { rbp: 0x7ffe, rsp: 0x7ff6 },
      memoryAfter: { 0x7ff8: "fe 7f 22 22 11 11 00 40" },
    },
    { code: "c8 00 00 00", before: { rsp: 0x40000 }, fault: 14, errorCode: 0 },
    {
      code: "c9",
      before: { rbp: 0x4000 },
      memory: { 0x4000: "01 02" },
      after: { rbp: 0x201, rsp: 0x4008 },
    },
    {
      code: "c9",
      bits: 16,
      before: { rbp: 0x14000 },
      memory: { 0x4000: "01 02" },
      after: { rbp: 0x10201, rsp: 0x4002 },
    },
  ];
  checkAll(rows);
});
