/**
 * Kernels of our own, small enough to read in one sitting: what a fresh testbed boots, and what its demos
 * and tests look into. They need no file and no download.
 *
 * ```ts ignore
 * const machine = await createMachine({ kernel: tinyGuests[0].image() });
 * const domain = await host.create({ name: "a", kernel: tinyDomain(), memory: "4MiB", vif: [{}] });
 * ```
 */

export { tinyGuests } from "./guests.ts";
export { wildStore } from "./wild_store.ts";
export type { TinyGuest } from "./tiny_guest.ts";
export { tinyDomain } from "./domain/tiny_domain.ts";
export { type ElfContents, writeElf, type XenNote } from "./elf_writer.ts";
