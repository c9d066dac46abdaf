/**
 * One boot of a Debian kernel and what a person would try then: the kernel's warnings, a disk, the network
 * card, power-off or reboot. `debian_boot_test.ts` here and in `tests/long/` say which kernels on how many CPUs.
 */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { parseIpv4 } from "../../devices/net/mod.ts";
import type { CpioEntry } from "../../guests/linux/mod.ts";
import { createMachine, type Machine, type MachineOptions } from "../../mod.ts";
import {
  debian,
  type DebianFlavour,
  type DebianGuest,
  SHELL_PROMPT,
} from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";

/** A kernel, and how it is started. */
export interface DebianBoot {
  readonly flavour: DebianFlavour;
  readonly image: "vmlinux" | "bzImage";
  readonly cpus: number;
  readonly fileSystem: "ext2" | "ext4";
  /** How the session ends. */
  readonly end: "powerOff" | "reset";
}

/** Simulated; a boot takes up to 15 s. */
const BOOT_LIMIT = "60s";
const COMMAND_LIMIT = "30s";
const PING_CYCLES = 100_000_000 as Cycles;
const END_CYCLES = 20_000_000_000 as Cycles;
const DISK_BYTES = 8 * 1024 * 1024;

/** What the shell runs; files of the initramfs, so that the console has only short lines to echo. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "log.sh": `dmesg -n 1; dmesg -r | grep '^<[0-4]>'`,
  "disk.sh":
    `mount -t $1 /dev/sda /mnt && echo 'kept over a mount' > /mnt/file && sync && umount /mnt &&
mount -t $1 -o ro /dev/sda /mnt && cat /mnt/file && umount /mnt`,
  "net.sh": `ip link set eth0 up; udhcpc -i eth0 -n -q -s ./lease.sh; ping -c 2 10.0.2.2`,
  "lease.sh": `#!/bin/sh\n[ "$1" = bound ] && ip addr add $ip/$mask dev $interface; true`,
};

/**
 * Warnings and worse (`dmesg -r`, levels 0 to 4) that these kernels also print on
 * `qemu-system-x86_64 -M pc -cpu qemu64 -m 256` with QEMU 7.2, on 1 and on 4 CPUs. QEMU's further ones, about
 * the calibration of the TSC, MTRRs that differ between CPUs and unstable clocks, are not tolerated here.
 */
const KNOWN_WARNINGS: readonly RegExp[] = [
  // There is no MCFG table: configuration mechanism 1 is all that a 440FX has.
  /^acpi PNP0A03:00: fail to add MMCONFIG information, can't access extended PCI configuration space under this bridge\.$/,
  // The continuation of "smpboot: x86: Booting SMP configuration", if another line comes between.
  /^ #\d+$/,
];

/** The kernel and its initramfs, or `null` with a reason printed where they cannot be had. */
export async function debianGuest(flavour: DebianFlavour): Promise<DebianGuest | null> {
  const store = await requireDebian(flavour);
  if (!store) return null;
  const files = Object.entries(SCRIPTS).map(([name, text]): CpioEntry => ({
    kind: "file",
    path: `root/${name}`,
    mode: 0o755,
    data: new TextEncoder().encode(text + "\n"),
  }));
  return await debian(flavour, { store, files });
}

/** Boots to the shell's prompt. */
export async function bootToPrompt(
  guest: DebianGuest,
  { image, cpus }: Pick<DebianBoot, "image" | "cpus">,
  options: Partial<MachineOptions> = {},
): Promise<Machine> {
  const machine = await createMachine({
    kernel: guest[image],
    initrd: guest.initrd,
    append: "console=ttyS0",
    cpus,
    net: "lan0",
    ...options,
  });
  await machine.console.waitFor(SHELL_PROMPT, { timeoutSimulated: BOOT_LIMIT });
  return machine;
}

/** Boots, and tries everything. */
export async function debianSession(boot: DebianBoot): Promise<void> {
  const guest = await debianGuest(boot.flavour);
  if (!guest) return;
  const disk = await makeFileSystem(boot.fileSystem);
  const machine = await bootToPrompt(guest, boot, { disks: disk ? [disk] : [] });
  assertEquals(machine.console.text.match(/^xenarium: module .* cannot be loaded/m), null);
  assertEquals(await unknownWarnings(machine), [], "warnings that QEMU does not have");
  await expectCpus(machine, boot.cpus);
  if (disk) {
    assertEquals(await shell(machine, `sh disk.sh ${boot.fileSystem}`), ["kept over a mount"]);
  }
  if (guest.modules.has("e1000")) await expectNetwork(machine);
  assertEquals(await unknownWarnings(machine), [], "warnings that QEMU does not have");
  await expectEnd(machine, boot.end);
}

/** Types a command; resolves with the lines that it prints. */
async function shell(machine: Machine, command: string): Promise<string[]> {
  machine.console.send(`${command}\n`);
  await machine.console.waitFor(`${command}\r\n`, { timeoutSimulated: COMMAND_LIMIT });
  const from = machine.console.text.length;
  await machine.console.waitFor(SHELL_PROMPT, { timeoutSimulated: COMMAND_LIMIT });
  const lines = machine.console.text.slice(from).split("\r\n");
  return lines.slice(0, -1);
}

async function unknownWarnings(machine: Machine): Promise<string[]> {
  const lines = await shell(machine, "sh log.sh");
  return lines.map((line) => line.replace(/^<\d>\[ *\d+\.\d+\] /, ""))
    .filter((line) => !KNOWN_WARNINGS.some((known) => known.test(line)));
}

async function expectCpus(machine: Machine, cpus: number): Promise<void> {
  assertEquals(await shell(machine, "grep -c ^processor /proc/cpuinfo"), [String(cpus)]);
  const source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  assertEquals(await shell(machine, `cat ${source}`), ["tsc"]);
}

/** The card gets its address from the script's host, and each pings the other. */
async function expectNetwork(machine: Machine): Promise<void> {
  assert(machine.network);
  const lines = await shell(machine, "sh net.sh");
  const find = (text: string) => lines.find((line) => line.includes(text));
  assert(find("lease of 10.0.2.15 obtained from 10.0.2.2"), lines.join("\n"));
  assertEquals(
    find("packets transmitted"),
    "2 packets transmitted, 2 packets received, 0% packet loss",
  );
  const ping = machine.network.host.ping(parseIpv4("10.0.2.15"));
  await machine.run({ forCycles: PING_CYCLES });
  assert(ping.answeredNs !== null, "the guest does not answer the script's ping");
}

/** The guest ends its machine from inside; after a reset it boots anew. */
async function expectEnd(machine: Machine, end: DebianBoot["end"]): Promise<void> {
  machine.console.send(end === "powerOff" ? "poweroff -f\n" : "reboot -f\n");
  assertEquals(await machine.run({ forCycles: END_CYCLES }), { kind: end });
  if (end !== "reset") return;
  const again = await machine.run({ untilText: "Linux version 6.1.", forCycles: END_CYCLES });
  assertEquals(again.kind, "marker");
}

/** An empty file system made by e2fsprogs, or `null` with a reason printed where that is missing. */
export async function makeFileSystem(type: "ext2" | "ext4"): Promise<Uint8Array | null> {
  const path = await Deno.makeTempFile({ prefix: "xenarium-disk-" });
  try {
    await Deno.truncate(path, DISK_BYTES);
    const { success, stderr } = await new Deno.Command("mke2fs", {
      args: ["-q", "-F", "-t", type, path],
      env: { PATH: `${Deno.env.get("PATH")}:/usr/sbin:/sbin` },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || Deno.env.get("CI") === "true") throw error;
    console.warn("skipped: a disk in Debian; mke2fs is missing: apt-get install e2fsprogs");
    return null;
  } finally {
    await Deno.remove(path);
  }
}
