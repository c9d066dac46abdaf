import { assertEquals, assertThrows } from "@std/assert";
import {
  evaluateAddress,
  type ExpressionScope,
  parseExpression,
  registerOf,
} from "./expression.ts";

const MEMORY = Uint8Array.of(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);
const NAMES: Readonly<Record<string, bigint>> = { rax: 5n, rsp: 0x1000n, jiffies: 0x1000n };
const SCOPE: ExpressionScope = {
  symbol: (name) => registerOf(NAMES, name),
  missing: (name) => {
    throw new RangeError(`no symbol is named ${name}`);
  },
  read: (address, bytes) => {
    const from = Number(address - 0x1000n);
    return from < 0 ? new Uint8Array() : MEMORY.slice(from, from + bytes);
  },
};
const MINUS_ONE = 0xffff_ffff_ffff_ffffn;

const VALUES: readonly (readonly [text: string, value: bigint])[] = [
  ["0x10", 0x10n],
  ["12 + 3 * 2", 18n],
  ["(12 + 3) * 2", 30n],
  ["-1", MINUS_ONE],
  ["~0 >> 60", 15n],
  ["1 << 64", 0n],
  ["0 - 1", MINUS_ONE],
  ["rax + rsp", 0x1005n],
  ["eax", 5n],
  ["al + ax + sp", 0x100an],
  ["[jiffies]", 0x1122334455667788n],
  ["u8[rsp + 1]", 0x77n],
  ["u16[rsp]", 0x7788n],
  ["u32[rsp + 4] == 0x11223344", 1n],
  ["rax == 5 && rsp != 5", 1n],
  ["rax < 5 || rax >= 6", 0n],
  ["rax & 4 | 8 ^ 8", 4n],
  ["!rax", 0n],
  ["!!rax", 1n],
];

for (const [text, value] of VALUES) {
  Deno.test(`${text} is ${value}`, () => assertEquals(parseExpression(text)(SCOPE), value));
}

const MISTAKES: readonly (readonly [text: string, message: string])[] = [
  ["", 'expected a number, a name or [ in "", found the end'],
  ["1 +", "found the end"],
  ["1 2", "expected an operator"],
  ["(1", "expected )"],
  ["[1", "expected ]"],
  ["1 @ 2", "cannot read"],
  ["~".repeat(100), "nested too deeply"],
];

for (const [text, message] of MISTAKES) {
  Deno.test(`${JSON.stringify(text.slice(0, 20))} is refused: ${message}`, () => {
    assertThrows(() => parseExpression(text), SyntaxError, message);
  });
}

Deno.test("names that mean nothing and memory that is not mapped are told", () => {
  assertThrows(() => parseExpression("nobody")(SCOPE), RangeError, "no symbol is named nobody");
  assertThrows(() => parseExpression("[0]")(SCOPE), RangeError, "nothing is mapped at 0x0");
});

Deno.test("hexadecimal digits alone are an address, unless they are a name", () => {
  assertEquals(evaluateAddress("ffff8000", SCOPE), 0xffff8000n);
  assertEquals(evaluateAddress("rax", SCOPE), 5n);
});
