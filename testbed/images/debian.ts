/**
 * Debian's kernels as images: which packages they come from, how they are added to the cache, and what a
 * machine gets when a script says `debian("amd64")`.
 */

import type { CpioEntry } from "../../guests/linux/mod.ts";
import { Apt, type DebianArchitecture, type Report } from "./apt.ts";
import { type CommandRunner, hostRunner, runOrThrow } from "./command_runner.ts";
import { ImageError } from "./image_error.ts";
import {
  describeFile,
  type ImageRecord,
  type ImageSource,
  ImageStore,
  sha256,
} from "./image_store.ts";
import { buildInitramfs } from "./initramfs.ts";
import { KernelModules } from "./kernel_modules.ts";
import { extractVmlinux } from "./vmlinux.ts";

/** Debian's kernel flavours that can be booted here, with the metapackage of the current version. */
export const debianFlavours = {
  "amd64": { metapackage: "linux-image-amd64", architecture: "amd64" },
  "cloud-amd64": { metapackage: "linux-image-cloud-amd64", architecture: "amd64" },
  "686": { metapackage: "linux-image-686", architecture: "i386" },
  "686-pae": { metapackage: "linux-image-686-pae", architecture: "i386" },
} as const satisfies Record<string, { metapackage: string; architecture: DebianArchitecture }>;

/** A flavour of Debian's kernel. */
export type DebianFlavour = keyof typeof debianFlavours;

/** Modules for the default board: its NIC, its disks and CD-ROM, and a file system for them. */
export const defaultModules: readonly string[] = ["e1000", "ata_piix", "sd_mod", "sr_mod", "ext4"];

/** Modules for a paravirtual domain: its front ends, and a file system for its disks. */
export const domainModules: readonly string[] = ["xen-netfront", "xen-blkfront", "ext4"];

/** The image name of a flavour; `debian` alone is `debian-amd64`. */
export function debianImageName(flavour: DebianFlavour): string {
  return `debian-${flavour}`;
}

/** The flavour that an image name means (`debian`, `debian-686-pae`), or `null` if it is no Debian. */
export function debianFlavourOf(imageName: string): DebianFlavour | null {
  if (imageName === "debian") return "amd64";
  const flavour = imageName.replace(/^debian-/, "");
  return imageName !== flavour && Object.hasOwn(debianFlavours, flavour)
    ? flavour as DebianFlavour
    : null;
}

/** Where images are and how they are fetched. */
export interface DebianOptions {
  readonly store?: ImageStore;
  readonly runner?: CommandRunner;
  readonly report?: Report;
}

/**
 * Fetches the current kernel of `flavour` and its busybox with apt, unpacks them and takes vmlinux out.
 * Nothing is installed and no setting of the system changes. Throws {@link ImageError}.
 */
export async function addDebian(
  flavour: DebianFlavour,
  options: DebianOptions = {},
): Promise<ImageRecord> {
  const { store = new ImageStore(), runner = hostRunner, report = () => {} } = options;
  const { metapackage, architecture } = debianFlavours[flavour];
  const apt = new Apt(runner, `${store.directory}/apt-${architecture}`, report);
  return await store.put(debianImageName(flavour), async (folder) => {
    const unpacked = `${folder}/unpacked`;
    await Deno.mkdir(unpacked);
    const sources: ImageSource[] = [];
    for (const name of [metapackage, "busybox-static"]) {
      const fetched = await apt.fetch(name, architecture, folder);
      report(`unpacking ${fetched.package.name} ${fetched.package.version}`);
      await runOrThrow(runner, "dpkg-deb", ["-x", fetched.file, unpacked]);
      const { name: packageName, version, source } = fetched.package;
      sources.push({
        package: packageName,
        version,
        architecture,
        sourcePackage: source,
        sha256: sha256(await Deno.readFile(fetched.file)),
      });
      await Deno.remove(fetched.file);
    }
    return await arrange(folder, unpacked, sources, report);
  });
}

/** Moves what is needed out of the unpacked packages, and takes vmlinux out of the bzImage. */
async function arrange(
  folder: string,
  unpacked: string,
  sources: readonly ImageSource[],
  report: Report,
): Promise<Omit<ImageRecord, "name">> {
  const release = await findRelease(unpacked, sources[0].package);
  await Deno.rename(`${unpacked}/boot/vmlinuz-${release}`, `${folder}/vmlinuz`);
  await Deno.rename(
    await firstExisting(unpacked, ["bin/busybox", "usr/bin/busybox"]),
    `${folder}/busybox`,
  );
  const modules = await firstExisting(unpacked, [
    `lib/modules/${release}`,
    `usr/lib/modules/${release}`,
  ]);
  await Deno.rename(modules, `${folder}/modules`);
  await Deno.remove(unpacked, { recursive: true });
  report(`taking vmlinux out of the bzImage of ${release}`);
  const vmlinux = await extractVmlinux(await Deno.readFile(`${folder}/vmlinuz`), release);
  await Deno.writeFile(`${folder}/vmlinux`, vmlinux);
  return {
    release,
    sources,
    files: {
      bzImage: await describeFile(folder, "vmlinuz"),
      vmlinux: await describeFile(folder, "vmlinux"),
      busybox: await describeFile(folder, "busybox"),
    },
  };
}

/** The release of the kernel in /boot, which the package's name ends with. */
async function findRelease(unpacked: string, packageName: string): Promise<string> {
  const release = packageName.replace(/^linux-image-/, "").replace(/-unsigned$/, "");
  const kernel = `${unpacked}/boot/vmlinuz-${release}`;
  try {
    await Deno.stat(kernel);
    return release;
  } catch {
    throw new ImageError(`package ${packageName} has no boot/vmlinuz-${release}`);
  }
}

async function firstExisting(unpacked: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const found = await Deno.stat(`${unpacked}/${path}`).then(() => true, () => false);
    if (found) return `${unpacked}/${path}`;
  }
  throw new ImageError(`the packages have neither ${paths.join(" nor ")}`);
}

/** What goes into the initramfs of {@link debian}. */
export interface DebianGuestOptions extends DebianOptions {
  /** Modules put in and loaded; default {@link defaultModules}, as far as the kernel has them. */
  readonly modules?: readonly string[];
  /** Modules put in but not loaded. */
  readonly availableModules?: readonly string[];
  /** Further files of the initramfs. */
  readonly files?: readonly CpioEntry[];
}

/** A Debian kernel, ready to be put into a machine. */
export interface DebianGuest {
  readonly image: ImageRecord;
  readonly release: string;
  /** The path of the bzImage. */
  readonly kernelPath: string;
  readonly bzImage: Uint8Array;
  /** The ELF kernel, taken out of the bzImage. */
  readonly vmlinux: Uint8Array;
  readonly initrd: Uint8Array;
  /** All modules of the kernel. */
  readonly modules: KernelModules;
}

/**
 * The Debian kernel of `flavour` from the cache, with an initramfs that holds busybox and modules. Throws
 * {@link ImageError} if it was not added before, or has no module of a name that is asked for.
 */
export async function debian(
  flavour: DebianFlavour = "amd64",
  options: DebianGuestOptions = {},
): Promise<DebianGuest> {
  const store = options.store ?? new ImageStore();
  const name = debianImageName(flavour);
  const image = await store.find(name);
  if (!image) {
    throw new ImageError(
      `image ${name} is not in the cache ${store.directory}; ` +
        `fetch it with: xenarium images add ${name}`,
    );
  }
  const modules = await KernelModules.open(`${store.folder(name)}/modules`);
  const load = options.modules ?? defaultModules.filter((module) => modules.has(module));
  const initrd = buildInitramfs({
    busybox: await Deno.readFile(store.path(image, "busybox")),
    release: image.release,
    modules: await modules.loadOrder([...load, ...options.availableModules ?? []]),
    load: load.filter((module) => !modules.isBuiltIn(module)),
    extra: options.files,
  });
  return {
    image,
    release: image.release,
    kernelPath: store.path(image, "bzImage"),
    bzImage: await Deno.readFile(store.path(image, "bzImage")),
    vmlinux: await Deno.readFile(store.path(image, "vmlinux")),
    initrd,
    modules,
  };
}
