/**
 * Cost profiles: what operations cost on a named machine, each figure with where it comes from.
 *
 * What real instructions cost follows from the instructions themselves; a profile prices what no instruction stands for:
 * the hypervisor's own work, and the primitive operations of modelled kernels. No price is that of a benchmark.
 */

import type { Cycles } from "../clock.ts";
import { CPU_COSTS } from "./costs/cpu.ts";
import { DISK_COSTS } from "./costs/disk.ts";
import { FILE_COSTS } from "./costs/files.ts";
import { HOSTED_COSTS } from "./costs/hosted.ts";
import { HYPERVISOR_COSTS } from "./costs/hypervisor.ts";
import { KERNEL_COSTS } from "./costs/kernel.ts";
import { NETWORK_COSTS } from "./costs/network.ts";

/** What has a price, and for what unit. */
export const COSTS = {
  ...CPU_COSTS,
  ...KERNEL_COSTS,
  ...NETWORK_COSTS,
  ...FILE_COSTS,
  ...DISK_COSTS,
  ...HYPERVISOR_COSTS,
  ...HOSTED_COSTS,
} as const;

export type CostName = keyof typeof COSTS;

/** How sure a figure is: printed in a source, worked out from printed ones, fitted to results, or supposed. */
export type Basis = "measured" | "derived" | "fitted" | "assumed";

/** The price of one unit. */
export interface Price {
  /** Cycles of the profile's clock for each unit; a fraction is meant where units come in great numbers. */
  readonly cycles: number;
  readonly basis: Basis;
  /** Table and row, or the reckoning. */
  readonly source: string;
}

/** The prices of one group of costs. */
export type Prices<Group> = { readonly [Name in keyof Group]: Price };

/** A published figure that prices were fitted to: it is no prediction. */
export interface FittedCell {
  /** For example `Table 3`. */
  readonly table: string;
  /** For example `Xen`. */
  readonly row: string;
  /** For example `fork`. */
  readonly column: string;
  /** The price that it gave. */
  readonly cost: CostName;
}

/** The costs of one machine. */
export interface CostProfile {
  readonly name: string;
  /** The hardware. */
  readonly about: string;
  readonly frequencyHz: number;
  readonly prices: Readonly<Record<CostName, Price>>;
  /** The figures that prices were fitted to, besides those of whole rows named in `about`. */
  readonly fittedCells: readonly FittedCell[];
}

/** A profile's prices in cycles of one machine's clock. */
export class CostTable {
  readonly #perUnit: Readonly<Record<CostName, number>>;

  /** Cycles of the machine for each of the profile's. */
  readonly scale: number;

  constructor(readonly profile: CostProfile, frequencyHz: number) {
    const scale = this.scale = frequencyHz / profile.frequencyHz;
    const entries = Object.entries(profile.prices).map((
      [name, { cycles }],
    ) => [name, cycles * scale]);
    this.#perUnit = Object.fromEntries(entries) as Record<CostName, number>;
  }

  /** What `count` units cost, in whole cycles. */
  cost(name: CostName, count = 1): Cycles {
    return Math.round(this.#perUnit[name] * count) as Cycles;
  }

  /** Cycles of one unit, with fractions. */
  each(name: CostName): number {
    return this.#perUnit[name];
  }
}
