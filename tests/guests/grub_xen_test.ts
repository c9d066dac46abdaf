/** GRUB for Xen, as Debian has it, in a paravirtual domain: a kernel that nobody here wrote, and no Linux. */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { DiskImage, memoryBase } from "../../devices/disk/mod.ts";
import { Host } from "../../testbed/host/host.ts";
import { requirePackage } from "./debian_image.ts";
import { makeFileSystem } from "./debian_session.ts";

const PROMPT = "grub> ";
const PATIENCE = 4_000_000_000 as Cycles;

const WIDTHS = [["64-bit", "x86_64"], ["32-bit", "i386"]] as const;

for (const [width, platform] of WIDTHS) {
  Deno.test(`GRUB for ${width} Xen reaches its prompt, reads a disk and halts`, async () => {
    const folder = await requirePackage("grub-xen-host", "amd64");
    if (!folder) return;
    await bootAndRead(await Deno.readFile(`${folder}/usr/lib/grub-xen/grub-${platform}-xen.bin`));
  });
}

async function bootAndRead(kernel: Uint8Array): Promise<void> {
  const image = await makeFileSystem("ext2");
  const host = await Host.boot({ memory: "128MiB" });
  const domain = await host.create({
    name: "grub",
    kernel,
    memory: "64MiB",
    disk: image ? [{ vdev: "xvda", image: new DiskImage(memoryBase(image)) }] : [],
  });
  const { console } = domain;
  const prompt = async () => {
    const stop = await host.run({ forCycles: PATIENCE, console, untilText: PROMPT });
    assertEquals(stop, { kind: "marker", text: PROMPT }, console.text.slice(-2000));
  };
  await prompt();
  assert(console.text.includes("Welcome to GRUB!"));
  if (image) {
    const from = console.text.length;
    console.send("ls (xen/xvda)/\r");
    await prompt();
    assert(console.text.slice(from).includes("lost+found/"), console.text.slice(from));
  }
  console.send("halt\r");
  await host.run({ forCycles: PATIENCE, untilShutdown: domain });
  assertEquals([domain.domain.shutdown, domain.domain.crashMessage], ["poweroff", null]);
}
