/** Sixteen Debian domains on one machine of two CPUs: each reaches its prompt, and the tools' figures are right. */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { Host } from "../../testbed/host/host.ts";
import { listDomains, Toolstack, top } from "../../testbed/toolstack/mod.ts";
import { SHELL_PROMPT } from "../../testbed/images/mod.ts";
import { pvGuest, shell } from "../guests/pv_session.ts";

const COUNT = 16;
const SECOND = 1e9 as Cycles;
/** Eight domains share each CPU. */
const PATIENCE = 120e9 as Cycles;

Deno.test("sixteen Debian domains reach their prompts; list and top tell who works and who rests", async () => {
  const guest = await pvGuest();
  if (!guest) return;
  const host = await Host.boot({ memory: "2GiB", cpus: 2 });
  const tools = Toolstack.of(host);
  for (let i = 1; i <= COUNT; i++) {
    await host.create({
      name: `web${i}`,
      kernel: guest.vmlinux,
      ramdisk: guest.initrd,
      memory: "96MiB",
      extra: "console=hvc0 quiet xenarium.modules=none",
    });
  }
  for (const { console } of host.domains) {
    if (console.text.includes(SHELL_PROMPT)) continue;
    const stop = await host.run({ untilText: SHELL_PROMPT, console, forCycles: PATIENCE });
    assertEquals(stop.kind, "marker", console.text.slice(-2000));
  }
  await host.run({ forCycles: SECOND });
  const rows = listDomains(tools).split("\n").slice(2);
  assertEquals(rows.map((row) => row.split(/\s+/).slice(0, 5).join(" ")), [
    ...Array.from({ length: COUNT }, (_, i) => `web${i + 1} ${i + 1} 96 1 -b----`),
  ]);

  const busy = host.domains.slice(0, 2);
  for (const each of busy) await shell(host, each, "while :; do :; done &");
  const memory = { cycle: 0, running: new Map() };
  top(tools, memory);
  await host.run({ forCycles: SECOND });
  const shares = top(tools, memory).split("\n").slice(2)
    .map((row) => Number(row.trim().split(/\s+/)[3]));
  for (const share of shares.slice(0, 2)) assert(share > 95 && share <= 100, shares.join(" "));
  for (const share of shares.slice(2)) assert(share < 5, shares.join(" "));
});
