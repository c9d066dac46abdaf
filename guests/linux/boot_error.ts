/** The one error of everything that is put into a machine: kernels, modules, initramfs, ROM images. */

/**
 * A file that cannot be booted. The message names the thing, what was found, and what would be right.
 */
export class BootError extends Error {
  override name = "BootError";
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** `sizeBytes` in words for a message: `512 bytes`, `12 KiB`, `1.5 MiB`. */
export function sizeText(sizeBytes: number): string {
  if (sizeBytes < KIB) return `${sizeBytes} bytes`;
  const [unit, name] = sizeBytes < MIB ? [KIB, "KiB"] : [MIB, "MiB"];
  return `${Math.round((sizeBytes * 10) / unit) / 10} ${name}`;
}

/** `value` in hexadecimal for a message: `0x1000000`. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
