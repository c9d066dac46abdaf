/** Debian as a paravirtual domain at its console: files that its shell runs, commands, and what they print. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import type { CpioEntry } from "../../guests/linux/mod.ts";
import type { Host, HostDomain } from "../../testbed/host/host.ts";
import { debian, type DebianGuest, domainModules, SHELL_PROMPT } from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";

const BOOT_CYCLES = 20e9 as Cycles;
const COMMAND_CYCLES = 20e9 as Cycles;

/**
 * The amd64 kernel with an initramfs that loads its front ends and has `scripts` in root's home, or `null` with
 * a reason printed where it cannot be had. Scripts are files so that the console has only short lines to echo.
 */
export async function pvGuest(
  scripts: Readonly<Record<string, string>> = {},
): Promise<DebianGuest | null> {
  const store = await requireDebian("amd64");
  if (!store) return null;
  const files = Object.entries(scripts).map(([name, text]): CpioEntry => ({
    kind: "file",
    path: `root/${name}`,
    mode: 0o755,
    data: new TextEncoder().encode(`${text}\n`),
  }));
  return await debian("amd64", { store, files, modules: domainModules });
}

/** Runs until the domain's shell shows its first prompt. */
export async function expectPrompt(host: Host, domain: HostDomain): Promise<void> {
  if (!domain.console.text.includes(SHELL_PROMPT)) await runToPrompt(host, domain, BOOT_CYCLES);
}

/** Types a command; resolves with the lines that it prints. */
export async function shell(host: Host, domain: HostDomain, command: string): Promise<string[]> {
  const from = domain.console.text.length;
  domain.console.send(`${command}\n`);
  await runToPrompt(host, domain, COMMAND_CYCLES);
  return domain.console.text.slice(from).split("\r\n").slice(1, -1);
}

async function runToPrompt(host: Host, domain: HostDomain, forCycles: Cycles): Promise<void> {
  const { console } = domain;
  const stop = await host.run({ untilText: SHELL_PROMPT, console, forCycles });
  assertEquals(stop, { kind: "marker", text: SHELL_PROMPT }, console.text.slice(-2000));
}
