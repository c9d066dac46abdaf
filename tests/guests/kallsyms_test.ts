/** The symbols read out of Debian's kernel image, against those that the kernel itself prints while it runs. */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { readKallsyms } from "../../guests/linux/mod.ts";
import { createMachine } from "../../mod.ts";
import { debian, SHELL_PROMPT } from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";

const LIMIT = { timeoutSimulated: "60s" };

Deno.test("Debian's kernel prints the symbols that its image was found to hold, addresses included", async () => {
  const store = await requireDebian("amd64");
  if (!store) return;
  const { vmlinux, initrd } = await debian("amd64", { store, modules: [] });
  const symbols = readKallsyms(vmlinux, 64)!;
  const lines = symbols.map(({ address, type, name }) =>
    `${address.toString(16).padStart(16, "0")} ${type} ${name}\n`
  );
  const machine = await createMachine({
    name: "kallsyms",
    kernel: vmlinux,
    initrd,
    append: "console=ttyS0 quiet",
    memory: "256MiB",
  });
  await machine.console.waitFor(SHELL_PROMPT, LIMIT);
  // What modules and BPF add has a module's name in brackets.
  machine.console.send(
    "grep -v '\\[' /proc/kallsyms | md5sum; wc -l < /proc/kallsyms; echo done\n",
  );
  const printed = await machine.console.waitFor(/\n[0-9a-f]{32} +-\r?\n\d+\r?\ndone/, LIMIT);
  const digest = createHash("md5").update(lines.join("")).digest("hex");
  assertEquals(/[0-9a-f]{32}/.exec(printed)![0], digest);
});
