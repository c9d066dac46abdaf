import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import type { Cpu } from "../../x86/cpu.ts";
import { cpuModel } from "../../x86/model/mod.ts";
import { pvCpuidLeaf } from "./pv_cpuid.ts";

/** What CPUID depends on: the model alone. */
const CPU = { model: cpuModel() } as Cpu;
const leaf = (number: number, subleaf = 0) => pvCpuidLeaf(CPU, number, subleaf, 3, "lp64");
const bit = (word: number, number: number) => (word >>> number) & 1;

test("a guest in ring 3 is shown nothing that it cannot have", () => {
  const [, , ecx, edx] = leaf(1);
  const hidden = { VMX: 5, "x2APIC": 21, "TSC-deadline": 24 };
  assertEquals(Object.values(hidden).map((number) => bit(ecx, number)), [0, 0, 0]);
  const alsoHidden = { PSE: 3, APIC: 9, MTRR: 12, PGE: 13 };
  assertEquals(Object.values(alsoHidden).map((number) => bit(edx, number)), [0, 0, 0, 0]);
  const shown = { FPU: 0, TSC: 4, PAE: 6, FXSR: 24, SSE2: 26 };
  assertEquals(Object.values(shown).map((number) => bit(edx, number)), [1, 1, 1, 1, 1]);
  // XSAVE, which the hypervisor has switched on, and the hypervisor's own bit.
  assertEquals([26, 27, 31].map((number) => bit(ecx, number)), [1, 1, 1]);
  const [, ebx] = leaf(7);
  assertEquals([7, 20].map((number) => bit(ebx, number)), [0, 0]);
});

test("the hypervisor's leaves name it, its version and the guest's clock", () => {
  const text = leaf(0x4000_0000).slice(1).map((word) =>
    String.fromCharCode(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24)
  ).join("");
  assertEquals([text, leaf(0x4000_0000)[0]], ["XenVMMXenVMM", 0x4000_0005]);
  assertEquals(leaf(0x4000_0001)[0], 0x4_0011);
  assertEquals(leaf(0x4000_0003)[2], CPU.model.frequencyHz / 1000);
});

test("a 32-bit guest is shown neither long mode nor SYSCALL", () => {
  const bits = (model: "lp64" | "ilp32") => {
    const [, , ecx, edx] = pvCpuidLeaf(CPU, 0x8000_0001, 0, 0, model);
    return { lahf: bit(ecx, 0), syscall: bit(edx, 11), nx: bit(edx, 20), long: bit(edx, 29) };
  };
  assertEquals(bits("lp64"), { lahf: 1, syscall: 1, nx: 1, long: 1 });
  assertEquals(bits("ilp32"), { lahf: 0, syscall: 0, nx: 1, long: 0 });
});
