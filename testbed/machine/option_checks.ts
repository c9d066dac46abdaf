/** What can be said about a machine's options before any file is opened: names, kinds, ranges, contradictions. */

import type { HotEngineOptions } from "../../core/translate/mod.ts";
import { ALWAYS_PASSES } from "../../core/x86/cold/passing.ts";
import { CPU_MODEL_NAMES } from "../../core/x86/model/mod.ts";
import type { EngineName, ImageSource, MachineOptions } from "../machine_api.ts";
import { suggest } from "../suggestion.ts";
import { type Bytes, parseSize } from "../units.ts";

const MIB = 1024 * 1024;
const DEFAULT_MEMORY = "256MiB";
const MAX_MEMORY_BYTES = 8 * 1024 * MIB;
const MAX_CPUS = 64;
const MAX_QUANTUM_CYCLES = 100_000_000;
const MAX_HOT_AFTER = 65_535;
const ENGINE_NAMES: readonly EngineName[] = ["hot", "cold", "reference"];

/** Every option; a missing or superfluous name does not compile. */
const OPTION_NAMES: { readonly [Name in keyof Required<MachineOptions>]: true } = {
  name: true,
  kernel: true,
  initrd: true,
  modules: true,
  append: true,
  bios: true,
  disks: true,
  cdrom: true,
  net: true,
  cpuModel: true,
  memory: true,
  cpus: true,
  engine: true,
  translator: true,
  quantumCycles: true,
  checkpoints: true,
};
const TRANSLATOR_NAMES: { readonly [Name in keyof Required<HotEngineOptions>]: true } = {
  profile: true,
  hotAfter: true,
  passes: true,
  cacheBytes: true,
};
/** Options that say what a kernel is started with. */
const KERNEL_ONLY = ["initrd", "modules", "append"] as const;

/** What the checked options say in numbers. */
export interface CheckedOptions {
  readonly memoryBytes: number;
  readonly cpus: number;
  /** What automatic checkpoints may take; 0 for none. */
  readonly checkpointBytes: number;
}

/** Throws an error that names the first wrong option, its value and what would be right. */
export function checkOptions(options: MachineOptions): CheckedOptions {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTION_NAMES, name)) {
      throw new TypeError(
        `a machine has no option ${name}; ${suggest(name, Object.keys(OPTION_NAMES))}`,
      );
    }
  }
  checkImages(options);
  oneOf("engine", options.engine, ENGINE_NAMES);
  oneOf("cpuModel", options.cpuModel, CPU_MODEL_NAMES);
  const { cpus = 1, quantumCycles = 1 } = options;
  wholeNumber("cpus", cpus, MAX_CPUS);
  wholeNumber("quantumCycles", quantumCycles, MAX_QUANTUM_CYCLES);
  checkTranslator(options.translator ?? {});
  const { checkpoints } = options;
  const checkpointBytes = checkpoints === undefined ? 0 : sizeOf("checkpoints", checkpoints);
  return { memoryBytes: memorySize(options), cpus, checkpointBytes };
}

function checkTranslator(translator: HotEngineOptions): void {
  for (const name of Object.keys(translator)) {
    if (!Object.hasOwn(TRANSLATOR_NAMES, name)) {
      throw new TypeError(
        `option translator has no ${name}; ${suggest(name, Object.keys(TRANSLATOR_NAMES))}`,
      );
    }
  }
  const { hotAfter = 1, cacheBytes = 1, passes = 1 } = translator;
  wholeNumber("translator.hotAfter", hotAfter, MAX_HOT_AFTER);
  wholeNumber("translator.passes", passes, ALWAYS_PASSES, 0);
  wholeNumber("translator.cacheBytes", cacheBytes, Number.MAX_SAFE_INTEGER);
}

function checkImages(options: MachineOptions): void {
  const { kernel, bios, initrd, cdrom, disks = [], modules = [] } = options;
  const images = Object.entries({ kernel, bios, initrd, cdrom })
    .concat(disks.map((disk) => ["disks", disk]))
    .concat(modules.map(({ image }) => ["modules", image]));
  for (const [name, source] of images) checkImage(name, source);
  if (kernel === undefined) {
    const orphan = KERNEL_ONLY.find((name) => options[name] !== undefined);
    if (orphan) throw new TypeError(`option ${orphan}: it needs option kernel, too`);
  } else if (bios !== undefined) {
    throw new TypeError(
      "options kernel and bios: a machine starts with one of them, not with both",
    );
  }
}

function checkImage(name: string, source: ImageSource | undefined): void {
  if (source === undefined || typeof source === "string" || source instanceof Uint8Array) return;
  throw new TypeError(
    `option ${name}: expected a path, an image's name or a Uint8Array, found ${typeof source}`,
  );
}

function oneOf(option: string, value: string | undefined, names: readonly string[]): void {
  if (value === undefined || names.includes(value)) return;
  throw new RangeError(`option ${option}: there is no ${value}; ${suggest(value, names)}`);
}

function wholeNumber(option: string, value: number, most: number, least = 1): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(
    `option ${option}: expected a whole number from ${least} to ${most}, found ${
      JSON.stringify(value)
    }`,
  );
}

function memorySize({ memory = DEFAULT_MEMORY }: MachineOptions): number {
  const bytes = sizeOf("memory", memory);
  if (bytes % 4096 !== 0 || bytes < 4 * MIB || bytes > MAX_MEMORY_BYTES) {
    throw new RangeError(
      `option memory: expected a multiple of 4 KiB from 4MiB to ${
        MAX_MEMORY_BYTES / MIB
      }MiB, found ${memory}`,
    );
  }
  return bytes;
}

function sizeOf(option: string, size: string | Bytes): number {
  try {
    return parseSize(size);
  } catch (error) {
    throw new SyntaxError(`option ${option}: ${(error as Error).message}`, { cause: error });
  }
}
