/** The disruptive one for memory: allocates much, touches all of it, frees it and begins again (SOSP'03, 4.4). */

import { call, compute, type Program } from "../kernel/action.ts";

const PAGE_BYTES = 4096;
/** Pages touched at a time. */
const PART_PAGES = 256;
/** Cycles before it tries again when there is no memory. */
const RETRY_CYCLES = 1_000_000;

/** Locals: `pages`, how many it wants. */
export const memoryToucher: Program = {
  name: "memory toucher",
  image: { textPages: 2, dataPages: 2, heapPages: 4 },
  steps: {
    begin: ({ locals }) => call("mmap", { pages: locals.pages }, "mapped"),
    mapped: ({ locals, value }) => {
      if (value < 0) return compute(RETRY_CYCLES, "begin");
      Object.assign(locals, { address: value, touched: 0 });
      return compute(1, "touch");
    },
    touch: ({ locals }) => {
      const touched = locals.touched as number;
      if (touched >= (locals.pages as number)) {
        return call("munmap", { address: locals.address }, "begin");
      }
      const pages = Math.min(PART_PAGES, (locals.pages as number) - touched);
      locals.touched = touched + pages;
      return {
        does: "touch",
        address: (locals.address as number) + touched * PAGE_BYTES,
        bytes: pages * PAGE_BYTES,
        write: true,
        then: "touch",
      };
    },
  },
};

/** Starts a toucher, and another one whenever it was killed for want of memory. Locals: `pages`. */
export const memoryTouchers: Program = {
  name: "memory touchers",
  image: { textPages: 2, dataPages: 2, heapPages: 4 },
  steps: {
    begin: () => call("fork", { child: "toucher" }, "forked"),
    toucher: ({ locals }) =>
      call("execve", { program: memoryToucher.name, locals: { pages: locals.pages } }, "toucher"),
    forked: () => call("wait4", {}, "begin"),
  },
};
