/**
 * A server as Apache 1.3: a process for each connection, of which one at a time waits for the next one; the benchmark's dynamic
 * requests are answered by a module of the server itself (`mod_specweb99`), but for CGI.
 */

import type { SnapshotValue } from "../../../../core/lib/snapshot.ts";
import { type Action, call, compute, exit, type Program } from "../../kernel/action.ts";
import { LAYOUT } from "../../memory/layout.ts";
import { answerBytes, type RequestKind, type SpecRequest } from "./requests.ts";

/** What a server is told. */
export interface ApacheOptions {
  readonly port: number;
  /** Processes, and so connections that are served at a time (`MaxClients`). */
  readonly processes: number;
}

/**
 * Cycles of the server's own code for a request of each kind: reading the request, its configuration, the answer's headers, the log
 * line; of the module's, for dynamic ones.
 *
 * Basis: fitted to native Linux's 518 connections on one CPU (SOSP 2003, Figure 3); how they differ is assumed.
 */
export const SERVER_CYCLES: Readonly<Record<RequestKind, number>> = {
  static: 970_000,
  standardGet: 1_265_000,
  customAd: 1_665_000,
  post: 1_845_000,
  cgi: 3_075_000,
};
/** A connection made ready and let go. */
const CONNECTION_CYCLES = 60_000;
/** Bytes that the server hands to the kernel at a time (`MMAP_SEGMENT_SIZE`). */
const WRITE_BYTES = 32_768;
const READ_BYTES = 4096;
/**
 * What a request uses of memory: the server's and its libraries' code, which all servers of a system share; the data of one server
 * that its processes share (its configuration, its scoreboard, the advertisements and users that the module keeps in memory);
 * a process's own.
 *
 * Basis: fitted to native Linux's row of Figure 4: with one server it is all in a second-level cache, with four it is not.
 */
const WORKING_SET = { code: 64 * 1024, server: 144 * 1024, own: 24 * 1024 } as const;
const PAGE_BYTES = 4096;
const BACKLOG = 511;

/** A child's part of the locals. */
interface Child {
  [name: string]: SnapshotValue;
  listening: number;
  fd: number;
  left: number;
  keep: boolean;
}

/** See the module comment. Its locals are {@link ApacheOptions}. */
export const apache: Program = {
  name: "apache",
  image: { textPages: 64, dataPages: 8, heapPages: 16 },
  steps: {
    begin: ({ locals: { port } }) => {
      const pages = WORKING_SET.server / PAGE_BYTES;
      return call("mmap", { pages, file: `data of server ${port}`, shared: true }, "mapped");
    },
    mapped: ({ locals, value }) => {
      Object.assign(locals, { data: value, lock: `accept ${locals.port}` });
      return call("listen", { port: locals.port, backlog: BACKLOG, noDelay: true }, "first");
    },
    first: ({ locals, value }) => {
      if (value < 0) return exit(-value);
      Object.assign(locals, { listening: value, children: 0 });
      return call("fork", { child: "lock" }, "forked");
    },
    forked: ({ locals }) => {
      locals.children = (locals.children as number) + 1;
      if (locals.children === locals.processes) return call("wait4", {}, "over");
      return call("fork", { child: "lock" }, "forked");
    },
    over: () => exit(),
    // What follows is a child's.
    lock: ({ locals: { lock } }) => call("semop", { name: lock, by: -1 }, "accept"),
    accept: ({ locals: { listening } }) => call("accept", { fd: listening }, "accepted"),
    accepted: ({ locals, value }) => {
      locals.fd = value;
      return call("semop", { name: locals.lock, by: 1 }, "connected");
    },
    connected: ({ locals: { fd } }) =>
      (fd as number) < 0 ? exit() : compute(CONNECTION_CYCLES, "await"),
    await: ({ locals: { fd } }) => call("recv", { fd, bytes: READ_BYTES }, "request"),
    request: ({ locals, result }) => {
      const said = (result as { says?: readonly SnapshotValue[] }).says?.[0];
      if (said === undefined) return call("close", { fd: locals.fd }, "lock");
      const request = said as unknown as SpecRequest;
      const { kind, keep } = request;
      Object.assign(locals, { keep, left: answerBytes(request), cycles: SERVER_CYCLES[kind] });
      return touch(LAYOUT.text, WORKING_SET.code, false, "useData");
    },
    useData: ({ locals: { data } }) => touch(data as number, WORKING_SET.server, false, "useOwn"),
    useOwn: () => touch(LAYOUT.heap, WORKING_SET.own, true, "work"),
    work: ({ locals: { cycles } }) => compute(cycles as number, "find"),
    find: ({ locals: { left } }) => call("serve_document", { bytes: left }, "answer"),
    answer: ({ locals }) => answer(locals as Child),
    answered: ({ locals, value }) => {
      const child = locals as Child;
      if (value < 0) return call("close", { fd: child.fd }, "lock");
      child.left -= value;
      if (child.left > 0) return answer(child);
      return child.keep
        ? call("recv", { fd: child.fd, bytes: READ_BYTES }, "request")
        : call("close", { fd: child.fd }, "lock");
    },
  },
};

function touch(address: number, bytes: number, write: boolean, then: string): Action {
  return { does: "touch", address, bytes, write, scattered: true, then };
}

function answer({ fd, left }: Child): Action {
  return call("write", { fd, bytes: Math.min(left, WRITE_BYTES) }, "answered");
}
