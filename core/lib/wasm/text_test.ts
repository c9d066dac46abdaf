import { assertEquals } from "@std/assert";
import { test } from "../testing.ts";
import { BULK, MEMORY, PLAIN, SIMD, SIMD_LANE, SIMD_MEMORY } from "./opcodes.ts";
import { functionText } from "./text.ts";
import { FunctionWriter, type Signature } from "./writer.ts";

const SIGNATURE: Signature = { parameters: ["i64", "i32"], results: ["i32"] };

function textOf(write: (code: FunctionWriter) => void): string[] {
  const code = new FunctionWriter(SIGNATURE);
  write(code);
  return functionText(code.body(), SIGNATURE);
}

/** The lines between the head and the closing parenthesis of a function without blocks. */
function linesOf(write: (code: FunctionWriter) => void): string[] {
  return textOf(write).slice(1, -1).map((line) => line.trim());
}

const IMMEDIATES: readonly (readonly [write: (code: FunctionWriter) => void, text: string])[] = [
  [(code) => code.i32(-1), "i32.const -1"],
  [(code) => code.i32(0x7fffffff), "i32.const 2147483647"],
  [(code) => code.i32(-0x80000000), "i32.const -2147483648"],
  [(code) => code.i64(64n), "i64.const 64"],
  [(code) => code.i64(0xffffffffn), "i64.const 4294967295"],
  [(code) => code.i64(1n << 63n), "i64.const -9223372036854775808"],
  [(code) => code.get(1), "local.get 1"],
  [(code) => code.set(200), "local.set 200"],
  [(code) => code.tee(0), "local.tee 0"],
  [(code) => code.branch(0), "br 0"],
  [(code) => code.branchIf(3), "br_if 3"],
  [(code) => code.branchTable([2, 1], 0), "br_table 2 1 0"],
  [(code) => code.call(5), "call 5"],
  [(code) => code.returnCall(6), "return_call 6"],
  [(code) => code.callIndirect(3), "call_indirect (type 3)"],
  [(code) => code.returnCallIndirect(7), "return_call_indirect (type 7)"],
  [(code) => code.memory("i64.load", 0), "i64.load align=1"],
  [(code) => code.memory("i64.load8_u", 0), "i64.load8_u"],
  [(code) => code.memory("v128.store", 2 ** 33), "v128.store offset=8589934592 align=1"],
];
for (const [write, text] of IMMEDIATES) {
  test(`${text} is read as it was written`, () => assertEquals(linesOf(write), [text]));
}

test("every instruction of the tables is read as it was written", () => {
  const structure = ["else", "end"];
  for (const name of [...Object.keys(PLAIN), ...Object.keys(SIMD)]) {
    if (!structure.includes(name)) assertEquals(linesOf((code) => code.op(name)), [name]);
  }
  for (const name of [...Object.keys(MEMORY), ...Object.keys(SIMD_MEMORY)]) {
    const [line] = linesOf((code) => code.memory(name, 8));
    assertEquals(line.replace(/ align=1$/, ""), `${name} offset=8`);
  }
  for (const name of Object.keys(BULK)) assertEquals(linesOf((code) => code.bulk(name)), [name]);
  for (const name of Object.keys(SIMD_LANE)) {
    assertEquals(linesOf((code) => code.lane(name, 1)), [`${name} 1`]);
  }
});

test("blocks are indented, locals stand in front", () => {
  const text = textOf((code) => {
    code.local("i64");
    code.local("i64");
    code.local("v128");
    code.block("block", "i32");
    code.get(1);
    code.block("if", "i32");
    code.i32(1);
    code.op("else");
    code.block("loop");
    code.branch(0);
    code.op("end");
    code.op("unreachable");
    code.op("end");
    code.op("end");
  });
  assertEquals(
    text.join("\n"),
    `\
(func (param i64 i32) (result i32)
  (local $2..$3 i64)
  (local $4 v128)
  block (result i32)
    local.get 1
    if (result i32)
      i32.const 1
    else
      loop
        br 0
      end
      unreachable
    end
  end
)`,
  );
});
