/** Where the parts of a program lie in its address space: i386 Linux's habits. */

import type { ProgramImage } from "../kernel/action.ts";
import { type Area, newArea, PAGE_BYTES } from "./address_space.ts";

/** Pages for `mmap` without an address: `TASK_UNMAPPED_BASE` to the stack. */
export const MAPPINGS = { start: 0x40000, end: 0xbf000 } as const;

/** First addresses of a program's parts, in bytes. */
export const LAYOUT = {
  text: 0x0804_8000,
  data: 0x0900_0000,
  heap: 0x0a00_0000,
  stack: 0xbfff_0000,
} as const;

/** Areas that shared libraries bring: each of them is copied by `fork` and dropped at the end. */
const LEAST_IMAGE: ProgramImage = { textPages: 16, dataPages: 4, heapPages: 8 };
const STACK_PAGES = 8;

/** The areas of a program that has just been executed. */
export function imageAreas(program: string, image: ProgramImage = LEAST_IMAGE): Area[] {
  const at = (address: number) => address / PAGE_BYTES;
  const file = `image of ${program}`;
  const { textPages, dataPages, heapPages } = image;
  const areas: Area[] = [
    newArea({ start: at(LAYOUT.text), pages: textPages, kind: "private", file, writable: false }),
    newArea({
      start: at(LAYOUT.data),
      pages: dataPages,
      kind: "private",
      file,
      offset: textPages,
      writable: true,
    }),
    newArea({ start: at(LAYOUT.stack), pages: STACK_PAGES, kind: "anonymous", writable: true }),
  ];
  if (heapPages > 0) {
    const start = at(LAYOUT.heap);
    areas.push(newArea({ start, pages: heapPages, kind: "anonymous", writable: true }));
  }
  return areas;
}
