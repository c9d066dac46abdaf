/** Debian's memtest86+ passes over the memory once: every CPU, every pattern, no errors. */

import { assertMatch } from "@std/assert";
import { createMachine } from "../../testbed/machine.ts";

const MEMTEST = "/boot/memtest86+x64.bin";

const rows: readonly [cpus: number, processors: RegExp][] = [
  [1, /1 Cores 1 Threads +SMP: Disabled/],
  [2, /2 Cores 2 Threads +SMP: 2T \(PAR\)/],
];

for (const [cpus, processors] of rows) {
  Deno.test(`memtest86+ passes over 32 MiB without errors, CPUs: ${cpus}`, async () => {
    if (!await Deno.stat(MEMTEST).then(() => true, () => false)) {
      throw new Error(`Debian's package memtest86+ is not installed: there is no ${MEMTEST}`);
    }
    const machine = await createMachine({ kernel: MEMTEST, memory: "32MiB", cpus });
    await machine.waitForScreen("<Enter> to start testing", { timeoutSimulated: "5s" });
    machine.pressKeys("Enter");
    await machine.waitForScreen("Status: Testing", { timeoutSimulated: "5s" });
    assertMatch(machine.screen().join("\n"), processors);
    await machine.waitForScreen(/Pass: +1 +Errors: 0 |Errors: +[1-9]/, {
      timeoutSimulated: "2000s",
    });
    assertMatch(machine.screen().join("\n"), /Pass: +1 +Errors: 0 /);
  });
}
