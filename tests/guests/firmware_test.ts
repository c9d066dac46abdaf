/** Third-party firmware and boot loaders, unmodified, from Debian's packages. */

import { assert, assertMatch } from "@std/assert";
import { createMachine } from "../../testbed/machine.ts";
import type { Machine, MachineOptions } from "../../testbed/machine_api.ts";
import { PcMachine } from "../../testbed/machine/machine.ts";
import { requirePackage } from "./debian_image.ts";

const SEABIOS = "/usr/share/seabios/bios-256k.bin";
const GRUB_RESCUE = "/usr/lib/grub-rescue";
const IPXE = "/usr/lib/ipxe/ipxe.iso";

/** Whether Debian's `name` is installed, which has `path`; a reason is printed, and CI fails, if not. */
async function requireInstalled(name: string, path: string): Promise<boolean> {
  if (await Deno.stat(path).then(() => true, () => false)) return true;
  const reason = `Debian's package ${name} is not installed: there is no ${path}`;
  if (Deno.env.get("CI") === "true") throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return false;
}

async function bootedMachine(options: MachineOptions): Promise<Machine> {
  return await createMachine({ memory: "64MiB", ...options });
}

/** Types a GRUB command at the prompt and waits for what it prints. */
async function grubAnswers(machine: Machine, command: string, answer: string): Promise<void> {
  await machine.waitForScreen(/GNU GRUB +version 2/, { timeoutSimulated: "5s" });
  await machine.waitForScreen("automatically in", { timeoutSimulated: "5s" });
  machine.pressKeys("c");
  await machine.waitForScreen("grub>", { timeoutSimulated: "1s" });
  machine.pressKeys(...command, "Enter");
  await machine.waitForScreen(answer, { timeoutSimulated: "2s" });
}

Deno.test("SeaBIOS finds the machine's parts and nothing to boot from", async () => {
  if (!await requireInstalled("seabios", SEABIOS)) return;
  const machine = await bootedMachine({});
  await machine.waitForScreen("No bootable device", { timeoutSimulated: "5s" });
  assertMatch(machine.screen().join("\n"), /SeaBIOS \(version \S+\)/);
  assert(machine instanceof PcMachine);
  const log = machine.board.firmwareLog;
  for (const line of ["Found QEMU fw_cfg", "Found 1 cpu(s)", "PS2 keyboard initialized"]) {
    assert(log.includes(line), `${line} is missing in\n${log}`);
  }
});

Deno.test("GRUB comes from a CD-ROM to its prompt, and ls answers what is typed", async () => {
  const cdrom = `${GRUB_RESCUE}/grub-rescue-cdrom.iso`;
  if (!await requireInstalled("grub-rescue-pc", cdrom)) return;
  await grubAnswers(await bootedMachine({ cdrom }), "ls", "(cd)");
});

Deno.test("GRUB comes from a hard disk through INT 13h", async () => {
  const disk = `${GRUB_RESCUE}/grub-rescue-usb.img`;
  if (!await requireInstalled("grub-rescue-pc", disk)) return;
  await grubAnswers(await bootedMachine({ disks: [disk] }), "ls", "(hd0)");
});

Deno.test("iPXE comes from a CD-ROM to its shell", async () => {
  if (!await requireInstalled("ipxe", IPXE)) return;
  const machine = await bootedMachine({ cdrom: IPXE });
  await machine.waitForScreen("Ctrl-B", { timeoutSimulated: "5s" });
  machine.pressKeys("Control+b");
  await machine.waitForScreen("iPXE>", { timeoutSimulated: "5s" });
});

/**
 * What GNU Mach prints in turn. Most of its five seconds are its own: loops that give absent drives, SCSI adapters and
 * a floppy controller time to answer.
 */
const MACH_LOG: readonly string[] = [
  "GNU Mach 1.8",
  "biosmem: physical memory map:",
  "pcibios_init: Using configuration type 1",
  "ide: Intel 82371 PIIX3 (dual FIFO) DMA Bus Mastering IDE",
  "ide1: BM-DMA at 0xc008-0xc00f",
  "hd2: XENARIUM CD-ROM, ATAPI CDROM drive",
  "ide1 at 0x170-0x177,0x376 on irq 15",
  "scsi : 0 hosts.",
  "Partition check (DOS partitions):",
  "com1: at atbus0, port = 2f8",
  "RTC time is 2003-10-19",
  "bootstrap_create: No bootstrap code loaded with the kernel!",
];

Deno.test("GNU Mach boots over its serial console up to the user land that it was not given", async () => {
  const folder = await requirePackage("gnumach-image-1.8-486", "i386");
  if (!folder) return;
  const folderOfKernel = `${folder}/boot`;
  const names = [...Deno.readDirSync(folderOfKernel)].map(({ name }) => name);
  const name = names.find((name) => /^gnumach-.*\.gz$/.test(name));
  assert(name, `no kernel among ${names.join(", ")}`);
  const file = await Deno.open(`${folderOfKernel}/${name}`);
  const plain = file.readable.pipeThrough(new DecompressionStream("gzip"));
  const kernel = new Uint8Array(await new Response(plain).arrayBuffer());
  const machine = await bootedMachine({ kernel, append: "console=com0" });
  for (const line of MACH_LOG) await machine.console.waitFor(line, { timeoutSimulated: "8s" });
});
