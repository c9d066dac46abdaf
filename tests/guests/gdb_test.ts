/**
 * Debian's gdb drives machines that boot Debian's kernels: a break in a kernel function by symbol, its arguments, steps,
 * a watched variable, and back to the store before.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { createMachine, type Machine } from "../../mod.ts";
import { disassembleBytes } from "../../testbed/disassembler.ts";
import { debian, type DebianFlavour } from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";
import { gdbSession, hasGdb } from "./gdb_session.ts";

/** What differs between the kernels. */
interface Kernel {
  readonly flavour: DebianFlavour;
  readonly architecture: string;
  /** Registers by gdb's names: the program counter, the stack pointer, and those of the first two arguments. */
  readonly pc: string;
  readonly stack: string;
  readonly args: readonly string[];
  /** Where the first instruction of a function leads: the tracer's call, or the next one. */
  readonly stepped: string;
  /** Bytes of a pointer. */
  readonly word: number;
}

const KERNELS: readonly Kernel[] = [
  {
    flavour: "amd64",
    architecture: "i386:x86-64",
    pc: "rip",
    stack: "rsp",
    args: ["rdi", "rsi"],
    stepped: "__fentry__",
    word: 8,
  },
  {
    flavour: "686",
    architecture: "i386",
    pc: "eip",
    stack: "esp",
    args: ["eax", "edx"],
    word: 4,
    stepped: "__fentry__",
  },
];

/** Stands for the address of the kernel's tick counter. */
const JIFFIES = "JIFFIES";
const LIMIT = 20_000_000_000 as Cycle;
/** A 32-bit kernel's code lies in memory so far below where it is linked to. */
const LINKED_ABOVE = 0xc000_0000n;

/** Runs gdb on a machine that boots; returns what it printed between the marks that `commands` set. */
async function session(
  { flavour, architecture }: Kernel,
  commands: readonly string[],
): Promise<string[]> {
  const store = await requireDebian(flavour);
  if (!store) return [];
  const { vmlinux, initrd } = await debian(flavour, { store });
  const machine = await createMachine({
    kernel: vmlinux,
    initrd,
    append: "console=ttyS0",
    memory: "128MiB",
    checkpoints: "256MiB",
  });
  const jiffies = await addressOfJiffies(machine);
  return await gdbSession({
    target: machine,
    architecture,
    run: { untilCycle: LIMIT },
    commands: commands.map((line) => line.replaceAll(JIFFIES, jiffies)),
  });
}

/** By its name; Debian's 32-bit kernels name no data, and `do_timer` counts in it first of all. */
async function addressOfJiffies({ debugger: { symbols }, memory }: Machine): Promise<string> {
  const known = symbols.find("jiffies");
  if (known !== null) return `0x${known.toString(16)}`;
  const code = symbols.addressOf("do_timer");
  const bytes = memory.readBytes(physical(Number(code - LINKED_ABOVE)), 64);
  const lines = await disassembleBytes(bytes, code, 32);
  const operand = lines.map(({ text }) => /\[(0x[0-9a-f]+)\]/.exec(text)?.[1]).find(Boolean);
  assert(operand, lines.map(({ text }) => text).join("\n"));
  return operand;
}

const mark = (name: string) => `echo == ${name}\\n`;

for (const kernel of KERNELS) {
  const { flavour, pc, stack, args, word, stepped } = kernel;
  Deno.test({
    name: `gdb breaks, reads arguments, steps, watches and goes back in Debian ${flavour}`,
    ignore: !hasGdb,
    fn: async () => {
      const type = word === 8 ? "unsigned long" : "unsigned int";
      const found = await session(kernel, [
        "hbreak *start_kernel",
        "continue",
        "delete",
        mark("break"),
        // What it is called for first: char *parse_args(const char *doing, char *args, ...).
        "break *parse_args",
        "continue",
        `info symbol $${pc}`,
        mark("argument"),
        ...args.map((register) => `x/s $${register}`),
        mark("step"),
        `stepi`,
        `info symbol $${pc}`,
        "delete",
        mark("watch"),
        `watch *(${type} *)${JIFFIES}`,
        "continue",
        "continue",
        mark("ticks"),
        `print *(${type} *)${JIFFIES}`,
        `info symbol $${pc}`,
        mark("back"),
        "reverse-continue",
        `print *(${type} *)${JIFFIES}`,
        `info symbol $${pc}`,
        mark("again"),
        "reverse-continue",
        `print *(${type} *)${JIFFIES}`,
        mark("forward"),
        "stepi",
        `print *(${type} *)${JIFFIES}`,
        mark("reverse step"),
        `print/x $${stack}`,
        "reverse-stepi",
        "stepi",
        `print/x $${stack}`,
        mark("done"),
        "kill",
      ]);
      if (found.length === 0) return;
      const said = Object.fromEntries(found.map((text) => {
        const [name, ...lines] = text.trim().split("\n");
        return [name, lines.join("\n")];
      }));
      const values = (name: string) =>
        [...said[name].matchAll(/^\$\d+ = (\w+)$/gm)].map(([, value]) => BigInt(value));
      assertStringIncludes(said.break, "parse_args in section .text");
      assertStringIncludes(said.argument, `"early options"`);
      assertStringIncludes(said.argument, `"console=ttyS0"`);
      assertStringIncludes(said.step, stepped);
      const [ticks] = values("ticks");
      assertStringIncludes(said.ticks, "do_timer");
      // Back to before the store that was met last, then to before the one before.
      assertStringIncludes(said.back, `Old value = ${ticks}\nNew value = ${ticks - 1n}`);
      assertStringIncludes(said.back, "do_timer");
      assertEquals(values("back"), [ticks - 1n]);
      assertEquals(values("again"), [ticks - 2n]);
      assertEquals(values("forward"), [ticks - 1n]);
      const [before, after] = values("reverse step");
      assertEquals(after, before);
    },
  });
}
