/** What the trace says of CPUs that start, shut down and are reset. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { Activity } from "../../core/x86/state/layout.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { StopReason } from "../../testbed/machine_api.ts";
import { kernelOf } from "./small_kernel.ts";
import { ENGINES } from "./small_machine.ts";

/** CPU 1 starts at 0x8000, where there is a HLT. */
const START_CPU_1 = `
  mov byte [0x8000], 0xf4
  mov dword [0xfee00310], 0x01000000
  mov dword [0xfee00300], 0x00004500
  mov dword [0xfee00300], 0x00004608`;

const CASES: readonly (readonly [
  claim: string,
  source: string,
  end: StopReason["kind"],
  activity: readonly (readonly [cpu: number, activity: number])[],
])[] = [
  ["a start-up IPI", `${START_CPU_1}\ncli\nhlt`, "halted", [[1, Activity.active]]],
  [
    "INIT after a start",
    `${START_CPU_1}
  mov ecx, 100000
.wait: loop .wait
  mov dword [0xfee00300], 0x00004500
  cli
  hlt`,
    "halted",
    [[1, Activity.active], [1, Activity.waitForSipi]],
  ],
  [
    "a triple fault",
    "lidt [zero]\nud2\nzero: dd 0, 0",
    "tripleFault",
    [[0, Activity.shutdown]],
  ],
  [
    "a reset",
    "mov al, 0xfe\nout 0x64, al\nhlt",
    "reset",
    [[0, Activity.active], [1, Activity.waitForSipi]],
  ],
];

for (const engine of ENGINES) {
  for (const [claim, source, end, activity] of CASES) {
    Deno.test(`${engine}: the trace tells ${claim}`, async () => {
      const kernel = kernelOf(source);
      const machine = await createMachine({ kernel, memory: "16MiB", cpus: 2, engine });
      const told: string[] = [];
      machine.trace.onEvent(({ kind, text }) => {
        if (kind === "activity") told.push(text);
      });
      assertEquals((await machine.run({ forCycles: 20_000_000 as Cycles })).kind, end);
      assertEquals(told, activity.map(([cpu, state]) => `cpu 0x${cpu}, activity 0x${state}`));
    });
  }
}
