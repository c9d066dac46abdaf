import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

test("BT, BTS, BTR and BTC copy a bit to CF and change it", () => {
  checkAll([
    { code: "0f a3 d8", before: { rax: 4, rbx: 34 }, after: { flags: "C" } },
    { code: "0f ba e0 21", before: { rax: 2, flags: "Z" }, after: { flags: "CZ" } },
    { code: "0f ab d8", before: { rbx: 31, flags: "C" }, after: { rax: 0x80000000, flags: "" } },
    {
      code: "48 0f b3 d8",
      before: { rax: -1, rbx: 63 },
      after: { rax: (1n << 63n) - 1n, flags: "C" },
    },
    { code: "48 0f b3 d8", before: { rax: 1n << 63n, rbx: 63 }, after: { rax: 0, flags: "C" } },
    { code: "66 0f ba f8 1f", before: { rax: 0x18000 }, after: { rax: 0x10000, flags: "C" } },
  ]);
});

test("bit strings in memory are addressed by a signed bit index", () => {
  checkAll([
    {
      code: "0f ab 18",
      before: { rax: 0x2000, rbx: -1 & 0xffffffff },
      memoryAfter: { 0x1ffc: "00 00 00 80 00" },
      after: { flags: "" },
    },
    {
      code: "48 0f a3 18",
      before: { rax: 0x2000, rbx: 0x80 },
      memory: { 0x2010: "01" },
      after: { flags: "C" },
    },
    {
      code: "0f ab 07",
      bits: 16,
      before: { rbx: 0xffff, rax: 0x17 },
      memoryAfter: { 1: "80" },
      after: { flags: "" },
    },
    { code: "f0 0f ba 28 25", before: { rax: 0x2000 }, memoryAfter: { 0x2000: "20 00" } },
  ]);
});

test("scans and counts", () => {
  checkAll([
    { code: "0f bc c3", before: { rbx: 0x80, flags: "Z" }, after: { rax: 7, flags: "" } },
    { code: "0f bc c3", before: { rax: -1, rbx: 0 }, after: { flags: "Z" } },
    { code: "48 0f bd c3", before: { rbx: 1n << 63n }, after: { rax: 63, flags: "" } },
    { code: "f3 0f bc c3", before: { rbx: 0 }, after: { rax: 32, flags: "C" } },
    { code: "f3 0f bd c3", before: { rbx: -1 }, after: { rax: 0, flags: "Z" } },
    { code: "66 f3 0f bd c3", before: { rbx: 1 }, after: { rax: 15, flags: "" } },
    {
      code: "f3 0f b8 c3",
      before: { rbx: 0xf0f0f0f0, flags: "CPAZSO" },
      after: { rax: 16, flags: "" },
    },
    { code: "f3 48 0f b8 c3", before: { rbx: 0 }, after: { rax: 0, flags: "Z" } },
  ]);
});

test("CRC32 accumulates by bytes as by words", () => {
  // CRC-32C of the nine bytes "123456789" is e3069283; without the last, its state is as below.
  const eight = { rax: 0xffffffff, rbx: 0x3837363534333231n };
  checkAll([
    { code: "f2 48 0f 38 f1 c3", before: eight, after: { rax: 0x9f787f65 } },
    { code: "f2 0f 38 f0 c3", before: { rax: 0x9f787f65, rbx: 0x39 }, after: { rax: 0x1cf96d7c } },
    { code: "f2 0f 38 f1 c3", before: { rax: 0, rbx: 1 }, after: { rax: 0xdd45aab8 } },
  ]);
});

test("CMPXCHG exchanges on equality and loads the accumulator otherwise", () => {
  checkAll([
    {
      code: "0f b1 0b",
      before: { rax: 5, rbx: 0x2000, rcx: 9 },
      memory: { 0x2000: "05" },
      memoryAfter: { 0x2000: "09 00" },
      after: { flags: "ZP" },
    },
    {
      code: "f0 0f b1 0b",
      before: { rax: 4, rbx: 0x2000, rcx: 9 },
      memory: { 0x2000: "05" },
      memoryAfter: { 0x2000: "05 00" },
      after: { rax: 5, flags: "CSPA" },
    },
    { code: "0f b0 d9", before: { rax: 0x105, rbx: 7, rcx: 5 }, after: { rcx: 7, flags: "ZP" } },
    // A register that is not written keeps its upper half.
    {
      code: "0f b1 d9",
      before: { rax: 5, rcx: (1n << 32n) | 4n },
      after: { rax: 4, flags: "" },
    },
    {
      code: "0f b1 d9",
      before: { rax: (1n << 32n) | 4n, rbx: 6, rcx: (1n << 32n) | 4n },
      after: { rcx: 6, flags: "ZP" },
    },
  ]);
});

test("CMPXCHG8B and CMPXCHG16B compare pairs; the latter must be aligned", () => {
  const equal = { rax: 1, rdx: 2, rbx: 3, rcx: 4, rsi: 0x2000 };
  checkAll([
    {
      code: "0f c7 0e",
      before: equal,
      memory: { 0x2000: "01 00 00 00 02" },
      memoryAfter: { 0x2000: "03 00 00 00 04 00 00 00" },
      after: { flags: "Z" },
    },
    {
      code: "0f c7 0e",
      before: { ...equal, flags: "ZC" },
      memory: { 0x2000: "01 00 00 00 07" },
      memoryAfter: { 0x2000: "01 00 00 00 07" },
      after: { rdx: 7, flags: "C" },
    },
    {
      code: "f0 48 0f c7 0e",
      before: equal,
      memory: { 0x2000: "01 00 00 00 00 00 00 00 02" },
      memoryAfter: { 0x2000: "03 00 00 00 00 00 00 00 04" },
      after: { flags: "Z" },
    },
    { code: "48 0f c7 0e", before: { rsi: 0x2008 }, fault: 13, errorCode: 0 },
    {
      code: "65 48 0f c7 0e",
      before: { rsi: 0x2008, gsBase: 8, rax: 5 },
      after: { rax: 0, flags: "" },
    },
  ]);
});

test("XADD leaves the sum in the destination", () => {
  checkAll([
    { code: "0f c1 d8", before: { rax: 1, rbx: 2 }, after: { rax: 3, rbx: 1, flags: "P" } },
    { code: "0f c1 c0", before: { rax: 2 }, after: { rax: 4, flags: "" } },
    {
      code: "f0 0f c1 03",
      before: { rax: 0xffffffff, rbx: 0x2000 },
      memory: { 0x2000: "01" },
      memoryAfter: { 0x2000: "00 00" },
      after: { rax: 1, flags: "CZPA" },
    },
  ]);
});
