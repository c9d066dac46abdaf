import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { cpuModel } from "../model/presets.ts";
import { deliver } from "./delivery.ts";
import { SYSTEM_FUNCTIONS, type SystemFunctionName } from "./functions.ts";
import { takeInterrupt } from "./interrupts.ts";
import { updateMode } from "./mode.ts";
import { At, Rig } from "./testing/rig.ts";

/** Numbers from 0 to 2^32 - 1 (xorshift32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const NAMES = SYSTEM_FUNCTIONS.map(({ name }) => name as SystemFunctionName)
  .filter((name) => !/^(x87|sse)/.test(name));
/** Argument values that mean something to some function. */
const ARGUMENTS = [0, 1, 2, 3, 4, 8, 14, 16, 32, 64, 0x60, 0x3f8, 0x6000, 0xffff, 0x8000_0010];
const FLAGS = [0x2, 0x4002, 0x20002, 0x23002, 0x3202, 0x40102, 0x10202];

function disturb(rig: Rig, next: () => number): void {
  const { state } = rig;
  const pick = (values: readonly number[]) => values[next() % values.length];
  for (const register of ["rax", "rcx", "rdx", "rbx", "rsp"] as const) {
    if (next() % 4 === 0) {
      state[register] = BigInt(pick([...ARGUMENTS, At.stack0, 0xc000_0080, next()]));
    }
  }
  if (next() % 4 === 0) state.flags = pick(FLAGS);
  // Some bytes of the tables.
  for (let i = 0; i < 4; i++) rig.memory.write(At.gdt + (next() % 0x3000), 1, next() & 0xff);
  state.nextRip = BigInt(next() & 0xffff);
  state.cpl = (state.cr0 & 1) === 0 ? 0 : state.cpl;
  updateMode(rig.cpu);
}

// A seed that finds a bug becomes a case of its own.
for (const seed of [1, 0xbeef, 0x1234567]) {
  for (const mode of ["real", "protected", "long"] as const) {
    for (const model of ["default", "qemu64"]) {
      test(`seed ${seed}: nothing in ${mode} mode of ${model} throws out of a system function`, () => {
        const next = random(seed);
        let rig = new Rig(cpuModel(model));
        const fresh = () => {
          rig = new Rig(cpuModel(model));
          if (mode === "protected") rig.protectedMode(next() % 2 === 0 ? 0 : 3);
          if (mode === "long") rig.longMode(next() % 2 === 0 ? 0 : 3);
        };
        let calls = 0;
        for (let round = 0; round < 12; round++) {
          fresh();
          for (let i = 0; i < 150; i++) {
            disturb(rig, next);
            const args = Array.from({ length: 4 }, () => ARGUMENTS[next() % ARGUMENTS.length]);
            const name = NAMES[next() % NAMES.length];
            if (/^(in|out|checkIo)$/.test(name)) args[1] = [1, 2, 4][next() % 3];
            if (/^(jumpFar|callFar)$/.test(name)) args[2] = [16, 32][next() % 2];
            if (/^(iret|returnFar)$/.test(name)) {
              args[0] = [16, 32, 64][next() % (mode === "long" ? 3 : 2)];
            }
            if (name === "popf") args[1] = [16, 32][next() % 2];
            if (/^(x?save|x?rstor|fx|fn|fr|fld|[ls][gi]dt|monitor|load)/.test(name)) args[0] &= 7;
            const outcome = rig.call(name, ...args);
            if (outcome !== "done" && next() % 2 === 0) {
              const errorCode = outcome.error ?? -1;
              deliver(rig.cpu, { vector: outcome.vector, kind: "fault", errorCode });
            }
            rig.state.signals = next() % 16 === 0 ? next() & 7 : 0;
            takeInterrupt(rig.cpu);
            rig.state.activity = 0;
            calls++;
          }
        }
        assertEquals(calls, 1800);
      });
    }
  }
}
