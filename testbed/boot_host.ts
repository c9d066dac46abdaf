/** `Host` for the public face: what hosts are made of is loaded when the first one is booted. */

import { hosts } from "./host_registry.ts";
import type { HostReplay, HostReplayOptions } from "./replay_host.ts";
import type { Recording } from "./machine_api.ts";
import type { Toolstack } from "./toolstack/mod.ts";
import type { HostCode } from "./host/host_file.ts";
import type { Host as HostOfDomains, HostOptions } from "./host/host.ts";

/** A machine under the hypervisor, with domain 0 and the domains that a script creates. */
export type Host = HostOfDomains;

/**
 * Starts hosts.
 *
 * ```ts
 * import { Host } from "@xenarium/xenarium";
 *
 * const host = await Host.boot({ memory: "512MiB", cpus: 2, scheduler: "credit2" });
 * console.log(host.domains.length); // 0: host.create({ name, kernel, memory }) adds one
 * ```
 */
export const Host = {
  /** Starts a host without domains. Rejects with `RangeError` or `SyntaxError` for a wrong option. */
  boot: async (options: HostOptions): Promise<Host> => {
    const host = await (await import("./host/host.ts")).Host.boot(options);
    hosts.add(host);
    return host;
  },
  /**
   * A host as `Host.save` found it, with its domains. Rejects with a `SnapshotError` that says what is wrong with
   * a file that is cut short, altered, of another version, or not a host's. Code is in no file: `code` gives the programs of
   * modelled domains and the services of outside networks that the file names.
   */
  load: async (path: string, code?: HostCode): Promise<Host> => {
    const host = await (await import("./host/host_file.ts")).readHost(path, code);
    hosts.add(host);
    return host;
  },
  /**
   * Writes a host to a file, in one step, with its domains, their disks and all that is on its way; resolves with the file's
   * digest. Rejects with a `TypeError` that says why if a part of it is a script's: a kernel, a network card, a policy.
   *
   * ```ts ignore
   * import { Host } from "@xenarium/xenarium";
   *
   * const host = await Host.boot({ memory: "32MiB" });
   * await host.create({ name: "web", kernel: "tiny", memory: "4MiB" });
   * await Host.save(host, "web.host");
   * console.log((await Host.load("web.host")).domains[0].name); // web
   * ```
   */
  save: async (host: Host, path: string): Promise<string> => {
    return await (await import("./host/host_file.ts")).writeHost(host, path);
  },
  /**
   * Writes all that a host is given from now on to a log that {@link replayHost} reads, as it is given: what is done through
   * it, its domains' consoles and its toolstack. What it begins from is a file beside it (`path` with `.snapshot`), unless the
   * host was just booted. Rejects with a `TypeError` if it is recorded already, runs, or consists of more than data.
   */
  record: async (host: Host, path: string): Promise<Recording> =>
    await (await import("./host/host_recorder.ts")).recordHost(host, path),
} as const;

/**
 * Boots the host of a log that `Host.record` wrote and runs it as it was recorded; resolves with the replay, which can be run on. Rejects
 * with a `SnapshotError` if the log is altered, does not belong to the snapshot or images, or if the trace hash differs.
 */
export async function replayHost(path: string, options?: HostReplayOptions): Promise<HostReplay> {
  return await (await import("./replay_host.ts")).replayHost(path, options);
}

/**
 * The toolstack of a host: what `xl` does, as methods.
 *
 * ```ts
 * import { Host, toolstack } from "@xenarium/xenarium";
 *
 * const tools = await toolstack(await Host.boot({ memory: "512MiB" }));
 * // await tools.create("web1.cfg"); tools.memSet("web1", "64"); tools.shutdown("web1");
 * console.log(tools.host.domains.length); // 0
 * ```
 */
export async function toolstack(host: Host): Promise<Toolstack> {
  return (await import("./toolstack/mod.ts")).Toolstack.of(host);
}
