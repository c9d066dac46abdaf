/** The CPU models that have names, and the notation that changes them. */

import { closest } from "./features.ts";
import { CpuModel, type CpuModelOptions } from "./cpu_model.ts";

const I486_FEATURES = ["fpu"];
const PENTIUM_3_FEATURES = [
  ...I486_FEATURES,
  ...["de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge", "mca"],
  ...["cmov", "pat", "pse36", "mmx", "fxsr", "sse"],
];
const QEMU64_FEATURES = [
  ...PENTIUM_3_FEATURES,
  ...["clfsh", "sse2", "sse3", "cx16", "x2apic", "hypervisor", "lm", "nx", "syscall", "lahf64"],
];
/** x86-64-v2 (System V ABI, "Micro-Architecture Levels") and what kernels use when it is there. */
const DEFAULT_FEATURES = [
  ...PENTIUM_3_FEATURES,
  ...["clfsh", "ss", "sse2", "sse3", "ssse3", "cx16", "sse4.1", "sse4.2", "x2apic", "popcnt"],
  ...["tsc-deadline", "xsave", "arat", "tsc-adjust", "fdp-excptn-only", "smep", "erms"],
  ...["zero-fcs-fds", "smap"],
  ...["arch-capabilities", "lahf64", "3dnowprefetch", "syscall", "nx", "rdtscp", "lm", "invtsc"],
];

const PRESETS: readonly CpuModelOptions[] = [
  {
    name: "default",
    vendor: "GenuineIntel",
    family: 6,
    model: 26,
    stepping: 3,
    brand: "Xenarium x86-64-v2 CPU @ 1.00GHz",
    features: DEFAULT_FEATURES,
    maximumLeaf: 0x16,
    maximumExtendedLeaf: 0x8000_0008,
  },
  {
    name: "qemu64",
    vendor: "AuthenticAMD",
    family: 15,
    model: 107,
    stepping: 1,
    brand: "Xenarium Virtual CPU, qemu64-like",
    features: QEMU64_FEATURES,
    maximumLeaf: 0xd,
    maximumExtendedLeaf: 0x8000_000a,
  },
  {
    name: "pentium3",
    vendor: "GenuineIntel",
    family: 6,
    model: 8,
    stepping: 3,
    brand: "",
    features: PENTIUM_3_FEATURES,
    maximumLeaf: 2,
    maximumExtendedLeaf: 0,
  },
  {
    name: "i486",
    vendor: "GenuineIntel",
    family: 4,
    model: 8,
    stepping: 0,
    brand: "",
    features: I486_FEATURES,
    maximumLeaf: 1,
    maximumExtendedLeaf: 0,
  },
];

/** Names that {@link cpuModel} accepts. */
export const CPU_MODEL_NAMES: readonly string[] = PRESETS.map(({ name }) => name);

/**
 * The model that `text` names: a preset, followed by features to add and to remove, for example
 * `default,+umip,-smap`. Throws `RangeError` for an unknown name and `SyntaxError` for a change without sign.
 */
export function cpuModel(text = "default"): CpuModel {
  const [name, ...changes] = text.split(",").map((part) => part.trim());
  const preset = PRESETS.find((options) => options.name === name);
  if (!preset) {
    const nearest = closest(name, CPU_MODEL_NAMES);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new RangeError(
      `no CPU model is named "${name}"${hint} (there are ${CPU_MODEL_NAMES.join(", ")})`,
    );
  }
  const bad = changes.find((change) => !/^[+-]/.test(change));
  if (bad !== undefined) {
    throw new SyntaxError(`a change of a CPU model starts with + or -, found "${bad}"`);
  }
  const of = (sign: string) =>
    changes.filter((change) => change.startsWith(sign)).map((change) => change.slice(1));
  return new CpuModel(preset).with({ add: of("+"), remove: of("-") });
}
