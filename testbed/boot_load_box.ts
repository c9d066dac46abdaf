/** `LoadBox` for the public face: what boxes are made of is loaded when the first one is booted. */

import type { LoadBox as Box, LoadBoxOptions } from "./model/load_box.ts";

/** A box whose domains only compute, or work and rest in turns. */
export type LoadBox = Box;

/**
 * Starts such boxes.
 *
 * ```ts
 * import { LoadBox } from "@xenarium/xenarium";
 *
 * const box = await LoadBox.boot({ cpus: 2, scheduler: "bvt", profile: "xeon-2003" });
 * const domains = [1, 2, 3].map((n) => box.create({ name: `d${n}`, load: { kind: "computes" } }));
 * await box.run("1s");
 * console.log(domains.map((domain) => domain.workSeconds));
 * ```
 */
export const LoadBox = {
  /** Starts a box without domains. Rejects with `RangeError` for a wrong option. */
  boot: async (options: LoadBoxOptions = {}): Promise<LoadBox> =>
    await (await import("./model/load_box.ts")).LoadBox.boot(options),
} as const;
