/** When a machine is halted for good: nothing that is armed or wired can wake a CPU. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { createMachine } from "../../testbed/machine.ts";
import { kernelOf } from "./small_kernel.ts";
import { ENGINES } from "./small_machine.ts";

const LIMIT = 10_000_000 as Cycles;
/** Channel 0 of the 8254 ticks every 55 ms, so that a timer stays armed; the 8259s pass nothing on. */
const TICKING = `
  mov al, 0xff
  out 0x21, al
  mov al, 0x34
  out 0x43, al
  xor al, al
  out 0x40, al
  out 0x40, al`;

const ENDS: readonly (readonly [claim: string, source: string, kind: "halted" | "limit"])[] = [
  ["HLT with interrupts masked", "cli\nhlt", "halted"],
  ["the same under a ticking 8254", `${TICKING}\ncli\nhlt`, "halted"],
  ["HLT with interrupts open under a ticking 8254", `${TICKING}\nsti\nhlt`, "limit"],
  // LINT0 delivers the 8259s' INTR as NMI, as NMI watchdogs do.
  ["an NMI from LINT0", `${TICKING}\nmov dword [0xfee00350], 0x400\ncli\nhlt`, "limit"],
  ["a masked NMI from LINT0", `${TICKING}\nmov dword [0xfee00350], 0x10400\ncli\nhlt`, "halted"],
  [
    "an NMI from the I/O APIC",
    `${TICKING}\nmov dword [0xfec00000], 0x14\nmov dword [0xfec00010], 0x400\ncli\nhlt`,
    "limit",
  ],
  [
    "a fixed interrupt from the I/O APIC",
    `${TICKING}\nmov dword [0xfec00000], 0x14\nmov dword [0xfec00010], 0x40\ncli\nhlt`,
    "halted",
  ],
];

for (const engine of ENGINES) {
  for (const [claim, source, kind] of ENDS) {
    for (const cpus of [1, 2]) {
      Deno.test(`${claim}: ${kind}, on ${cpus} CPUs, ${engine} engine`, async () => {
        const kernel = kernelOf(source);
        const machine = await createMachine({ kernel, memory: "16MiB", cpus, engine });
        assertEquals((await machine.run({ forCycles: LIMIT })).kind, kind);
      });
    }
  }
}
