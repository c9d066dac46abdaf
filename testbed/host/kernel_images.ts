/** The kernel and the initramfs that a domain's configuration names. */

import type { DataModel } from "../../core/abi/struct_layout.ts";
import { pvNotes } from "../../guests/linux/mod.ts";
import { tinyDomain } from "../../guests/tiny/mod.ts";

/** The name of our own small kernel. */
const TINY = "tiny";

/** What a domain runs. */
export interface KernelImages {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  /** How wide the kernel's words are. */
  readonly model: DataModel;
}

/**
 * Finds them: `kernel` is `tiny`, the name of an image, a file's path, or the kernel itself. Throws `BootError` for what
 * is no paravirtual kernel.
 */
export async function kernelImages(
  { kernel, ramdisk }: { readonly kernel: string | Uint8Array; readonly ramdisk?: Uint8Array },
): Promise<KernelImages> {
  const found = typeof kernel === "string" ? await imageNamed(kernel) : { kernel };
  const { model } = pvNotes(found.kernel);
  return { kernel: found.kernel, initrd: ramdisk ?? found.initrd, model };
}

async function imageNamed(
  name: string,
): Promise<{ readonly kernel: Uint8Array; readonly initrd?: Uint8Array }> {
  if (name === TINY) return { kernel: tinyDomain() };
  const { debian, debianFlavourOf, domainModules } = await import("../images/mod.ts");
  const flavour = debianFlavourOf(name);
  if (flavour === null) return { kernel: await Deno.readFile(name) };
  const { vmlinux, initrd } = await debian(flavour, { modules: domainModules });
  return { kernel: vmlinux, initrd };
}
