import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { cpuidLeaf } from "./cpuid_leaves.ts";
import { CPU_MODEL_NAMES, cpuModel } from "./presets.ts";

const CONTEXT = { apicId: 2, apicEnabled: true, osXsave: false };

function text(...words: number[]): string {
  return words.map((word) =>
    String.fromCharCode(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24)
  ).join("");
}

test("leaf 0 spells the vendor in EBX, EDX, ECX", () => {
  const [, ebx, ecx, edx] = cpuidLeaf(cpuModel(), 0, 0, CONTEXT);
  assertEquals(text(ebx, edx, ecx), "GenuineIntel");
  const [, b, c, d] = cpuidLeaf(cpuModel("qemu64"), 0, 0, CONTEXT);
  assertEquals(text(b, d, c), "AuthenticAMD");
});

// SDM vol. 2, figure "Version Information Returned by CPUID in EAX".
const SIGNATURES: readonly [name: string, signature: number][] = [
  ["default", 0x106a3],
  ["qemu64", 0x60fb1],
  ["pentium3", 0x683],
  ["i486", 0x480],
];
for (const [name, signature] of SIGNATURES) {
  test(`${name} has signature ${signature.toString(16)}`, () => {
    assertEquals(cpuidLeaf(cpuModel(name), 1, 0, CONTEXT)[0], signature);
  });
}

test("the default model is x86-64-v2", () => {
  const model = cpuModel();
  const features =
    "cmov cx8 fpu fxsr mmx syscall sse sse2 cx16 lahf64 popcnt sse3 sse4.1 sse4.2 ssse3";
  for (const feature of features.split(" ")) assertEquals(model.has(feature), true);
});

test("leaf 1 follows CR4.OSXSAVE, the APIC's enable bit and the APIC id", () => {
  const model = cpuModel();
  const [, ebx, ecx, edx] = cpuidLeaf(model, 1, 0, CONTEXT);
  assertEquals([ebx >>> 24, (ecx >>> 27) & 1, (edx >>> 9) & 1], [2, 0, 1]);
  const other = cpuidLeaf(model, 1, 0, { apicId: 0, apicEnabled: false, osXsave: true });
  assertEquals([(other[2] >>> 27) & 1, (other[3] >>> 9) & 1], [1, 0]);
});

test("leaf 0xB tells cores apart", () => {
  const model = cpuModel().with({ cores: 4 });
  assertEquals(cpuidLeaf(model, 0xb, 0, CONTEXT), [0, 1, 0x100, 2]);
  assertEquals(cpuidLeaf(model, 0xb, 1, CONTEXT), [2, 4, 0x201, 2]);
  assertEquals(cpuidLeaf(model, 0xb, 2, CONTEXT), [0, 0, 2, 2]);
});

test("a leaf beyond the last is the last on Intel and nothing on AMD", () => {
  const intel = cpuModel();
  assertEquals(cpuidLeaf(intel, 0x4000_0000, 0, CONTEXT), cpuidLeaf(intel, 0x16, 0, CONTEXT));
  assertEquals(cpuidLeaf(cpuModel("qemu64"), 0x4000_0000, 0, CONTEXT), [0, 0, 0, 0]);
});

test("the brand string takes three leaves", () => {
  const model = cpuModel();
  const words = [2, 3, 4].flatMap((n) => [...cpuidLeaf(model, 0x8000_0000 + n, 0, CONTEXT)]);
  assertEquals(text(...words).replace(/\0+$/, ""), model.brand);
});

test("features have many spellings", () => {
  for (const name of ["SSE4.2", "sse4_2", "sse42"]) assertEquals(cpuModel().has(name), true);
  assertEquals(cpuModel("default,-smap").has("SMAP"), false);
  assertEquals(cpuModel("default,+umip").has("umip"), true);
});

// What a caller may get wrong, and what the error says.
const MISTAKES: readonly [
  text: string,
  type: typeof RangeError | typeof SyntaxError,
  message: string,
][] = [
  ["default,+smpa", RangeError, 'no CPU feature is named "smpa"; did you mean'],
  ["defualt", RangeError, 'no CPU model is named "defualt"; did you mean default?'],
  ["default,smap", SyntaxError, 'starts with + or -, found "smap"'],
  ["default,-sse2", RangeError, "needs sse2, which default lacks"],
];
for (const [name, type, message] of MISTAKES) {
  test(`"${name}" is refused with a reason`, () => {
    assertThrows(() => cpuModel(name), type, message);
  });
}

test("every preset is consistent", () => {
  for (const name of CPU_MODEL_NAMES) assertEquals(cpuModel(name).name, name);
});
