/** WebAssembly as text, against wabt's reading of the same bytes. */

import { assertEquals } from "@std/assert";
import wabt from "wabt";
import { MEMORY, PLAIN, SIMD, SIMD_LANE, SIMD_MEMORY } from "../../core/lib/wasm/opcodes.ts";
import { functionText } from "../../core/lib/wasm/text.ts";
import { type FunctionWriter, ModuleWriter, type Signature } from "../../core/lib/wasm/writer.ts";

const SIGNATURE: Signature = { parameters: ["i64", "i64", "i32"], results: [] };
const FEATURES = { memory64: true, tail_call: true, simd: true, sign_extension: true };

/** Every instruction that the writer knows, in no sensible order: nothing validates it. */
function everything(code: FunctionWriter): void {
  code.local("i64");
  code.local("i32");
  code.local("v128");
  for (const value of [0, 63, 64, -1, -65, 0x7fffffff, -0x80000000]) code.i32(value);
  for (const value of [0n, -1n, 0xffffffffn, 1n << 62n, -(1n << 63n)]) code.i64(value);
  for (const name of Object.keys(PLAIN)) {
    if (name !== "else" && name !== "end") code.op(name);
  }
  for (const name of Object.keys(SIMD)) code.op(name);
  for (const name of [...Object.keys(MEMORY), ...Object.keys(SIMD_MEMORY)]) code.memory(name, 300);
  for (const name of Object.keys(SIMD_LANE)) code.lane(name, 1);
  code.get(5);
  code.set(4);
  code.tee(3);
  code.block("block");
  code.block("loop", "i64");
  code.block("if");
  code.branch(2);
  code.op("else");
  code.branchIf(1);
  code.op("end");
  code.branchTable([0, 1], 2);
  code.op("end");
  code.op("end");
  code.call(0);
  code.returnCall(0);
  code.returnCallIndirect(0);
}

/** Lines of instructions without comments, indentation, and what closes the function. */
function instructions(text: string): string[] {
  return text.split("\n")
    .map((line) => line.replace(/\(;.*?;\)/g, "").replace(/;;.*/, "").replace(/\s+/g, " ").trim())
    .map((line) => line.replace(/^([^(]*(\([^()]*\))?)\)+$/, "$1"))
    .filter((line) => line !== "" && !line.startsWith("("));
}

Deno.test("wabt reads the same instructions out of a function", async () => {
  const module = new ModuleWriter(1, 1);
  const { index, writer } = module.define(SIGNATURE);
  module.element(0, [index]);
  everything(writer);
  const { readWasm } = await wabt();
  const read = readWasm(module.toBytes(), { ...FEATURES, readDebugNames: false });
  const theirs = instructions(read.toText({ foldExprs: false, inlineExport: false }));
  const ours = instructions(functionText(writer.body(), SIGNATURE).join("\n"));
  assertEquals(ours, theirs);
});
