/** Address spaces as plain data: areas, and for each page of an area its frame and whether it may be written. */

import { bytesOf, type Frame } from "./frames.ts";
import type { SnapshotValue } from "../../../core/lib/snapshot.ts";

/** Bytes of a page. */
export const PAGE_BYTES = 4096;
/** Pages under one page table. */
const TABLE_PAGES = 1024;

/** What an area shows: zeroes that are its own, a file's pages, or a file's pages until they are written. */
export type AreaKind = "anonymous" | "shared" | "private";

/** A stretch of one kind (`vm_area_struct`). */
export interface Area {
  /** First page, by number. */
  readonly start: number;
  readonly pages: number;
  readonly kind: AreaKind;
  /** The file whose pages it shows, or empty. */
  readonly file: string;
  /** The page of the file with which it begins. */
  readonly offset: number;
  writable: boolean;
  /** By page: the frame, or where in the swap area it is (`SWAPPED` and more), or 0. */
  readonly frames: Uint32Array;
  /** By page: 1 if the page table allows writes. */
  readonly writes: Uint8Array;
  /** By page: 1 if it was used since somebody looked. */
  readonly used: Uint8Array;
  resident: number;
  /** When it was last used, in switches of address spaces of its CPU. */
  usedAt: number;
}

/** The memory of a process. */
export interface AddressSpace {
  areas: Area[];
  /** Page tables that there are, by the part of the address space that they cover. */
  tables: number[];
  /** Frames for what the kernel keeps for the process: stack, descriptors. */
  own: Frame[];
}

/** An area of nothing yet. */
export function newArea(
  { start, pages, kind, file = "", offset = 0, writable }:
    & Pick<Area, "start" | "pages" | "kind" | "writable">
    & Partial<Pick<Area, "file" | "offset">>,
): Area {
  const frames = new Uint32Array(pages);
  const [writes, used] = [new Uint8Array(pages), new Uint8Array(pages)];
  const about = { start, pages, kind, file, offset, writable };
  return { ...about, frames, writes, used, resident: 0, usedAt: -1 };
}

/** The area that a page lies in, or null. */
export function areaOf({ areas }: AddressSpace, page: number): Area | null {
  for (const area of areas) {
    if (page >= area.start && page < area.start + area.pages) return area;
  }
  return null;
}

/** Makes the page table above `page`; whether it was not there. */
export function makeTable(space: AddressSpace, page: number): boolean {
  const table = Math.floor(page / TABLE_PAGES);
  if (space.tables.includes(table)) return false;
  space.tables.push(table);
  return true;
}

/** Plain data for a snapshot. */
export function saveSpace({ areas, tables, own }: AddressSpace): SnapshotValue {
  return {
    tables: [...tables],
    own: [...own],
    areas: areas.map((area) => ({
      ...area,
      frames: bytesOf(area.frames).slice(),
      writes: area.writes.slice(),
      used: area.used.slice(),
    })),
  };
}

/** What {@link saveSpace} gave. */
export function restoreSpace(saved: SnapshotValue): AddressSpace {
  const { areas, tables, own } = saved as unknown as SavedSpace;
  return {
    tables: [...tables],
    own: [...own],
    areas: areas.map((area) => ({
      ...area,
      frames: new Uint32Array(area.frames.slice().buffer),
      writes: area.writes.slice(),
      used: area.used.slice(),
    })),
  };
}

interface SavedSpace {
  readonly areas: readonly (Omit<Area, "frames"> & { readonly frames: Uint8Array<ArrayBuffer> })[];
  readonly tables: readonly number[];
  readonly own: readonly Frame[];
}
