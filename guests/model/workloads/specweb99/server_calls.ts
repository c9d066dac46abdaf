/**
 * What the server asks of its kernel besides the network, for one request, in one call: it is counted, not carried out, since
 * nothing else depends on it. Documents are in memory.
 */

import type { KernelModule } from "../../kernel/module.ts";

/** Short calls of Apache 1.3 for a request: time, alarms and signals set and cleared, the document's stat, open and close, the log. */
const SHORT_CALLS = 12;
/** Cycles of the kernel's own instructions: a short call, a file mapped and unmapped, a fault on one of its pages. */
const WORK = { short: 200, map: 4800, fault: 620 };
const PAGE_BYTES = 4096;
/** Larger documents are mapped piece by piece, and no more than this at a time is touched. */
const MOST_PAGES = 256;

/** See the module comment. */
export const serverCalls: KernelModule = {
  name: "server calls",
  calls: {
    /** `{ bytes }`: of the document, which is mapped and read. */
    serve_document: ({ kernel }, { bytes }) => {
      const pages = Math.min(MOST_PAGES, Math.ceil(Number(bytes) / PAGE_BYTES));
      kernel.charge("systemCall", SHORT_CALLS - 1);
      kernel.work(WORK.short * SHORT_CALLS + WORK.map + WORK.fault * pages);
      kernel.charge("locked", 2 * SHORT_CALLS + 2 * pages);
      kernel.charge("fault", pages);
      kernel.charge("entryWrites", pages);
      kernel.charge("droppedEntries", pages);
      return 0;
    },
  },
};
