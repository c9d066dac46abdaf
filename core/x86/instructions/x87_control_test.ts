import { test } from "../../lib/testing.ts";
import { check, checkAll } from "./testing/harness.ts";
import { checkX87, EXTENDED } from "./testing/x87.ts";

const { one } = EXTENDED;

test("FLDCW makes flags pending that its masks let through", () => {
  checkX87([
    { code: "d9 2b", memory: 0xffffn, status: 0x21, after: { control: 0x1f7f, status: 0x21 } },
    { code: "d9 2b", memory: 0n, after: { control: 0x40, status: 0, recorded: false } },
    { code: "d9 2b", memory: 0x37en, status: 1, after: { status: 0x8081, fault: null } },
    { code: "d9 3b", control: 0x27f, after: { memory: 0x27fn } },
    { code: "dd 3b", status: 0x4500, after: { memory: 0x5d00n, recorded: false } },
    { code: "db e2", status: 0xc5ff, after: { status: 0x4500 } },
    {
      code: "db e3",
      control: 0x40,
      status: 0x4700,
      after: { control: 0x37f, status: 0, stack: [] },
    },
    { code: "db e1", status: 0x8081, control: 0x37e, after: { status: 0x8081, fault: null } },
  ]);
});

test("waiting instructions raise #MF while an unmasked exception is pending", () => {
  const pending = { status: 0x8081, control: 0x37e, stack: [one] };
  checkX87([
    ...["9b", "d9 e8", "d9 c9", "d8 03", "dd 23", "d9 2b", "d9 d0"].map((code) => (
      { code, ...pending, after: { fault: 16, stack: [one], status: 0x8081 } }
    )),
    { code: "dd 3b", ...pending, after: { fault: null } },
    { code: "d9 3b", ...pending, after: { fault: null } },
  ]);
});

test("with CR0.NE clear a pending exception is not seen", () => {
  check({ code: "9b", before: { fpuStatus: 0x8081 } });
  check({ code: "9b", before: { fpuStatus: 0x8081, cr0: 0x20 }, fault: 16 });
});

test("FWAIT needs MP and TS for #NM, the others look at the unit", () => {
  checkAll([
    { code: "9b", before: { cr0: 0x0a, x87Trap: 7 }, fault: 7 },
    { code: "9b", before: { cr0: 0x0c, x87Trap: 7 } },
    { code: "db e3", before: { x87Trap: 7 }, fault: 7 },
    { code: "d9 e8", before: { x87Trap: 7 }, fault: 7 },
    { code: "df e0", before: { fpuTop: 5, fpuStatus: 0x100 }, after: { rax: 0x2900 } },
  ]);
});

test("environment and state images get segment, offset and operand size", () => {
  checkAll([
    { code: "d9 31", before: { rcx: 0x80 }, calls: [["fnstenv", 3, 0x80, 32]] },
    { code: "66 d9 65 00", before: { rbp: 0x90 }, calls: [["fldenv", 2, 0x90, 16]] },
    { code: "dd 31", bits: 16, before: { rbx: 1, rdi: 2 }, calls: [["fnsave", 3, 3, 16]] },
    { code: "64 dd 21", before: { rcx: 0x80 }, calls: [["frstor", 4, 0x80, 32]] },
  ]);
});

test("an 80-bit store that faults in its upper part stores nothing", () => {
  check({
    code: "db 39",
    before: { rcx: 0x1fff8, fpuTags: 0 },
    memory: { 0x1fff8: "11 22 33 44 55 66 77 88" },
    memoryAfter: { 0x1fff8: "11 22 33 44 55 66 77 88" },
    fault: 14,
    errorCode: 0,
  });
  check({
    code: "db 39",
    bits: 16,
    before: { rbx: 0xfff8, rdi: 0, fpuTags: 0 },
    memoryAfter: { 0xfff8: "00 00 00 00 00 00 00 00" },
    fault: 13,
    errorCode: 0,
  });
});
