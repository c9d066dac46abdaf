import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type BootProtocol,
  type KernelProtocol,
  type LoadPlan,
  pcMemoryMap,
  planBoot,
} from "../../guests/linux/mod.ts";
import { debian, type DebianFlavour, decompress, READY_MARKER } from "../../testbed/images/mod.ts";
import { requireDebian, requirePackage } from "./debian_image.ts";
import { lacksQemu, runQemu } from "./qemu.ts";
import { startRom } from "./start_rom.ts";

interface PlanCase {
  readonly flavour: DebianFlavour;
  readonly kernel: "bzImage" | "vmlinux";
  /** What to ask for; by default the best is found. */
  readonly asked?: KernelProtocol;
  readonly expected: BootProtocol;
}

const plans: readonly PlanCase[] = [
  { flavour: "cloud-amd64", kernel: "bzImage", expected: "linux64" },
  { flavour: "cloud-amd64", kernel: "bzImage", asked: "linux32", expected: "linux32" },
  { flavour: "amd64", kernel: "vmlinux", expected: "pvh" },
  { flavour: "amd64", kernel: "vmlinux", asked: "vmlinux", expected: "vmlinux" },
  { flavour: "686", kernel: "bzImage", expected: "linux32" },
  { flavour: "686", kernel: "vmlinux", expected: "vmlinux" },
  { flavour: "686-pae", kernel: "vmlinux", expected: "pvh" },
];

/** Puts the plan's segments into QEMU's memory, and the start state into its CPU. */
async function runPlan(plan: LoadPlan, until: string): Promise<string> {
  const { entry } = plan;
  assert(entry.kind !== "real16");
  const directory = await Deno.makeTempDir({ prefix: "xenarium-plan-" });
  try {
    await Deno.writeFile(`${directory}/rom`, startRom(entry));
    const args = ["-bios", `${directory}/rom`];
    for (const [index, segment] of plan.segments.entries()) {
      const file = `${directory}/${index}`;
      await Deno.writeFile(file, segment.bytes);
      const address = `0x${segment.address.toString(16)}`;
      args.push("-device", `loader,file=${file},addr=${address},force-raw=on`);
    }
    return await runQemu(args, until);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

for (const { flavour, kernel, asked, expected } of plans) {
  Deno.test({
    name: `the plan for Debian's ${flavour} ${kernel} through ${expected} boots on QEMU's CPU`,
    ignore: lacksQemu,
    fn: async () => {
      const store = await requireDebian(flavour);
      if (!store) return;
      const guest = await debian(flavour, { store });
      const plan = planBoot({
        kernel: guest[kernel],
        initrd: guest.initrd,
        memoryMap: pcMemoryMap({ ramBytes: 256 * 2 ** 20 }),
        commandLine: "console=ttyS0 panic=-1 xenarium.modules=none",
      }, asked);
      assertEquals(plan.protocol, expected);
      const output = await runPlan(plan, READY_MARKER);
      assertStringIncludes(output, READY_MARKER, output.slice(-2000));
    },
  });
}

Deno.test({
  name: "the plan for GNU Mach through Multiboot boots on QEMU's CPU up to the missing user land",
  ignore: lacksQemu,
  fn: async () => {
    const folder = await requirePackage("gnumach-image-1.8-486", "i386");
    if (!folder) return;
    const packed = await Deno.readFile(`${folder}/boot/gnumach-1.8-486.gz`);
    const plan = planBoot({
      kernel: await decompress(packed, "GNU Mach"),
      memoryMap: pcMemoryMap({ ramBytes: 256 * 2 ** 20 }),
      commandLine: "console=com0",
    });
    assertEquals(plan.protocol, "multiboot");
    const lastWords = "No bootstrap code loaded with the kernel!";
    assertStringIncludes(await runPlan(plan, lastWords), lastWords);
  },
});
