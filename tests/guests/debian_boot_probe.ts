/**
 * A process of its own that boots Debian and prints what it came to, as JSON: the trace hash and the cycle at
 * the prompt, and the process's resident memory in bytes. `debian_boot_test.ts` starts it with a flavour and
 * the number of CPUs.
 */

import type { DebianFlavour } from "../../testbed/images/mod.ts";
import { bootToPrompt, debianGuest } from "./debian_session.ts";

/** What the process prints. */
export interface ProbeResult {
  readonly hash: string;
  readonly now: number;
  readonly rssBytes: number;
}

if (import.meta.main) {
  const [flavour, cpus] = Deno.args;
  const guest = await debianGuest(flavour as DebianFlavour);
  if (!guest) Deno.exit(1);
  const machine = await bootToPrompt(guest, { image: "vmlinux", cpus: Number(cpus) });
  const { rss: rssBytes } = Deno.memoryUsage();
  const result: ProbeResult = { hash: machine.trace.hash, now: machine.now, rssBytes };
  console.log(JSON.stringify(result));
}
