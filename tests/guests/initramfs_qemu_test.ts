import { assertStringIncludes } from "@std/assert";
import {
  debian,
  type DebianFlavour,
  READY_MARKER,
  SHELL_PROMPT,
} from "../../testbed/images/mod.ts";
import { requireDebian } from "./debian_image.ts";
import { lacksQemu, runQemu } from "./qemu.ts";

const kernels: readonly [flavour: DebianFlavour, role: "bzImage" | "vmlinux"][] = [
  ["amd64", "vmlinux"],
  ["amd64", "bzImage"],
  ["cloud-amd64", "bzImage"],
  ["686", "bzImage"],
  ["686-pae", "vmlinux"],
];

/** What the kernel prints until it prints `until`, or `null` if Debian's packages cannot be had. */
async function boot(
  flavour: DebianFlavour,
  role: "bzImage" | "vmlinux",
  options: string,
  until: string,
): Promise<string | null> {
  const store = await requireDebian(flavour);
  if (!store) return null;
  const guest = await debian(flavour, { store });
  const initrd = await Deno.makeTempFile({ prefix: "xenarium-initrd-" });
  try {
    await Deno.writeFile(initrd, guest.initrd);
    const kernel = store.path(guest.image, role);
    const append = `console=ttyS0 panic=-1 quiet ${options}`;
    const nic = ["-netdev", "user,id=net", "-device", "e1000,netdev=net"];
    return await runQemu(
      ["-kernel", kernel, "-initrd", initrd, "-append", append, ...nic],
      until,
    );
  } finally {
    await Deno.remove(initrd);
  }
}

for (const [flavour, role] of kernels) {
  Deno.test({
    name: `Debian's ${flavour} kernel (${role}) reaches marker and prompt on QEMU`,
    ignore: lacksQemu,
    fn: async () => {
      const output = await boot(flavour, role, "", SHELL_PROMPT);
      if (output === null) return;
      assertStringIncludes(output, `${READY_MARKER}\r\n`);
      assertStringIncludes(output, SHELL_PROMPT);
    },
  });
}

Deno.test({
  name: "the initramfs loads the default modules, and xenarium.run runs commands after the marker",
  ignore: lacksQemu,
  fn: async () => {
    const commands = "cat /proc/modules; ls /sys/class/net; echo answer $((6*7)); poweroff -f";
    const output = await boot("amd64", "vmlinux", `xenarium.run="${commands}"`, "answer 42\r\n");
    if (output === null) return;
    const [, after] = output.split(READY_MARKER);
    for (
      const word of ["ext4 ", "ata_piix ", "sr_mod ", "sd_mod ", "e1000 ", "eth0", "answer 42"]
    ) {
      assertStringIncludes(after, word);
    }
  },
});

Deno.test({
  name: "xenarium.modules chooses what is loaded",
  ignore: lacksQemu,
  fn: async () => {
    const options = 'xenarium.modules=ext4 xenarium.run="ls /sys/module; echo answer $((6*7))"';
    const output = await boot("amd64", "vmlinux", options, "answer 42\r\n");
    if (output === null) return;
    assertStringIncludes(output, "jbd2");
    if (output.includes("e1000")) throw new Error("e1000 was loaded although it was not chosen");
  },
});
