import { assert, assertEquals } from "@std/assert";
import { pcMemoryMap, planBoot, readCpio } from "../../guests/linux/mod.ts";
import { debian, type DebianFlavour } from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";

interface Expected {
  readonly flavour: DebianFlavour;
  readonly bzImage: string;
  readonly vmlinux: string;
}

const kernels: readonly Expected[] = [
  { flavour: "amd64", bzImage: "linux64", vmlinux: "pvh" },
  { flavour: "686", bzImage: "linux32", vmlinux: "vmlinux" },
];

for (const { flavour, bzImage, vmlinux } of kernels) {
  Deno.test(`Debian's ${flavour} kernel can be planned as ${bzImage} and as ${vmlinux}`, async () => {
    const store = await requireDebian(flavour);
    if (!store) return;
    const guest = await debian(flavour, { store });
    const memoryMap = pcMemoryMap({ ramBytes: 256 * 2 ** 20 });
    const protocolOf = (kernel: Uint8Array) =>
      planBoot({ kernel, initrd: guest.initrd, memoryMap, commandLine: "console=ttyS0" }).protocol;
    assertEquals([protocolOf(guest.bzImage), protocolOf(guest.vmlinux)], [bzImage, vmlinux]);
    assert(guest.release.endsWith(`-${flavour}`), guest.release);
    const files = readCpio(guest.initrd).map(({ path }) => path);
    for (const module of ["e1000", "ata_piix", "ext4", "jbd2", "crc32c_generic"]) {
      assert(files.some((path) => path.endsWith(`/${module}.ko`)), `no module ${module}`);
    }
  });
}
