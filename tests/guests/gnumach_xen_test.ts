/** GNU Mach for Xen, as Debian has it: a 32-bit PAE kernel that nobody here wrote, with the texts of 2005 instead of notes. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { Host } from "../../testbed/host/host.ts";
import { requirePackage } from "./debian_image.ts";

const PATIENCE = 1_000_000_000 as Cycles;
/** What GNU Mach says, in this order, on its way to a user land that nobody gave it. */
const MILESTONES: readonly string[] = [
  "GNU Mach 1.8",
  "Running on xen-3.0-x86_32p.",
  "biosmem: 000000000000000000:000000000004000000, available",
  "vm_page: page table size:",
  "hd: No block device (ENOENT). Hoping you don't need any",
  "No bootstrap code loaded with the kernel!",
];

Deno.test("GNU Mach for 32-bit Xen prints its boot messages and asks for a user land", async () => {
  const folder = await requirePackage("gnumach-image-1.8-xen-486", "i386");
  if (!folder) return;
  const file = await Deno.open(`${folder}/boot/gnumach-1.8-xen-486.gz`);
  const text = new Response(file.readable.pipeThrough(new DecompressionStream("gzip")));
  const host = await Host.boot({ memory: "128MiB" });
  const domain = await host.create({ name: "mach", kernel: await text.bytes(), memory: "64MiB" });
  const { console } = domain;
  // Its panic ends the domain before the console's back end has read all of it.
  await host.run({ forCycles: PATIENCE, untilShutdown: domain });
  await host.run({ forCycles: PATIENCE, console, untilText: MILESTONES.at(-1)! });
  const places = MILESTONES.map((line) => console.text.indexOf(line));
  assertEquals(places.includes(-1), false, console.text);
  assertEquals(places, places.toSorted((a, b) => a - b));
  assertEquals([domain.domain.shutdown, domain.domain.crashMessage], ["crash", null]);
});
