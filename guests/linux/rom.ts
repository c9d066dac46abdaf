/**
 * ROM images: a system BIOS ending at 4 GiB, where the reset vector is, with its last 128 KiB also below
 * 1 MiB; option ROMs below it. Sources: Intel SDM, "First Instruction Executed"; PCI Firmware
 * Specification, "PCI Expansion ROMs" (signature and length byte).
 */

import { physical } from "../../core/lib/brand.ts";
import { BootError, hex, sizeText } from "./boot_error.ts";
import type { LoadPlan, LoadSegment } from "./load_plan.ts";

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
const LOW_ALIAS_LIMIT = 0x2_0000;
const PARAGRAPHS = 0x1_0000;
const ROM_LIMIT = 16 * ONE_MIB;
const OPTION_ROM_FIRST = 0xc_0000;
const OPTION_ROM_UNIT = 512;

/** An option ROM with its fixed place, for example a video BIOS at 0xc0000. */
export interface OptionRom {
  /** Guest-physical address, from 0xc0000, a multiple of 2048. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The places of a system ROM and option ROMs, and the CPU's state after RESET. */
export function planRom(image: Uint8Array, optionRoms: readonly OptionRom[] = []): LoadPlan {
  if (image.length === 0 || image.length % PARAGRAPHS !== 0 || image.length > ROM_LIMIT) {
    throw new BootError(
      `ROM image has ${image.length} bytes, expected a multiple of 64 KiB up to ${
        sizeText(ROM_LIMIT)
      }`,
    );
  }
  const low = image.subarray(image.length - Math.min(image.length, LOW_ALIAS_LIMIT));
  return {
    protocol: "rom",
    segments: [
      romSegment("ROM", FOUR_GIB - image.length, image),
      romSegment("ROM below 1 MiB", ONE_MIB - low.length, low),
      ...optionRoms.map((rom) => optionRomSegment(rom, ONE_MIB - low.length)),
    ],
    entry: {
      kind: "real16",
      code: { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, accessRights: 0x009b },
      instructionPointer: 0xfff0,
    },
  };
}

function romSegment(name: string, address: number, bytes: Uint8Array): LoadSegment {
  return { name, address: physical(address), bytes, sizeBytes: bytes.length, memory: "rom" };
}

function optionRomSegment({ address, bytes }: OptionRom, end: number): LoadSegment {
  if (bytes[0] !== 0x55 || bytes[1] !== 0xaa || bytes.length < bytes[2] * OPTION_ROM_UNIT) {
    throw new BootError(
      `option ROM at ${hex(address)} is not one or is truncated, expected 55 aa and ` +
        "as many units of 512 bytes as its third byte says",
    );
  }
  if (address < OPTION_ROM_FIRST || address % 2048 !== 0 || address + bytes.length > end) {
    throw new BootError(
      `option ROM of ${sizeText(bytes.length)} at ${hex(address)} is out of place, expected a ` +
        `multiple of 2048 in ${hex(OPTION_ROM_FIRST)}-${hex(end)}`,
    );
  }
  return romSegment(`option ROM at ${hex(address)}`, address, bytes);
}
