/**
 * lmbench's `lat_fs`: files of one size are created in an empty directory, then deleted; each has its time taken.
 *
 * A file of 10 KiB is written by one call, as lmbench does up to the size of its buffer.
 */

import { call, exit, type Program } from "../kernel/action.ts";

/** What `file_latency` reports, in cycles for each file. */
export const FILE_LATENCY = { create: "create cycles", delete: "delete cycles" } as const;

const path = (number: unknown) => `lat_fs/${String(number).padStart(4, "0")}`;

/** Locals: `files`, how many, and `bytes`, of which size. */
export const fileLatency: Program = {
  name: "lat_fs",
  steps: {
    begin: () => call("mkdir", { path: "lat_fs" }, "start"),
    start: ({ locals, now }) => {
      locals.number = 0;
      locals.begun = now;
      return call("open", { path: path(0), create: true, truncate: true }, "created");
    },
    created: ({ locals, value }) => {
      locals.fd = value;
      return locals.bytes === 0
        ? call("close", { fd: value }, "next")
        : call("write", { fd: value, bytes: locals.bytes }, "written");
    },
    written: ({ locals }) => call("close", { fd: locals.fd }, "next"),
    next: ({ locals, now }) => {
      const number = locals.number = (locals.number as number) + 1;
      if (number < (locals.files as number)) {
        return call("open", { path: path(number), create: true, truncate: true }, "created");
      }
      const cycles = (now - (locals.begun as number)) / number;
      return call("report", { name: FILE_LATENCY.create, value: cycles }, "turn");
    },
    turn: ({ locals, now }) => {
      locals.begun = now;
      locals.number = 0;
      return call("unlink", { path: path(0) }, "deleted");
    },
    deleted: ({ locals, now }) => {
      const number = locals.number = (locals.number as number) + 1;
      if (number < (locals.files as number)) {
        return call("unlink", { path: path(number) }, "deleted");
      }
      const cycles = (now - (locals.begun as number)) / number;
      return call("report", { name: FILE_LATENCY.delete, value: cycles }, "end");
    },
    end: () => exit(),
  },
};
