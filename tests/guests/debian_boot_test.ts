/**
 * Debian's kernels on our machine, from the PVH entry to the shell and beyond. The slower ways in are in
 * `tests/long/debian_boot_test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import type { DebianFlavour } from "../../testbed/images/mod.ts";
import type { ProbeResult } from "./debian_boot_probe.ts";
import { requireDebian } from "./debian_image.ts";
import { bootToPrompt, type DebianBoot, debianGuest, debianSession } from "./debian_session.ts";

const BOOTS: readonly DebianBoot[] = [
  { flavour: "amd64", image: "vmlinux", cpus: 1, fileSystem: "ext4", end: "powerOff" },
  { flavour: "amd64", image: "vmlinux", cpus: 4, fileSystem: "ext2", end: "reset" },
  { flavour: "686", image: "vmlinux", cpus: 1, fileSystem: "ext2", end: "powerOff" },
];

for (const boot of BOOTS) {
  const { flavour, image, cpus, fileSystem, end } = boot;
  Deno.test(`Debian ${flavour} (${image}) on ${cpus} CPU(s): prompt, log, ${fileSystem}, network, ${end}`, async () => {
    await debianSession(boot);
  });
}

/** The machine has the default of 256 MiB; the rest of the process may take 300 MB. */
const RSS_LIMIT_BYTES = 256 * 2 ** 20 + 300e6;

async function probe(flavour: DebianFlavour, cpus: number): Promise<ProbeResult> {
  const script = new URL("debian_boot_probe.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-env", "--allow-sys", script]
      .concat(flavour, String(cpus)),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function bootHere(flavour: DebianFlavour, cpus: number) {
  const guest = await debianGuest(flavour);
  assert(guest);
  const { trace: { hash }, now } = await bootToPrompt(guest, { image: "vmlinux", cpus });
  return { hash, now: Number(now) };
}

for (const [flavour, cpus] of [["amd64", 1], ["amd64", 4]] as const) {
  Deno.test(`Debian ${flavour} on ${cpus} CPU(s) boots twice to one trace hash, in 300 MB besides its RAM`, async () => {
    if (!await requireDebian(flavour)) return;
    // Side by side: each boot keeps one of the host's cores busy.
    const [first, second] = await Promise.all([probe(flavour, cpus), bootHere(flavour, cpus)]);
    assert(first.rssBytes < RSS_LIMIT_BYTES, `resident memory: ${first.rssBytes} bytes`);
    assertEquals(second, { hash: first.hash, now: first.now });
  });
}
