import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { readFlags } from "../system/flags_image.ts";
import { checkAll, TestMachine } from "./testing/harness.ts";

test("shifts set the flags of the result, a count of 0 leaves them", () => {
  checkAll([
    { code: "d1 e0", before: { rax: 0xc0000001 }, after: { rax: 0x80000002, flags: "CS" } },
    { code: "d1 e0", before: { rax: 0x40000000 }, after: { rax: 0x80000000, flags: "SOP" } },
    {
      code: "c1 e0 20",
      before: { rax: -1, flags: "COA" },
      after: { rax: 0xffffffff, flags: "COA" },
    },
    { code: "48 c1 e0 3f", before: { rax: 3 }, after: { rax: 1n << 63n, flags: "CSP" } },
    { code: "d0 e8", before: { rax: 0x81 }, after: { rax: 0x40, flags: "CO" } },
    { code: "d3 e8", before: { rax: 0x80000000, rcx: 31 }, after: { rax: 1, flags: "" } },
    { code: "c0 f8 1f", before: { rax: 0x80 }, after: { rax: 0xff, flags: "CSP" } },
    { code: "d1 f8", before: { rax: 0x7ffffffe }, after: { rax: 0x3fffffff, flags: "P" } },
    { code: "c0 e0 09", before: { rax: 0xff }, after: { rax: 0, flags: "ZP" } },
    {
      code: "d1 30",
      before: { rax: 0x2000 },
      memory: { 0x2000: "01 00 00 80" },
      memoryAfter: { 0x2000: "02 00 00 00" },
      after: { flags: "CO" },
    },
  ]);
});

test("SHLD and SHRD take bits of the second operand", () => {
  checkAll([
    {
      code: "0f a4 d8 08",
      before: { rax: 0x12345678, rbx: 0xabcdef01 },
      after: { rax: 0x345678ab, flags: "" },
    },
    {
      code: "0f ac d8 08",
      before: { rax: 0x12345678, rbx: 0xabcdef01 },
      after: { rax: 0x01123456, flags: "P" },
    },
    {
      code: "48 0f a5 d8",
      before: { rax: 1, rbx: -1, rcx: 63 },
      after: { rax: -1n >> 1n | 1n << 63n, flags: "SPO" },
    },
    { code: "48 0f ad d8", before: { rax: 1, rbx: 1, rcx: 64, flags: "C" }, after: { flags: "C" } },
    { code: "66 0f a4 d8 14", before: { rax: 0x1234, rbx: 0xabcd }, after: { rax: 0xbcd1 } },
  ]);
});

/** One step of a rotation: the operand and CF, which CF is part of when `through`. */
function rotateOnce(value: bigint, carry: bigint, width: number, digit: number): [bigint, bigint] {
  const top = BigInt(width - 1);
  const [high, low] = [value >> top, value & 1n];
  switch (digit) {
    case 0:
      return [BigInt.asUintN(width, value << 1n) | high, high];
    case 1:
      return [(value >> 1n) | (low << top), low];
    case 2:
      return [BigInt.asUintN(width, value << 1n) | carry, high];
    default:
      return [(value >> 1n) | (carry << top), low];
  }
}

const WIDTHS = [[8, "d2"], [16, "66 d3"], [32, "d3"], [64, "48 d3"]] as const;

test("rotations by any count are that many rotations by one", () => {
  const values = [0x8123456789abcdefn, 0x7edcba9876543211n];
  for (const [width, opcode] of WIDTHS) {
    for (let digit = 0; digit < 4; digit++) {
      for (let count = 0; count < 66; count++) {
        for (const carry of [0n, 1n]) {
          const start = BigInt.asUintN(width, values[count & 1]);
          let [value, carried] = [start, carry];
          const steps = count & (width === 64 ? 63 : 31);
          for (let i = 0; i < steps; i++) {
            [value, carried] = rotateOnce(value, carried, width, digit);
          }
          const machine = new TestMachine();
          machine.set({ rax: start, rcx: count, flags: carry ? "CAZ" : "SP" });
          machine.execute(`${opcode} ${(0xc0 + digit * 8).toString(16)}`);
          const found = [machine.state.rax, readFlags(machine.state) & 0xd5];
          const expected = [value, Number(carried) | (carry ? 0x50 : 0x84)];
          assertEquals(found, expected, `${width}-bit /${digit} by ${count}, CF ${carry}`);
        }
      }
    }
  }
});

test("ROL and ROR by a multiple of the width still set CF", () => {
  checkAll([
    { code: "c0 c0 08", before: { rax: 1 }, after: { rax: 1, flags: "CO" } },
    { code: "c0 c8 08", before: { rax: 0x80 }, after: { rax: 0x80, flags: "CO" } },
    { code: "c0 d0 09", before: { rax: 1, flags: "C" }, after: { rax: 1, flags: "C" } },
    { code: "c0 c0 20", before: { rax: 1 }, after: { rax: 1, flags: "" } },
  ]);
});
