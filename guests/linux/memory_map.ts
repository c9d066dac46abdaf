/**
 * The memory map that firmware tells a kernel, and the search for free places in it while a boot is
 * planned. Sources: ACPI specification, "System Address Map Interfaces" (types); Linux
 * Documentation/arch/x86/boot.rst, "Memory layout".
 */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import { BootError, hex, sizeText } from "./boot_error.ts";

/** The types of address ranges by their number in E820, Multiboot and PVH maps alike. */
export const memoryTypes = {
  usable: 1,
  reserved: 2,
  acpi: 3,
  nvs: 4,
  unusable: 5,
} as const;

/** What a range of the memory map is. */
export type MemoryType = keyof typeof memoryTypes;

/** One range of guest-physical memory. */
export interface MemoryRange {
  readonly address: PhysicalAddress;
  readonly sizeBytes: number;
  readonly type: MemoryType;
}

/** What {@link pcMemoryMap} needs to know of a machine. */
export interface PcMemory {
  /** RAM in bytes, a multiple of 4096. */
  readonly ramBytes: number;
  /** Where RAM below 4 GiB ends and the PCI hole begins, in bytes; default 3 GiB. */
  readonly lowMemoryEnd?: number;
  /** Ranges that the firmware keeps, for example ACPI tables; they cover usable memory. */
  readonly reserved?: readonly MemoryRange[];
}

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
const EBDA = 0x9_fc00;
const BIOS_ROM = 0xf_0000;

/**
 * The memory map of a PC: conventional memory up to the EBDA, the BIOS area, memory from 1 MiB to the
 * PCI hole, and what is left above 4 GiB. Sorted, without overlap.
 */
export function pcMemoryMap(memory: PcMemory): MemoryRange[] {
  const lowMemoryEnd = memory.lowMemoryEnd ?? 0xc000_0000;
  const lowBytes = Math.min(memory.ramBytes, lowMemoryEnd);
  if (lowBytes < 2 * ONE_MIB) {
    throw new BootError(
      `memory of ${sizeText(memory.ramBytes)} is too small, expected 2 MiB or more`,
    );
  }
  const map: MemoryRange[] = [
    range(0, EBDA, "usable"),
    range(EBDA, 0xa_0000, "reserved"),
    range(BIOS_ROM, ONE_MIB, "reserved"),
    range(ONE_MIB, lowBytes, "usable"),
  ];
  if (memory.ramBytes > lowBytes) {
    map.push(range(FOUR_GIB, FOUR_GIB + memory.ramBytes - lowBytes, "usable"));
  }
  return (memory.reserved ?? []).reduce(overlay, map);
}

/** `map` with `kept` cut out of whatever was there and put in its place. */
function overlay(map: readonly MemoryRange[], kept: MemoryRange): MemoryRange[] {
  const keptEnd = kept.address + kept.sizeBytes;
  const result = map.flatMap((old) => {
    const end = old.address + old.sizeBytes;
    if (end <= kept.address || old.address >= keptEnd) return [old];
    const parts: MemoryRange[] = [];
    if (old.address < kept.address) parts.push(range(old.address, kept.address, old.type));
    if (end > keptEnd) parts.push(range(keptEnd, end, old.type));
    return parts;
  });
  return [...result, kept].sort((a, b) => a.address - b.address);
}

function range(start: number, end: number, type: MemoryType): MemoryRange {
  return { address: physical(start), sizeBytes: end - start, type };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Claim extends Span {
  readonly name: string;
}

/** Where to look for a free place. */
export interface PlaceRequest {
  readonly name: string;
  readonly sizeBytes: number;
  /** Alignment in bytes, a power of two; default 4096. */
  readonly alignBytes?: number;
  /** First address that may be used; default 4096 (frame 0 holds the BIOS data area). */
  readonly from?: number;
  /** End (exclusive) of what may be used; default 4 GiB. */
  readonly below?: number;
  /** Which end of the free memory to take; default the lowest place. */
  readonly prefer?: "lowest" | "highest";
  /** What to do about a failure, closing the message. */
  readonly advice?: string;
}

/** The usable memory of a machine during planning, and who has claimed which part of it. */
export class FreeMemory {
  readonly #usable: readonly Span[];
  readonly #claims: Claim[] = [];

  constructor(map: readonly MemoryRange[]) {
    this.#usable = mergeUsable(map);
  }

  /** Usable bytes in all, claimed or not. */
  get usableBytes(): number {
    return this.#usable.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The end of the usable range that holds `address`, or `null` if it is not in RAM. */
  usableEnd(address: number): number | null {
    return this.#usable.find(({ start, end }) => start <= address && address < end)?.end ?? null;
  }

  /** Claims a fixed place; throws {@link BootError} if it is not RAM or already claimed. */
  claim(name: string, address: number, sizeBytes: number): PhysicalAddress {
    const end = address + sizeBytes;
    const usable = this.#usable.some((span) => span.start <= address && end <= span.end);
    if (!usable) {
      throw new BootError(
        `${name} goes to ${hex(address)}-${hex(end)}, which is not RAM in this machine ` +
          `(usable: ${this.#describe()}); give the machine more memory`,
      );
    }
    const other = this.#claims.find((claim) => claim.start < end && address < claim.end);
    if (other) {
      throw new BootError(
        `${name} at ${hex(address)}-${hex(end)} overlaps ${other.name} at ` +
          `${hex(other.start)}-${hex(other.end)}`,
      );
    }
    this.#claims.push({ name, start: address, end });
    return physical(address);
  }

  /** Finds a free place and claims it; throws {@link BootError} if there is none. */
  place(request: PlaceRequest): PhysicalAddress {
    const align = request.alignBytes ?? 4096;
    const from = request.from ?? 4096;
    const below = request.below ?? FOUR_GIB;
    let best: number | null = null;
    let largest = 0;
    for (const gap of this.#gaps(from, below)) {
      const lowest = Math.ceil(gap.start / align) * align;
      largest = Math.max(largest, gap.end - lowest);
      if (lowest + request.sizeBytes > gap.end) continue;
      if (request.prefer === "highest") {
        best = Math.floor((gap.end - request.sizeBytes) / align) * align;
      } else if (best === null) best = lowest;
    }
    if (best !== null) return this.claim(request.name, best, request.sizeBytes);
    throw new BootError(
      `${request.name} of ${
        sizeText(request.sizeBytes)
      } does not fit in memory: the largest free ` +
        `part of ${hex(from)}-${hex(below)} is ${sizeText(Math.max(largest, 0))}; ` +
        (request.advice ?? "give the machine more memory"),
    );
  }

  /** The free parts of `from` to `below`, in ascending order. */
  #gaps(from: number, below: number): Span[] {
    const claims = [...this.#claims].sort((a, b) => a.start - b.start);
    const gaps: Span[] = [];
    for (const span of this.#usable) {
      let start = Math.max(span.start, from);
      const end = Math.min(span.end, below);
      for (const claim of claims) {
        if (claim.end <= start || claim.start >= end) continue;
        if (claim.start > start) gaps.push({ start, end: claim.start });
        start = claim.end;
      }
      if (start < end) gaps.push({ start, end });
    }
    return gaps;
  }

  #describe(): string {
    return this.#usable.map(({ start, end }) => `${hex(start)}-${hex(end)}`).join(", ") || "none";
  }
}

/** The usable ranges of `map`, sorted, neighbours joined. */
function mergeUsable(map: readonly MemoryRange[]): Span[] {
  const spans: { start: number; end: number }[] = [];
  const usable = map.filter(({ type }) => type === "usable");
  for (const { address, sizeBytes } of usable.sort((a, b) => a.address - b.address)) {
    const last = spans.at(-1);
    if (last && last.end >= address) last.end = Math.max(last.end, address + sizeBytes);
    else spans.push({ start: address, end: address + sizeBytes });
  }
  return spans;
}
