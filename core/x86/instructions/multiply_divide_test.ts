import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { Outcome } from "../ir/evaluate.ts";
import { checkAll, TestMachine } from "./testing/harness.ts";

test("MUL and IMUL fill AX or rDX:rAX and say whether the high half counts", () => {
  checkAll([
    { code: "f6 e3", before: { rax: 0x7_00ff, rbx: 0xff }, after: { rax: 0x7_fe01, flags: "CO" } },
    { code: "f6 eb", before: { rax: 0xff, rbx: 2 }, after: { rax: 0xfffe, flags: "" } },
    {
      code: "f7 e3",
      before: { rax: 0xffffffff, rbx: 0xffffffff },
      after: { rax: 1, rdx: 0xfffffffe, flags: "CO" },
    },
    {
      code: "f7 eb",
      before: { rax: 0xffffffff, rbx: 0xffffffff, rdx: 5 },
      after: { rax: 1, rdx: 0, flags: "" },
    },
    {
      code: "66 f7 e3",
      before: { rax: 0x100, rbx: 0x100, rdx: 0x70000 },
      after: { rax: 0, rdx: 0x70001, flags: "CO" },
    },
    { code: "48 f7 e3", before: { rax: -1, rbx: -1 }, after: { rax: 1, rdx: -2, flags: "CO" } },
    { code: "48 f7 eb", before: { rax: -5, rbx: 3 }, after: { rax: -15, rdx: -1, flags: "" } },
    {
      code: "0f af c3",
      before: { rax: 0x10000, rbx: 0x8000 },
      after: { rax: 0x80000000, flags: "CO" },
    },
    { code: "6b c3 fe", before: { rbx: 5 }, after: { rax: 0xfffffff6, flags: "" } },
    { code: "48 69 c3 00 00 00 80", before: { rbx: -1 }, after: { rax: 0x80000000, flags: "" } },
  ]);
});

test("DIV and IDIV truncate towards zero and raise #DE when the quotient does not fit", () => {
  checkAll([
    { code: "f6 f3", before: { rax: 0x107, rbx: 0x10 }, after: { rax: 0x0710 } },
    { code: "f6 f3", before: { rax: 0x1000, rbx: 0x10 }, fault: 0 },
    { code: "f6 fb", before: { rax: 0xfff9, rbx: 2 }, after: { rax: 0xfffd } },
    {
      code: "f6 fb",
      before: { rax: 0x80, rbx: 0xff },
      after: {},
      fault: undefined,
      name: "128 / -1 = -128",
    },
    { code: "f6 fb", before: { rax: 0xff80, rbx: 0xff }, fault: 0, name: "-128 / -1" },
    { code: "66 f7 f3", before: { rax: 1, rdx: 1, rbx: 2 }, after: { rax: 0x8000, rdx: 1 } },
    { code: "f7 f3", before: { rax: 1, rdx: 1, rbx: 2 }, after: { rax: 0x80000000, rdx: 1 } },
    { code: "f7 f3", before: { rdx: 2, rbx: 2 }, fault: 0 },
    { code: "f7 f3", before: { rbx: 0 }, fault: 0 },
    { code: "f7 fb", before: { rdx: 0x80000000, rbx: 0xffffffff }, fault: 0 },
    {
      code: "f7 fb",
      before: { rax: 0xfffffff9, rdx: 0xffffffff, rbx: 2 },
      after: { rax: 0xfffffffd, rdx: 0xffffffff },
    },
    { code: "48 f7 f3", before: { rax: 100, rbx: 7 }, after: { rax: 14, rdx: 2 } },
    { code: "48 f7 fb", before: { rax: 1n << 63n, rdx: -1, rbx: -1 }, fault: 0 },
    { code: "48 f7 fb", before: { rbx: 0 }, fault: 0 },
  ]);
});

/** A sequence of 64-bit numbers with many zero and one bits. */
function* numbers(seed: bigint): Generator<bigint> {
  for (let x = seed;;) {
    x = BigInt.asUintN(64, x * 6364136223846793005n + 1442695040888963407n);
    yield (x >> 7n) & 1n ? x >> ((x >> 3n) & 63n) : BigInt.asUintN(64, -(x >> ((x >> 3n) & 63n)));
  }
}

test("64-bit divisions agree with 128-bit arithmetic", () => {
  const source = numbers(1n);
  const next = () => source.next().value as bigint;
  for (let i = 0; i < 400; i++) {
    const [low, high, divisor] = [next(), i % 3 ? next() >> 40n : next(), next()];
    for (const signed of [false, true]) {
      const machine = new TestMachine();
      machine.set({ rax: low, rdx: high, rbx: divisor });
      const outcome = machine.execute(signed ? "48 f7 fb" : "48 f7 f3");
      const wrap = (bits: number, value: bigint) =>
        signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
      const [dividend, by] = [wrap(128, (high << 64n) | low), wrap(64, divisor)];
      const quotient = by === 0n ? null : dividend / by;
      const name = `${dividend} / ${by}`;
      if (quotient === null || wrap(64, quotient) !== quotient) {
        assertEquals([outcome, machine.state.vector], [Outcome.fault, 0], name);
      } else {
        const found = [wrap(64, machine.state.rax), wrap(64, machine.state.rdx)];
        assertEquals(found, [quotient, dividend % by], name);
      }
    }
  }
});
