/** What kind of CPU a machine has: vendor, family, features; and from them, CPUID's constant part. */

import { PHYSICAL_ADDRESS_BITS } from "../paging/formats.ts";
import { featureNamed, FEATURES, NOT_IMPLEMENTED } from "./features.ts";

/** What a model is made from. */
export interface CpuModelOptions {
  readonly name: string;
  /** CPUID's vendor string: 12 ASCII characters. */
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** The brand string, at most 47 ASCII characters; empty on CPUs that lack it. */
  readonly brand: string;
  /** Names of the features (see features.ts). */
  readonly features: readonly string[];
  /** Highest basic CPUID leaf. */
  readonly maximumLeaf: number;
  /** Highest extended CPUID leaf, or 0. */
  readonly maximumExtendedLeaf: number;
  /** Cores in the one package. */
  readonly cores?: number;
  /** Frequency of the TSC, which is that of the machine's clock, in hertz. */
  readonly frequencyHz?: number;
}

/** Manufacturers whose behaviour differs where the architecture leaves it to them. */
export type VendorBehaviour = "intel" | "amd";

/** One CPU model. Immutable. */
export class CpuModel {
  readonly name: string;
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly brand: string;
  readonly cores: number;
  readonly frequencyHz: number;
  readonly maximumLeaf: number;
  readonly maximumExtendedLeaf: number;
  readonly physicalAddressBits = PHYSICAL_ADDRESS_BITS;
  /** Whose quirks the CPU has: AMD's for its vendor strings, Intel's for all others. */
  readonly behaviour: VendorBehaviour;
  readonly #features: ReadonlySet<string>;
  readonly #options: CpuModelOptions;

  /** Throws `RangeError` for a bad vendor string, an unknown feature, or one that lacks what it needs. */
  constructor(options: CpuModelOptions) {
    if (!/^[\x20-\x7e]{12}$/.test(options.vendor)) {
      throw new RangeError(`a CPU vendor has 12 ASCII characters, found "${options.vendor}"`);
    }
    if (!/^[\x20-\x7e]{0,47}$/.test(options.brand)) {
      throw new RangeError(`a CPU brand has at most 47 ASCII characters, found "${options.brand}"`);
    }
    const cores = options.cores ?? 1;
    if (!Number.isInteger(cores) || cores < 1 || cores > 255) {
      throw new RangeError(`a CPU package has 1 to 255 cores, found ${cores}`);
    }
    this.#options = options;
    this.name = options.name;
    this.vendor = options.vendor;
    this.family = options.family;
    this.model = options.model;
    this.stepping = options.stepping;
    this.brand = options.brand;
    this.cores = cores;
    this.frequencyHz = options.frequencyHz ?? 1_000_000_000;
    this.maximumLeaf = options.maximumLeaf;
    this.maximumExtendedLeaf = options.maximumExtendedLeaf;
    this.behaviour = /AMD|Hygon/.test(options.vendor) ? "amd" : "intel";
    const features = options.features.map(featureNamed);
    this.#features = new Set(features.map((feature) => feature.name));
    for (const { name, about, needs } of features) {
      if (needs.includes(NOT_IMPLEMENTED)) {
        throw new RangeError(`CPU feature ${name} cannot be advertised: ${about}`);
      }
      const missing = needs.find((need) => !this.#features.has(need));
      if (missing !== undefined) {
        throw new RangeError(`CPU feature ${name} needs ${missing}, which ${this.name} lacks`);
      }
    }
  }

  /** Whether the feature is advertised; throws `RangeError` if there is no feature of that name. */
  has(feature: string): boolean {
    return this.#features.has(feature) || this.#features.has(featureNamed(feature).name);
  }

  /** The names of the advertised features, in the order of CPUID. */
  get features(): readonly string[] {
    return FEATURES.filter(({ name }) => this.#features.has(name)).map(({ name }) => name);
  }

  /** This model with other options, features added and features removed. */
  with(
    changes: Partial<CpuModelOptions> & {
      readonly add?: readonly string[];
      readonly remove?: readonly string[];
    },
  ): CpuModel {
    const { add = [], remove = [], ...options } = changes;
    const removed = new Set(remove.map((name) => featureNamed(name).name));
    const features = [...(options.features ?? this.features), ...add]
      .map((name) => featureNamed(name).name)
      .filter((name) => !removed.has(name));
    return new CpuModel({ ...this.#options, ...options, features });
  }
}
