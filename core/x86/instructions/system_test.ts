import { test } from "../../lib/testing.ts";
import { checkAll } from "./testing/harness.ts";

test("selectors and table registers are passed to the system", () => {
  const system = { str: () => 0x40, lar: () => 0xcf9300, smsw: () => 0x80050033 };
  checkAll([
    { code: "0f 00 d8", before: { rax: 0x70040 }, calls: [["ltr", 0x40]] },
    { code: "0f 00 1b", before: { rbx: 0x2000 }, memory: { 0x2000: "28" }, calls: [["ltr", 0x28]] },
    // Outside ring 0 the system's exception comes before that of the operand.
    {
      code: "0f 00 1b",
      before: { rbx: 0x40000, cpl: 3 },
      fault: 14,
      errorCode: 0,
      calls: [["ltr", 0]],
    },
    { code: "0f 00 c8", system, after: { rax: 0x40 }, calls: [["checkUmip"], ["str"]] },
    { code: "0f 00 08", system, before: { rax: 0x2000 }, memoryAfter: { 0x2000: "40 00 00" } },
    { code: "0f 01 e0", system, before: { rax: -1 }, after: { rax: 0x80050033 } },
    { code: "66 0f 01 e0", system, after: { rax: 0x33 } },
    { code: "0f 01 10", before: { rax: 0x2000 }, calls: [["lgdt", 3, 0x2000, 32]] },
    { code: "66 0f 01 17", bits: 16, before: { rbx: 0x20 }, calls: [["lgdt", 3, 0x20, 32]] },
    { code: "2e 0f 01 1f", bits: 16, before: { rbx: 0x20 }, calls: [["lidt", 1, 0x20, 16]] },
    { code: "0f 01 00", before: { rax: 0x2000 }, calls: [["checkUmip"], ["sgdt", 3, 0x2000, 32]] },
    { code: "0f 02 c3", system, before: { rax: 1, rbx: 8, flags: "Z" }, after: { rax: 0xcf9300 } },
    { code: "0f 02 c3", system, before: { rax: 1, rbx: 8 } },
    {
      code: "63 d8",
      bits: 32,
      system: { arpl: () => 0x13 },
      before: { rax: 0x10, rbx: 3 },
      after: { rax: 0x13, flags: "Z" },
      calls: [["arpl", 0x10, 3]],
    },
    {
      code: "63 d8",
      bits: 32,
      system: { arpl: () => 0x13 },
      before: { rax: 0x13, flags: "ZC" },
      after: { flags: "C" },
    },
  ]);
});

test("control and debug registers move with the size of the mode", () => {
  const system = { readCr: () => 0x1_2345_6789n };
  checkAll([
    { code: "0f 20 d8", system, after: { rax: 0x1_2345_6789n }, calls: [["readCr", 3]] },
    { code: "0f 20 d8", bits: 32, system, after: { rax: 0x23456789 } },
    { code: "0f 20 18", system, after: { rax: 0x1_2345_6789n }, calls: [["readCr", 3]] },
    { code: "0f 22 c0", bits: 16, before: { rax: 0x11 }, calls: [["writeCr", 0, 0x11]] },
    { code: "44 0f 22 c0", before: { rax: 5 }, calls: [["writeCr", 8, 5]] },
    { code: "0f 23 f8", before: { rax: -1 }, calls: [["writeDr", 7, (1n << 64n) - 1n]] },
  ]);
});

test("INVLPG passes a linear address", () => {
  checkAll([
    { code: "0f 01 38", before: { rax: 0x2000 }, calls: [["invlpg", 0x2000]] },
    { code: "65 0f 01 38", before: { rax: 0x2000, gsBase: 0x100 }, calls: [["invlpg", 0x2100]] },
    { code: "64 0f 01 38", bits: 32, before: { rax: -1, fsBase: 2 }, calls: [["invlpg", 1]] },
  ]);
});

test("CLI obeys IOPL; STI and HLT are the system's", () => {
  checkAll([
    { code: "fa", before: { flags: "I" }, after: { flags: "" } },
    { code: "fa", before: { flags: "I", cpl: 3 }, fault: 13, errorCode: 0 },
    { code: "fa", before: { flags: 0x3200, cpl: 3 }, after: { flags: 0x3000 } },
    { code: "fb", calls: [["sti"]] },
    { code: "f4", calls: [["hlt"]] },
  ]);
});

test("IN and OUT pass port and bytes", () => {
  const system = { in: () => 0x12345678 };
  checkAll([
    { code: "e4 60", system, after: { rax: 0x78 }, calls: [["in", 0x60, 1]] },
    {
      code: "66 ed",
      system,
      before: { rdx: 0x7_0cf8 },
      after: { rax: 0x5678 },
      calls: [["in", 0xcf8, 2]],
    },
    {
      code: "48 ed",
      system,
      before: { rax: -1 },
      after: { rax: 0x12345678 },
      calls: [["in", 0, 4]],
    },
    { code: "e6 80", before: { rax: 0x1ff }, calls: [["out", 0x80, 1, 0xff]] },
    { code: "ef", before: { rdx: 0xcf8, rax: -1 }, calls: [["out", 0xcf8, 4, 0xffffffff]] },
  ]);
});

test("fast calls, areas and the rest reach their functions", () => {
  checkAll([
    { code: "0f 05", calls: [["syscall"]] },
    { code: "48 0f 07", calls: [["sysret", 64]] },
    { code: "0f 35", calls: [["sysexit", 32]] },
    { code: "0f 01 f8", calls: [["swapgs"]] },
    { code: "48 0f ae 00", before: { rax: 0x2000 }, calls: [["fxsave", 3, 0x2000, 64]] },
    { code: "0f ae 2c 24", calls: [["xrstor", 2, 0x8000, 32]] },
    { code: "0f ae e8" },
    { code: "0f 01 c8", before: { rax: 0x2000 }, calls: [["monitor", 3, 0x2000]] },
    { code: "0f a2", calls: [["cpuid"]] },
    { code: "0f 01 d0", calls: [["xgetbv"]] },
  ]);
});

test("segment bases are readable and writable where CR4.FSGSBASE allows", () => {
  const cr4 = 0x10000;
  checkAll([
    { code: "f3 48 0f ae c0", before: { cr4, fsBase: -1 }, after: { rax: -1 } },
    { code: "f3 0f ae c8", before: { cr4, gsBase: -1 }, after: { rax: 0xffffffff } },
    { code: "f3 48 0f ae d8", before: { cr4, rax: 0x1234 }, after: { gsBase: 0x1234 } },
    { code: "f3 48 0f ae d8", before: { cr4, rax: 1n << 63n }, fault: 13, errorCode: 0 },
    { code: "f3 48 0f ae c0", fault: 6 },
  ]);
});
