import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { Decoder } from "../decode/decoder.ts";
import { decodeMode } from "../decode/mode.ts";
import { ENCODINGS } from "../instructions/table.ts";
import { SystemFunctions } from "../system/mod.ts";
import type { Instruction } from "./instruction.ts";
import { programText } from "./text.ts";

const FLAT_64 = decodeMode(9);
const functions = new SystemFunctions();
const decoder = new Decoder(ENCODINGS, () => true, (name) => functions.find(name));

function decode(code: string): Instruction {
  const bytes = Uint8Array.from(code.split(" "), (byte) => parseInt(byte, 16));
  const found = decoder.decode(bytes, 0, bytes.length, FLAT_64);
  if (typeof found === "string") throw new Error(`${code} is ${found}`);
  return found;
}

const TEXTS: readonly (readonly [what: string, code: string, text: string])[] = [
  ["mov rax, [rbx + 0x10]", "48 8b 43 10", "v0 = address rbx + 0x10\nv1 = ds:[v0]:64\nrax:64 = v1"],
  [
    "mov rax, fs:[0x28]",
    "64 48 8b 04 25 28 00 00 00",
    "v0 = address 0x28\nv1 = fs:[v0]:64\nrax:64 = v1",
  ],
  [
    "cmp qword [rax + rcx * 4 - 0x10], 5",
    "48 83 7c 88 f0 05",
    `\
v0 = 0x5
v1 = address rax + rcx * 4 - 0x10
v2 = ds:[v1]:64
v3 = sub(v2, v0)
zeroSource:64 = v3
signSource:64 = v3
v5 = xor(v2, 0xffffffffffffffff)
carrySource:64 = or(and(v5, v0), and(or(v5, v0), v3))`,
  ],
  [
    "push rax",
    "50",
    "v0 = rax:64\nv1 = rsp:64\nv3 = add(v1, 0xfffffffffffffff8)\nss:[v3]:64 = v0\nrsp:64 = v3",
  ],
  [
    "jz to itself",
    "0f 84 fa ff ff ff",
    `\
v0 = zeroSource:64
if eq(v0, 0x0) {
  v3 = next ip
  v4 = 0xfffffffffffffffa
  v5 = add(v3, v4)
  if ne(shr_s(shl(v5, 0x10), 0x10), v5) {
    raise 13 error 0
  }
  jump direct v5
}`,
  ],
  [
    "paddq xmm0, xmm1",
    "66 0f d4 c1",
    `\
v0 = sseTrap:32
if ne(v0, 0x0) {
  if eq(v0, 0x6) {
    raise 6
  } else {
    raise 7
  }
}
v5 = xmm1:128
v6 = xmm0:128
xmm0:128 = i64x2.add(v6, v5)`,
  ],
];

for (const [what, code, text] of TEXTS) {
  test(`${what} is printed one statement a line`, () => {
    const instruction = decode(code);
    assertEquals(programText(instruction.bound.program, instruction).join("\n"), text);
  });
}

test("without an instruction operands stand for themselves", () => {
  assertEquals(programText(decode("48 8b 43 10").bound.program), [
    "v0 = address",
    "v1 = segment:[v0]:64",
    "operand0:64 = v1",
  ]);
});
