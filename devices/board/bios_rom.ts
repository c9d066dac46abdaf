/**
 * The system ROM and its shadow: the image ends at 4 GiB, its last 128 KiB also at 1 MiB, where the 440FX's PAM
 * registers choose between ROM and the RAM below it (82441FX data sheet, "Programmable Attribute Map").
 */

import { physical } from "../../core/lib/brand.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import { PAM_REGIONS, type PamRegion } from "../pci/mod.ts";

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
/** The PIIX3 decodes this much of the ROM below 1 MiB. */
const LOW_ALIAS_BYTES = 0x2_0000;
const BLOCK_BYTES = 0x1_0000;

/** What the board reads from C0000h to FFFFFh where PAM sends loads to the bus. */
export class BiosRom {
  /** Linear offset of the byte at address 0, as seen through the alias below 1 MiB; null without a ROM. */
  #aliasBase: number | null = null;
  #aliasFirst = ONE_MIB;

  /** Without a ROM nothing answers there until PAM opens the RAM. */
  constructor(private readonly memory: MachineMemory) {
    this.close();
  }

  /** Maps `image` and closes the shadow RAM; throws `RangeError` unless it is of whole 64 KiB blocks. */
  place(image: Uint8Array): void {
    if (image.length === 0 || image.length % BLOCK_BYTES !== 0) {
      throw new RangeError(
        `a system ROM has a multiple of ${BLOCK_BYTES} bytes, found ${image.length}`,
      );
    }
    const linear = this.memory.mapRom(physical(FOUR_GIB - image.length), image);
    this.#aliasFirst = ONE_MIB - Math.min(image.length, LOW_ALIAS_BYTES);
    this.#aliasBase = linear + image.length - ONE_MIB;
    this.close();
  }

  /** Sends all loads to the ROM and all stores nowhere, as PAM's reset values say. */
  close(): void {
    for (const region of PAM_REGIONS) this.setPam(region, false, false);
  }

  /** Applies a PAM register's field. */
  setPam({ base, sizeBytes }: PamRegion, read: boolean, write: boolean): void {
    const rom = this.#aliasBase !== null && base >= this.#aliasFirst ? this.#aliasBase + base : -1;
    this.memory.shadow(base, sizeBytes, rom, read, write);
  }
}
