/** The disruptive ones for disks: `dd` that never ends, and a storm of small files in large directories (SOSP'03, 4.4). */

import { call, type Program } from "../kernel/action.ts";

/** Bytes that `dd` writes at a time, and after how many it begins anew. */
const DD_BYTES = 65_536;
const DD_FILE_BYTES = 1 << 30;

/** A file is written from beginning to end, again and again, as fast as the disk takes it. */
export const diskHog: Program = {
  name: "dd",
  steps: {
    begin: ({ locals }) => {
      locals.written = 0;
      return call("open", { path: "hog", create: true }, "opened");
    },
    opened: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: DD_BYTES }, "written");
    },
    written: ({ locals, value }) => {
      const written = locals.written = (locals.written as number) + Math.max(0, value);
      if (written < DD_FILE_BYTES && value > 0) {
        return call("write", { fd: locals.fd, bytes: DD_BYTES }, "written");
      }
      locals.written = 0;
      return call("lseek", { fd: locals.fd, position: 0 }, "rewound");
    },
    rewound: ({ locals }) => call("write", { fd: locals.fd, bytes: DD_BYTES }, "written"),
  },
};

/** Files of a storm's directory, and bytes of each. */
const STORM_FILES = 20_000;
const STORM_BYTES = 1024;

const stormPath = (number: unknown) => `storm/${number}`;

/** Small files are made in one directory until it is large, then in the next pass over their old names. */
export const smallFileStorm: Program = {
  name: "small files",
  steps: {
    begin: ({ locals }) => {
      locals.number = 0;
      return call("mkdir", { path: "storm" }, "next");
    },
    next: ({ locals }) => {
      const number = locals.number = ((locals.number as number) + 1) % STORM_FILES;
      return call("unlink", { path: stormPath(number) }, "make");
    },
    make: ({ locals }) =>
      call("open", { path: stormPath(locals.number), create: true, truncate: true }, "made"),
    made: ({ locals, value }) => {
      locals.fd = value;
      return value < 0
        ? { does: "compute", cycles: 1000, then: "next" }
        : call("write", { fd: value, bytes: STORM_BYTES }, "close");
    },
    close: ({ locals }) => call("close", { fd: locals.fd }, "next"),
  },
};
