/** Debian's other kernels, and the slower ways to start them. */

import { type DebianBoot, debianSession } from "../guests/debian_session.ts";

const BOOTS: readonly DebianBoot[] = [
  { flavour: "amd64", image: "bzImage", cpus: 1, fileSystem: "ext4", end: "reset" },
  { flavour: "amd64", image: "bzImage", cpus: 4, fileSystem: "ext2", end: "powerOff" },
  { flavour: "686", image: "bzImage", cpus: 1, fileSystem: "ext4", end: "reset" },
  { flavour: "686", image: "bzImage", cpus: 4, fileSystem: "ext2", end: "powerOff" },
  { flavour: "686", image: "vmlinux", cpus: 4, fileSystem: "ext4", end: "powerOff" },
  { flavour: "686-pae", image: "vmlinux", cpus: 1, fileSystem: "ext2", end: "powerOff" },
  { flavour: "686-pae", image: "bzImage", cpus: 4, fileSystem: "ext4", end: "reset" },
  { flavour: "cloud-amd64", image: "vmlinux", cpus: 1, fileSystem: "ext4", end: "powerOff" },
  { flavour: "cloud-amd64", image: "bzImage", cpus: 4, fileSystem: "ext2", end: "powerOff" },
];

for (const boot of BOOTS) {
  const { flavour, image, cpus, fileSystem, end } = boot;
  Deno.test(`Debian ${flavour} (${image}) on ${cpus} CPU(s): prompt, log, ${fileSystem}, ${end}`, async () => {
    await debianSession(boot);
  });
}
