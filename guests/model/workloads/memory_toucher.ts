/**
 * The disruptive one for memory (SOSP'03, 4.4): a program that allocates and uses a great deal, piece by piece; when it gets no
 * more, or has all that it wants, it gives everything back and begins anew.
 */

import { call, type Program } from "../kernel/action.ts";

const PAGE_BYTES = 4096;
/** 4 MiB. */
const PIECE_PAGES = 1024;

/** Locals: `pages`, how many it wants. `rounds` counts how often it began anew. */
export const memoryToucher: Program = {
  name: "memory toucher",
  image: { textPages: 2, dataPages: 2, heapPages: 4 },
  steps: {
    begin: ({ locals }) => {
      locals.rounds = (locals.rounds as number ?? -1) + 1;
      locals.pieces = [];
      return call("mmap", { pages: PIECE_PAGES }, "mapped");
    },
    mapped: ({ locals, value }) => {
      const pieces = locals.pieces as number[];
      const wanted = (locals.pages as number) / PIECE_PAGES;
      if (value < 0 || pieces.length >= wanted) return call("getpid", {}, "free");
      pieces.push(value);
      return {
        does: "touch",
        address: value,
        bytes: PIECE_PAGES * PAGE_BYTES,
        write: true,
        then: "touched",
      };
    },
    touched: () => call("mmap", { pages: PIECE_PAGES }, "mapped"),
    free: ({ locals }) => {
      const piece = (locals.pieces as number[]).pop();
      return piece === undefined
        ? call("nanosleep", { cycles: 1 }, "begin")
        : call("munmap", { address: piece }, "free");
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
