/** Tiny domains for tests: started, and asked. */

import type { DomainConfig, Host, HostDomain } from "../../../testbed/host/host.ts";

export const PROMPT = "tiny> ";

/** A tiny domain with a network card, unless `devices` says otherwise; `commands` are carried out first. */
export function startTiny(
  host: Host,
  name: string,
  commands: string,
  devices: Partial<DomainConfig> = {},
): Promise<HostDomain> {
  const memory = "4MiB";
  return host.create({ name, kernel: "tiny", memory, vif: [{}], extra: commands, ...devices });
}

/** What it writes for a command, or before its first prompt. */
export async function answer(
  { console }: HostDomain,
  command: string | null = null,
): Promise<string[]> {
  const from = command === null ? 0 : console.text.length;
  if (command !== null) console.send(`${command}\n`);
  while (!console.text.includes(PROMPT, from)) {
    await console.waitFor(PROMPT, { timeoutSimulated: "20s" });
  }
  const text = console.text.slice(from, console.text.indexOf(PROMPT, from));
  const lines = text.split("\n").filter((line) => line !== "");
  return command === null ? lines : lines.slice(1);
}
