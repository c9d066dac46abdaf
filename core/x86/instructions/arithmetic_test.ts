import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

test("ADD and ADC set all status flags at every width", () => {
  checkAll([
    { code: "00 d8", before: { rax: 0x7f, rbx: 1 }, after: { rax: 0x80, flags: "SOA" } },
    { code: "01 d8", before: { rax: 0xffffffff, rbx: 1 }, after: { rax: 0, flags: "CZPA" } },
    {
      code: "66 01 d8",
      before: { rax: 0x18000, rbx: 0x8000 },
      after: { rax: 0x10000, flags: "CZPO" },
    },
    { code: "48 01 d8", before: { rax: -1, rbx: 1 }, after: { rax: 0, flags: "CZPA" } },
    {
      code: "11 d8",
      before: { rax: 0xffffffff, rbx: 0xffffffff, flags: "C" },
      after: { rax: 0xffffffff, flags: "CSPA" },
    },
    { code: "00 e0", before: { rax: 0x0102 }, after: { rax: 0x0103, flags: "P" } },
  ]);
});

test("SUB, SBB, CMP and NEG borrow as the manual says", () => {
  checkAll([
    { code: "28 d8", before: { rax: 0, rbx: 1 }, after: { rax: 0xff, flags: "CSPA" } },
    { code: "2c 01", before: { rax: 0x80 }, after: { rax: 0x7f, flags: "OA" } },
    { code: "48 83 d8 00", before: { rax: 0, flags: "C" }, after: { rax: -1, flags: "CSPA" } },
    { code: "39 d8", before: { rax: 5, rbx: 5 }, after: { flags: "ZP" } },
    { code: "f7 d8", before: { rax: 0x80000000 }, after: { rax: 0x80000000, flags: "CSPO" } },
    { code: "f7 d8", before: { rax: 0 }, after: { flags: "ZP" } },
  ]);
});

test("INC and DEC keep CF", () => {
  checkAll([
    {
      code: "ff c0",
      before: { rax: 0x7fffffff, flags: "C" },
      after: { rax: 0x80000000, flags: "CSPOA" },
    },
    { code: "48", bits: 32, before: { rax: 0 }, after: { rax: 0xffffffff, flags: "SPA" } },
    { code: "fe c8", before: { rax: 0x80 }, after: { rax: 0x7f, flags: "OA" } },
  ]);
});

test("logic clears CF and OF, and NOT leaves the flags", () => {
  checkAll([
    { code: "31 c0", before: { rax: 7, flags: "COAS" }, after: { rax: 0, flags: "ZP" } },
    { code: "81 c8 00 00 00 80", before: { flags: "C" }, after: { rax: 0x80000000, flags: "SP" } },
    { code: "85 c0", before: { rax: 1 }, after: { flags: "" } },
    { code: "f6 d0", before: { rax: 0x10f, flags: "C" }, after: { rax: 0x1f0, flags: "C" } },
  ]);
});

test("a memory destination is read and written, and faults before anything changes", () => {
  checkAll([
    {
      code: "01 43 04",
      before: { rax: 1, rbx: 0x2000 },
      memory: { 0x2004: "ff ff ff 7f aa" },
      memoryAfter: { 0x2004: "00 00 00 80 aa" },
      after: { flags: "SPOA" },
    },
    { code: "01 03", before: { rax: 1, rbx: 0x40000 }, fault: 14, errorCode: 0 },
    { code: "00 07", bits: 16, before: { rbx: 0xffff }, after: { flags: "ZP" } },
    { code: "01 07", bits: 16, before: { rbx: 0xffff }, fault: 13, errorCode: 0 },
  ]);
});
