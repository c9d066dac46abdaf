/** lmbench's latencies of mappings: `lat_mmap` and `lat_pagefault`. */

import { call, type Program, type Step } from "../../kernel/action.ts";
import { timed } from "./timed.ts";

const PAGE_BYTES = 4096;
/** The file that both map: 8 MB. */
const FILE_PAGES = 2048;
const MAPPED_FILE = "mapped";
/** `lat_mmap` uses one page in 16 KB, of the first tenth of the file. */
const MMAP_STRIDE = 4 * PAGE_BYTES;
const MMAP_TOUCHES = 51;
/** `lat_pagefault` goes backwards by 256 KB. */
const FAULT_STRIDE = 256 * 1024;
const FAULT_TOUCHES = FILE_PAGES * PAGE_BYTES / FAULT_STRIDE;

/** `touches` pages of the mapping at `locals.address`, from `first`, `stride` apart; then `then`. */
function touches(first: number, stride: number, count: number, then: string): Step {
  return ({ locals }) => {
    const touched = locals.touched as number;
    locals.touched = touched + 1;
    return {
      does: "touch",
      address: locals.address as number + first + touched * stride,
      bytes: 4,
      write: false,
      then: touched + 1 < count ? "touch" : then,
    };
  };
}

/** Mapping a file, using some of it, unmapping it. */
export const mapLatency: Program = timed({
  name: "lat_mmap",
  iterations: 10,
  iteration: "map",
  steps: {
    map: () => call("mmap", { pages: FILE_PAGES, file: MAPPED_FILE, shared: true }, "mapped"),
    mapped: (context) => {
      context.locals.address = context.value;
      context.locals.touched = 0;
      return TOUCH_MAP(context);
    },
    touch: (context) => TOUCH_MAP(context),
    unmap: ({ locals }) => call("munmap", { address: locals.address }, "again"),
  },
});

const TOUCH_MAP = touches(0, MMAP_STRIDE, MMAP_TOUCHES, "unmap");

/** A page of a mapped file that is in memory: the cycles of one fault. */
export const pageFault: Program = {
  name: "lat_pagefault",
  steps: {
    begin: () => call("mmap", { pages: FILE_PAGES, file: MAPPED_FILE, shared: true }, "warm"),
    warm: (context) => {
      const { locals, value } = context;
      locals.address = value;
      locals.touched = 0;
      return WARM(context);
    },
    touch: (context) => context.locals.begun === undefined ? WARM(context) : TOUCH_FILE(context),
    unmap: ({ locals }) => call("munmap", { address: locals.address }, "unmapped"),
    unmapped: () => call("mmap", { pages: FILE_PAGES, file: MAPPED_FILE, shared: true }, "mapped"),
    mapped: (context) => {
      const { locals, value, now } = context;
      locals.address = value;
      locals.touched = 0;
      locals.begun = now;
      return TOUCH_FILE(context);
    },
    done: ({ locals, now }) => {
      const cycles = (now - (locals.begun as number)) / FAULT_TOUCHES;
      return call("report", { name: "cycles", value: cycles }, "end");
    },
    end: () => ({ does: "exit", status: 0 }),
  },
};

const LAST = (FAULT_TOUCHES - 1) * FAULT_STRIDE;
const WARM = touches(LAST, -FAULT_STRIDE, FAULT_TOUCHES, "unmap");
const TOUCH_FILE = touches(LAST, -FAULT_STRIDE, FAULT_TOUCHES, "done");
