/** Debian as a paravirtual domain under Debian's gdb, and under the debugger's own commands: kernel functions by their names. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { Host, type HostDomain } from "../../mod.ts";
import { debugCommand } from "../../testbed/debugger/commands.ts";
import { debian } from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";
import { gdbSession, hasGdb } from "./gdb_session.ts";

const LIMIT = 100_000_000 as Cycle;

/** A domain that has not begun to run. */
async function newDomain(): Promise<HostDomain | null> {
  const store = await requireDebian("amd64");
  if (!store) return null;
  const { vmlinux, initrd } = await debian("amd64", { store });
  const host = await Host.boot({ memory: "256MiB", cpus: 1 });
  const extra = "console=hvc0";
  return await host.create({
    name: "web",
    kernel: vmlinux,
    ramdisk: initrd,
    memory: "128MiB",
    extra,
  });
}

/** Runs gdb on a domain; returns what it printed between the marks that `commands` set. */
function session(target: HostDomain, commands: readonly string[]): Promise<string[]> {
  const architecture = "i386:x86-64";
  return gdbSession({ target, architecture, run: { untilCycle: LIMIT }, commands });
}

Deno.test({
  name:
    "gdb breaks by symbol in a paravirtual Debian, reads arguments, steps, watches, and is refused the past",
  ignore: !hasGdb,
  fn: async () => {
    const domain = await newDomain();
    if (!domain) return;
    const [start, argument, step, watched, past] = await session(domain, [
      "hbreak *start_kernel",
      "continue",
      "delete",
      "echo == start\\n",
      "info symbol $rip",
      // What it is called for first: char *parse_args(const char *doing, char *args, ...).
      "break *parse_args",
      "continue",
      "echo == argument\\n",
      "x/s $rdi",
      "x/s $rsi",
      "echo == step\\n",
      "stepi",
      "info symbol $rip",
      "delete",
      "echo == watch\\n",
      "set $below = $rsp - 8",
      "awatch *(unsigned long *)$below",
      "continue",
      "echo == past\\n",
      "reverse-stepi",
    ]);
    assertMatch(start, /start_kernel in section/);
    assertMatch(argument, /"early options"[^]*"console=hvc0"/);
    assertMatch(step, /__fentry__|parse_args/);
    assertMatch(watched, /access \(read\/write\) watchpoint \d+: \*\(unsigned long/);
    assert(!/0x/.test(past), past);
  },
});

Deno.test("the debugger's commands name the functions of a paravirtual Debian and who called them", async () => {
  const domain = await newDomain();
  if (!domain) return;
  const command = async (line: string) => {
    const [name, ...words] = line.split(" ");
    return await debugCommand(name).run(words, domain);
  };
  assertMatch(await command("break start_kernel"), /^stop 1: /);
  await command("break parse_args if rdi != 0");
  assertStringIncludes(await command("cont"), "start_kernel, cycle");
  assertStringIncludes(await command("cont"), "parse_args, cycle");
  const callers = domain.debugger.backTrace().filter(({ uncertain }) => !uncertain);
  const names = callers.map(({ name }) => name?.replace(/\+.*/, ""));
  assertEquals(names.slice(0, 2), ["parse_args", "parse_early_options"]);
  assertMatch(await command("finish"), /^parse_early_options\+0x[0-9a-f]+, cycle/);
  assertStringIncludes(await command("walk rsp"), "is physical");
  assertMatch(await command("gdt"), /0x?e033|code/i);
  domain.debugger.clear();
  const stop = await domain.run({ forCycles: 1_000_000 as Cycles });
  assertEquals(stop.kind, "limit");
});
