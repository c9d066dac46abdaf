/** `serveGdb` for the public face: the stub is loaded when the first machine is served. */

import type { DebugTarget } from "../machine_api.ts";
import type { GdbOptions, GdbServer } from "./server.ts";

/**
 * Serves a machine, or a domain of a host with its virtual CPUs, to gdb on 127.0.0.1. Rejects with `TypeError` if it has no debugger, with `RangeError` if the
 * port is taken.
 */
export async function serveGdb(machine: DebugTarget, options?: GdbOptions): Promise<GdbServer> {
  return (await import("./server.ts")).serveGdb(machine, options);
}
