/** The images that a machine's options name, read: kernels, ROMs, disks. */

import type { ImageSource, MachineOptions } from "./machine_api.ts";
import { suggest } from "./suggestion.ts";

const CD_SECTOR_BYTES = 2048;
/** Debian's `seabios` package puts its images here. */
const SEABIOS_FOLDER = "/usr/share/seabios";

/** What a machine starts with, and what is in its drives. */
export interface MachineImages {
  /** What it boots: a kernel without firmware, or a ROM. */
  readonly boot:
    | {
      readonly kind: "kernel";
      readonly kernel: Uint8Array;
      readonly initrd: Uint8Array | null;
      readonly modules: readonly Uint8Array[];
    }
    | { readonly kind: "rom"; readonly bios: Uint8Array; readonly vgabios: Uint8Array };
  readonly disks: readonly Uint8Array[];
  readonly cdrom: Uint8Array | null;
}

/** Reads what the options name; rejects with an error that says which option is wrong and what would be right. */
export async function readImages(options: MachineOptions): Promise<MachineImages> {
  const { disks = [], cdrom } = options;
  return {
    disks: await Promise.all(disks.map(readDisk)),
    cdrom: cdrom === undefined ? null : await readCdrom(cdrom),
    boot: options.kernel === undefined ? await readRoms(options) : await readKernel(options),
  };
}

async function readKernel(options: MachineOptions): Promise<MachineImages["boot"]> {
  const { kernel, initrd = null } = await kernelImages(options);
  const modules = (options.modules ?? []).map(({ image }) => readSource("modules", image));
  return { kind: "kernel", kernel, initrd, modules: await Promise.all(modules) };
}

async function readRoms({ bios = "seabios" }: MachineOptions): Promise<MachineImages["boot"]> {
  const path = bios === "seabios" ? `${SEABIOS_FOLDER}/bios-256k.bin` : bios;
  return {
    kind: "rom",
    bios: await readSource("bios", path),
    vgabios: await readSource("bios", `${SEABIOS_FOLDER}/vgabios-stdvga.bin`),
  };
}

/** The kernel, and the initramfs that goes with it. */
async function kernelImages(
  options: MachineOptions,
): Promise<{ kernel: Uint8Array; initrd?: Uint8Array }> {
  const given = options.initrd === undefined
    ? undefined
    : await readSource("initrd", options.initrd);
  if (typeof options.kernel === "string") {
    const { debian, debianFlavourOf } = await import("./images/mod.ts");
    const flavour = debianFlavourOf(options.kernel);
    if (flavour !== null) {
      const guest = await debian(flavour);
      return { kernel: guest.vmlinux, initrd: given ?? guest.initrd };
    }
  }
  return { kernel: await readSource("kernel", options.kernel!), initrd: given };
}

async function readDisk(source: ImageSource): Promise<Uint8Array> {
  const bytes = await readSource("disk", source);
  if (bytes.length === 0) throw new RangeError(`option disk: ${nameOf(source)} is empty`);
  return bytes;
}

async function readCdrom(source: ImageSource): Promise<Uint8Array> {
  const bytes = await readSource("cdrom", source);
  if (bytes.length === 0 || bytes.length % CD_SECTOR_BYTES !== 0) {
    throw new RangeError(
      `option cdrom: ${nameOf(source)} has ${bytes.length} bytes, expected a multiple of ` +
        `${CD_SECTOR_BYTES} as a CD image has`,
    );
  }
  return bytes;
}

function nameOf(source: ImageSource): string {
  return typeof source === "string" ? source : "the image";
}

/** The bytes of an option: as they are, or read from a file. */
async function readSource(option: string, source: ImageSource): Promise<Uint8Array> {
  if (typeof source !== "string") return source;
  try {
    return await Deno.readFile(source);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(
        `option ${option}: there is no file ${source}${await hintFor(option, source)}`,
      );
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw new Error(`option ${option}: ${source} is a folder, expected a file`);
    }
    throw new Error(`option ${option}: cannot read ${source}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What may help who named a file that is not there; begins with punctuation. */
async function hintFor(option: string, source: string): Promise<string> {
  if (source.startsWith(SEABIOS_FOLDER)) return "; Debian's package seabios has it";
  if (option !== "kernel" || source.includes("/")) return "";
  const { debianFlavours, debianImageName } = await import("./images/mod.ts");
  const names = Object.keys(debianFlavours).map((flavour) =>
    debianImageName(flavour as keyof typeof debianFlavours)
  );
  return `, and no image of that name; ${suggest(source, ["debian", ...names])}`;
}
