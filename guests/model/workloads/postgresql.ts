/**
 * A database server after PostgreSQL 7.1: a postmaster that forks one back end for each connection, shared buffers of 8 KiB
 * in shared memory, everything else through the kernel's page cache, and a log that is synced at each commit.
 *
 * It knows tables by their pages, not by their tuples: what a statement costs follows from the pages that it looks at, the
 * memory that it takes, and the calls that it makes. `osdb.ts` is its client.
 */

import {
  type Action,
  call,
  compute,
  type Locals,
  type Program,
  type StepContext,
} from "../kernel/action.ts";
import { drawBelow } from "./draw.ts";

/** A page of the server, in bytes (`BLCKSZ`). */
export const DATABASE_PAGE = 8192;
/** Where clients find the server. */
export const DATABASE_SOCKET = "/tmp/.s.PGSQL.5432";
/** The shared segment. */
const SEGMENT = "postgresql";
/** Shared buffers unless `postgresql.conf` says otherwise: 64 in 7.1. */
const SHARED_BUFFERS = 64;
/** Bytes of a segment of the log. */
const LOG_BYTES = 16 << 20;

/** Files and their sizes in pages: OSDB's data of 40 MB, `updates` with an index for each of five columns. */
export const DATABASE_FILES = {
  updates: 1250,
  index0: 250,
  index1: 250,
  index2: 250,
  index3: 250,
  index4: 250,
  log: LOG_BYTES / DATABASE_PAGE,
} as const;
type DatabaseFile = keyof typeof DATABASE_FILES;
const FILES = Object.keys(DATABASE_FILES) as readonly DatabaseFile[];
/** Pages that no file has more of: a page's key is its file's number times this, and its own. */
const FILE_PAGES = 1 << 20;
const INDEXES = ["index0", "index1", "index2", "index3", "index4"] as const;

/** Cycles of the server's own instructions, on a 2.4 GHz Pentium 4. */
const CYCLES = {
  /** `BEGIN`, `COMMIT` and the like: parsed and carried out. */
  simple: 42_000,
  /** A statement with tables: parsed, looked up in the catalogues, planned. */
  plan: 195_000,
  /** A page scanned: some eighty tuples decoded and compared. */
  scanPage: 199_000,
  /** A page of an index searched. */
  searchPage: 9000,
  /** A tuple or an entry of an index added to a page. */
  insert: 14_000,
} as const;
/** Cycles to find a page in its buffer. */
const LOOK_CYCLES = 300;
/** Pages of `updates` that a select without an index looks at. */
const SCAN_PAGES = 50;
/** Pages of memory that an execution takes and gives back. */
const EXECUTION_PAGES = 300;
/** What a back end uses of its own memory for each statement, in bytes. */
const WORKING_SET = 160 * 1024;
/** Bytes of log that an update makes. */
const LOG_RECORD = 1100;
const HEAP = 0x0a00_0000;
const REQUEST_BYTES = 180;
const REPLY_BYTES = 140;

/** What clients ask for. */
export type Statement = "simple" | "select" | "update" | "commit";

/** What back ends share. */
interface Shared {
  /** The key of the page in each buffer, least recently used first. */
  buffers: number[];
  dirty: { [key: number]: boolean };
  /** Bytes of log made, and those that are on the disk. */
  logEnd: number;
  logSynced: number;
}

const sharedOf = (segments: ReadonlyMap<string, Locals>) =>
  segments.get(SEGMENT) as unknown as Shared;

/** Waits for clients, and forks a back end for each. Locals: `random`. */
export const postmaster: Program = {
  name: "postmaster",
  image: { textPages: 380, dataPages: 30, heapPages: 120 },
  steps: {
    begin: () => {
      const contents = { buffers: [], dirty: {}, logEnd: 0, logSynced: 0 };
      return call("shmget", { name: SEGMENT, contents }, "listen");
    },
    listen: () => call("unix_listen", { path: DATABASE_SOCKET }, "await"),
    await: ({ locals, value }) => {
      locals.listener = value;
      return call("unix_accept", { fd: value }, "accepted");
    },
    accepted: ({ locals, value }) => {
      locals.client = value;
      locals.random = ((locals.random as number) * 69_621) % 2_147_483_647;
      return call("fork", { child: "backend" }, "forked");
    },
    forked: ({ locals }) => call("close", { fd: locals.client }, "again"),
    again: ({ locals }) => call("unix_accept", { fd: locals.listener }, "accepted"),
    backend: ({ locals }) => {
      Object.assign(locals, { files: [], opened: 0 });
      return call("close", { fd: locals.listener }, "open");
    },
    ...backEnd(),
  },
};

/** A back end: its files are opened once, then statements are served until the client goes. */
function backEnd(): Program["steps"] {
  return {
    open: ({ locals }) => {
      const name = FILES[locals.opened as number];
      return name === undefined
        ? compute(1000, "idle")
        : call("open", { path: `data/${name}` }, "opened");
    },
    opened: ({ locals, value }) => {
      (locals.files as number[]).push(value);
      locals.opened = (locals.opened as number) + 1;
      return compute(1000, "open");
    },
    idle: ({ locals }) => call("read", { fd: locals.client, bytes: 8192, message: true }, "serve"),
    serve: ({ locals, result }) => {
      if (result === 0) return { does: "exit", status: 0 };
      locals.statement = result;
      return { does: "touch", address: HEAP, bytes: WORKING_SET, write: true, then: "parsed" };
    },
    parsed: ({ locals }) => {
      switch (locals.statement as Statement) {
        case "simple":
          return compute(CYCLES.simple, "reply");
        case "commit":
          return compute(CYCLES.simple, "commit");
        case "select":
          return compute(CYCLES.plan, "select");
        case "update":
          return compute(CYCLES.plan, "update");
      }
    },
    reply: ({ locals }) =>
      call("write", { fd: locals.client, bytes: REPLY_BYTES, message: "ok" }, "idle"),
    ...selecting(),
    ...updating(),
    ...committing(),
    ...paging(),
  };
}

/** A scan: memory for it, its pages one after the other, the memory given back. */
function selecting(): Program["steps"] {
  return {
    select: () => call("mmap", { pages: EXECUTION_PAGES }, "filling"),
    filling: ({ locals, value }) => {
      locals.memory = value;
      const bytes = EXECUTION_PAGES * 4096;
      return { does: "touch", address: value, bytes, write: true, then: "scan" };
    },
    scan: (context) => {
      context.locals.page = 0;
      return page(context, "updates", 0, "nextPage", CYCLES.scanPage);
    },
    nextPage: (context) => {
      const next = context.locals.page = (context.locals.page as number) + 1;
      return next < SCAN_PAGES
        ? page(context, "updates", next, "nextPage", CYCLES.scanPage)
        : call("munmap", { address: context.locals.memory }, "reply");
    },
  };
}

/** An update: the tuple found by an index, its new version added, and an entry in each index. */
function updating(): Program["steps"] {
  return {
    update: (context) => {
      context.locals.index = 0;
      return page(context, "index0", 0, "rootFound");
    },
    rootFound: (context) => {
      const leaf = 1 + drawBelow(context.locals, DATABASE_FILES.index0 - 1);
      return page(context, "index0", leaf, "leafFound", CYCLES.searchPage);
    },
    leafFound: (context) => {
      const old = drawBelow(context.locals, DATABASE_FILES.updates);
      return page(context, "updates", old, "oldFound", CYCLES.searchPage);
    },
    oldFound: (context) => {
      dirty(context);
      return page(context, "updates", DATABASE_FILES.updates - 1, "newMade", CYCLES.insert);
    },
    newMade: (context) => {
      dirty(context);
      return compute(CYCLES.insert, "indexes");
    },
    indexes: (context) => {
      const index = INDEXES[context.locals.index as number];
      if (index) return page(context, index, 0, "entry", CYCLES.searchPage);
      sharedOf(context.segments).logEnd += LOG_RECORD;
      return compute(CYCLES.insert, "reply");
    },
    entry: (context) => {
      const { locals } = context;
      const index = INDEXES[locals.index as number];
      locals.index = (locals.index as number) + 1;
      const leaf = 1 + drawBelow(locals, DATABASE_FILES[index] - 1);
      return page(context, index, leaf, "entered", CYCLES.searchPage);
    },
    entered: (context) => {
      dirty(context);
      return compute(CYCLES.insert, "indexes");
    },
  };
}

/** A commit: the log up to its end is brought to the disk, unless somebody else's commit has done that. */
function committing(): Program["steps"] {
  return {
    commit: ({ locals, segments }) => {
      locals.mine = sharedOf(segments).logEnd;
      return call("semop", { name: "log", by: -1 }, "locked");
    },
    locked: ({ locals, segments }) => {
      const { logSynced, logEnd } = sharedOf(segments);
      if (logSynced >= (locals.mine as number)) return compute(500, "unlock");
      locals.until = logEnd;
      const first = Math.floor(logSynced / DATABASE_PAGE);
      locals.logBytes = (Math.floor((logEnd - 1) / DATABASE_PAGE) - first + 1) * DATABASE_PAGE;
      const position = (first * DATABASE_PAGE) % LOG_BYTES;
      return call("lseek", { fd: fileOf(locals, "log"), position }, "writeLog");
    },
    writeLog: ({ locals }) =>
      call("write", { fd: fileOf(locals, "log"), bytes: locals.logBytes }, "syncLog"),
    syncLog: ({ locals }) => call("fsync", { fd: fileOf(locals, "log") }, "synced"),
    synced: ({ locals, segments }) => {
      sharedOf(segments).logSynced = locals.until as number;
      return compute(500, "unlock");
    },
    unlock: () => call("semop", { name: "log", by: 1 }, "reply"),
  };
}

/** How a page comes into a shared buffer that another one leaves. */
function paging(): Program["steps"] {
  return {
    writePage: ({ locals }) => call("write", { fd: locals.fd, bytes: DATABASE_PAGE }, "written"),
    written: ({ locals }) => seek(locals, locals.key as number, "readPage"),
    readPage: ({ locals }) => call("read", { fd: locals.fd, bytes: DATABASE_PAGE }, "paged"),
    paged: ({ locals }) => compute(locals.after as number, locals.then as string),
  };
}

/**
 * Looks at a page: `then` follows, after so many cycles of work on it. If no buffer has it the least recently used one goes,
 * written first if it is dirty.
 */
function page(
  { locals, segments }: Pick<StepContext, "locals" | "segments">,
  file: DatabaseFile,
  number: number,
  then: string,
  after = LOOK_CYCLES,
): Action {
  const { buffers, dirty } = sharedOf(segments);
  const key = keyOf(file, number);
  const place = buffers.indexOf(key);
  locals.key = key;
  if (place >= 0) {
    buffers.splice(place, 1);
    buffers.push(key);
    return compute(after, then);
  }
  locals.then = then;
  locals.after = after;
  const victim = buffers.length >= SHARED_BUFFERS ? buffers.shift()! : -1;
  buffers.push(key);
  if (victim < 0 || !dirty[victim]) return seek(locals, key, "readPage");
  delete dirty[victim];
  return seek(locals, victim, "writePage");
}

/** The page that was looked at last is changed. */
function dirty({ locals, segments }: Pick<StepContext, "locals" | "segments">): void {
  sharedOf(segments).dirty[locals.key as number] = true;
}

function seek(locals: Locals, key: number, then: string): Action {
  const number = key % FILE_PAGES;
  locals.fd = (locals.files as number[])[(key - number) / FILE_PAGES];
  return call("lseek", { fd: locals.fd, position: number * DATABASE_PAGE }, then);
}

function keyOf(file: DatabaseFile, number: number): number {
  return FILES.indexOf(file) * FILE_PAGES + number;
}

function fileOf(locals: Locals, file: DatabaseFile): number {
  return (locals.files as number[])[FILES.indexOf(file)];
}

/** A statement as a client sends it. */
export function request(statement: Statement): { bytes: number; message: Statement } {
  return { bytes: REQUEST_BYTES, message: statement };
}
