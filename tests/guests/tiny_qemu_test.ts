/** The tiny guests on QEMU's machine: that they are right is proved there before our own CPU runs them. */

import { assertEquals } from "@std/assert";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import { lacksQemu, runQemu } from "./qemu.ts";

for (const { name, cpus, image, expectedOutput } of tinyGuests) {
  Deno.test({
    name: `${name} reports on QEMU what it should`,
    ignore: lacksQemu,
    fn: async () => {
      const file = await Deno.makeTempFile({ prefix: "xenarium-tiny-", suffix: ".elf" });
      try {
        await Deno.writeFile(file, image());
        const exit = "isa-debug-exit,iobase=0xf4,iosize=4";
        const output = await runQemu(
          ["-smp", String(cpus), "-device", exit, "-kernel", file],
          expectedOutput.trimEnd().split("\n").at(-1)!,
        );
        // SeaBIOS prints before the guest does.
        assertEquals(output.includes(expectedOutput.trimEnd()), true, output);
      } finally {
        await Deno.remove(file);
      }
    },
  });
}
