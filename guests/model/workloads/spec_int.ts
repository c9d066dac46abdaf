/**
 * SPEC CINT2000 (SOSP 2003, Figure 3): programs that compute in tens of megabytes, ask for new memory now and then, and make hardly
 * any system call. The score is inverse to the time; only user time and page faults matter.
 */

import { type Action, call, compute, exit, type Program } from "../kernel/action.ts";

const PAGE_BYTES = 4096;
/** Memory that a program asks for at a time, uses, and gives back: gcc, gzip, bzip2, mcf, vortex and others do. */
const PIECE_PAGES = 1024;
/** Pages that are used anew in a second, over all programs of the suite: supposed, with Figure 3's bars at hand. */
const FAULTS_PER_SECOND = 1600;
/** What the programs themselves take of a second; natively, page faults take the rest. */
const OWN_SHARE = 0.9933;
/** Parts of a piece between which it computes. */
const PART_PAGES = 32;

/** Locals: `seconds` of work and `frequencyHz`; reports `cycles`, what it took. */
export const specInt: Program = {
  name: "specint",
  image: { textPages: 200, dataPages: 60, heapPages: 60 },
  steps: {
    begin: ({ locals, now }) => {
      Object.assign(locals, { begun: now, faults: 0 });
      return call("mmap", { pages: PIECE_PAGES }, "mapped");
    },
    mapped: ({ locals, value }) => {
      Object.assign(locals, { address: value, used: 0 });
      return part(value, 0);
    },
    compute: ({ locals }) => {
      locals.used = locals.used as number + PART_PAGES;
      locals.faults = locals.faults as number + PART_PAGES;
      const seconds = OWN_SHARE * PART_PAGES / FAULTS_PER_SECOND;
      return compute(Math.round(seconds * (locals.frequencyHz as number)), "part");
    },
    part: ({ locals }) => {
      const used = locals.used as number;
      if (used < PIECE_PAGES) return part(locals.address as number, used);
      return call("munmap", { address: locals.address }, "again");
    },
    again: ({ locals, now }) => {
      const done = (locals.faults as number) / FAULTS_PER_SECOND;
      if (done < (locals.seconds as number)) {
        return call("mmap", { pages: PIECE_PAGES }, "mapped");
      }
      // The last piece may have been more than was asked for: the work that it was counts.
      const cycles = (now - (locals.begun as number)) * (locals.seconds as number) / done;
      return call("report", { name: "cycles", value: cycles }, "end");
    },
    end: () => exit(),
  },
};

function part(address: number, used: number): Action {
  return {
    does: "touch",
    address: address + used * PAGE_BYTES,
    bytes: PART_PAGES * PAGE_BYTES,
    write: true,
    then: "compute",
  };
}
