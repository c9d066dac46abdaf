/** `serveGdb` for the public face: the stub is loaded when the first machine is served. */

import type { Machine } from "../machine_api.ts";
import type { GdbOptions, GdbServer } from "./server.ts";

/**
 * Serves a machine to gdb on 127.0.0.1. Rejects with `TypeError` if it is no machine with CPUs, with `RangeError` if the
 * port is taken.
 */
export async function serveGdb(machine: Machine, options?: GdbOptions): Promise<GdbServer> {
  return (await import("./server.ts")).serveGdb(machine, options);
}
