import { assert, assertEquals } from "@std/assert";
import type { Cpu } from "../../core/x86/cpu.ts";
import { SymbolTable } from "../../core/lib/symbol_table.ts";
import { GuestProfile, listFunctions } from "./guest_profile.ts";
import { foldedStacks, speedscopeFile } from "./speedscope.ts";

const KERNEL = {
  symbols: new SymbolTable([
    { name: "idle", address: 0x1000n, sizeBytes: 0 },
    { name: "work", address: 0x2000n, sizeBytes: 0 },
  ], 0x3000n),
  framePointers: false,
};

/** CPU 0 works twice, idles, works and is in a process; CPU 1 idles. */
const PLACES: readonly (readonly [cpu: number, ring: number, address: bigint])[] = [
  [0, 0, 0x2004n],
  [1, 0, 0x1000n],
  [0, 0, 0x2100n],
  [0, 0, 0x1004n],
  [0, 0, 0x2000n],
  [0, 3, 0x2345n],
];

function sampled(): GuestProfile {
  const profile = new GuestProfile(KERNEL, 1_000_000_000, 100, () => {});
  PLACES.forEach(([index, cpl, rip], i) => {
    const u32 = { length: 0 } as unknown as Uint32Array;
    const state = { rip, csBase: 0n, modeKey: 1, u32: new Proxy(u32, { get: () => cpl }) };
    profile.sample({ index, state } as unknown as Cpu, 100 * (i + 1));
  });
  return profile;
}

Deno.test("a profile lists functions by their samples; processes have no names", () => {
  assertEquals(
    sampled().functions().map(({ name, samples }) => [name, samples]),
    [["work", 3], ["idle", 2], ["page 0x2000", 1]],
  );
  assert(listFunctions(sampled()).includes("50.0 %"));
});

Deno.test("folded stacks count equal stacks of each CPU", () => {
  assertEquals(foldedStacks(sampled()), [
    "CPU 0;ring 0;idle 1",
    "CPU 0;ring 0;work 3",
    "CPU 0;ring 3;page 0x2000 1",
    "CPU 1;ring 0;idle 1",
  ]);
});

Deno.test("speedscope's file has a timeline for each CPU, equal neighbours as one sample", () => {
  const { shared, profiles } = speedscopeFile(sampled(), "m");
  const named = profiles.map(({ name, samples, weights }) => [
    name,
    samples.map((stack) => stack.map((frame) => shared.frames[frame].name).join(";")),
    weights,
  ]);
  assertEquals(named, [
    ["CPU 0", ["ring 0;work", "ring 0;idle", "ring 0;work", "ring 3;page 0x2000"], [
      200,
      100,
      100,
      100,
    ]],
    ["CPU 1", ["ring 0;idle"], [100]],
  ]);
});

Deno.test("speedscope's file keeps the rules of its schema", () => {
  const file = speedscopeFile(sampled(), "m");
  assertEquals(file.$schema, "https://www.speedscope.app/file-format-schema.json");
  assertEquals(JSON.parse(JSON.stringify(file)), file);
  for (const frame of file.shared.frames) assertEquals(Object.keys(frame), ["name"]);
  assert(file.activeProfileIndex < file.profiles.length);
  for (const profile of file.profiles) {
    assertEquals(
      Object.keys(profile).sort(),
      ["endValue", "name", "samples", "startValue", "type", "unit", "weights"],
    );
    assertEquals(profile.samples.length, profile.weights.length);
    assertEquals(profile.weights.reduce((sum, weight) => sum + weight, 0), profile.endValue);
    const known = file.shared.frames.length;
    assert(profile.samples.flat().every((frame) => frame >= 0 && frame < known));
  }
});
