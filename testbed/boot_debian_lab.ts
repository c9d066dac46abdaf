/** `DebianLab` for the public face: kernels and networks are loaded when the first laboratory is made. */

import type { Host } from "./boot_host.ts";
import type { DebianLab as Lab } from "./debian_lab/debian_lab.ts";

/** Debian domains with a part to play. */
export type DebianLab = Lab;

/**
 * Makes laboratories of Debian domains; `xenarium images add debian` gets their kernel once.
 *
 * ```ts ignore
 * const lab = await DebianLab.on(await Host.boot({ memory: "512MiB", cpus: 2 }));
 * const web = await lab.add({ name: "web", role: "server" });
 * const hog = await lab.add({ name: "hog", role: "disk hog" });
 * web.start();
 * const clients = lab.load(web, { clients: 20 });
 * await lab.run("2s");
 * hog.start();
 * console.log(clients.results.meanMs);
 * ```
 */
export const DebianLab = {
  /** A laboratory on a host. Throws `RangeError` for a seed that is no whole number. */
  on: async (host: Host, options: { readonly seed?: number } = {}): Promise<DebianLab> =>
    new (await import("./debian_lab/debian_lab.ts")).DebianLab(host, options),
} as const;
