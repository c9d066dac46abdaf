/**
 * Images: kernels from Debian's packages in a cache, taken apart so that a guest boots fast, and the
 * initramfs that goes with them. Nothing here runs a machine.
 *
 * ```ts ignore
 * await addDebian("amd64", { report: console.log });
 * const { vmlinux, initrd } = await debian("amd64", { modules: ["e1000"] });
 * ```
 */

export { Apt, type DebianArchitecture, type Package, type Report } from "./apt.ts";
export { imageCatalogue } from "./catalogue.ts";
export { type CommandResult, type CommandRunner, hostRunner } from "./command_runner.ts";
export {
  addDebian,
  debian,
  type DebianFlavour,
  debianFlavourOf,
  debianFlavours,
  type DebianGuest,
  type DebianGuestOptions,
  debianImageName,
  type DebianOptions,
  defaultModules,
  domainModules,
} from "./debian.ts";
export { compressionFormats, compressionOf, decompress } from "./decompress.ts";
export { ImageError } from "./image_error.ts";
export {
  defaultCacheDirectory,
  type ImageFile,
  type ImageRecord,
  type ImageSource,
  ImageStore,
} from "./image_store.ts";
export { buildInitramfs, type InitramfsInput, READY_MARKER, SHELL_PROMPT } from "./initramfs.ts";
export { type KernelModule, KernelModules } from "./kernel_modules.ts";
export { extractVmlinux } from "./vmlinux.ts";
