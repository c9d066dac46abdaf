/** CPUID: what each leaf returns (SDM vol. 2, "CPUID"; AMD APM vol. 3, appendix E). */

import type { CpuModel } from "./cpu_model.ts";
import { type CpuidRegister, FEATURES } from "./features.ts";

/** What CPUID's answer depends on besides the model. */
export interface CpuidContext {
  readonly apicId: number;
  /** Whether the local APIC is enabled in IA32_APIC_BASE. */
  readonly apicEnabled: boolean;
  /** CR4.OSXSAVE. */
  readonly osXsave: boolean;
}

/** EAX, EBX, ECX and EDX, unsigned. */
export type CpuidAnswer = readonly [eax: number, ebx: number, ecx: number, edx: number];

const NOTHING: CpuidAnswer = [0, 0, 0, 0];
const FIRST_EXTENDED = 0x8000_0000;
/** Bytes of the XSAVE area for x87 and SSE: the legacy region and the header. */
const XSAVE_BYTES = 576;

const FEATURE_APIC = 1 << 9;
const FEATURE_OSXSAVE = 1 << 27;
const FEATURE_HTT = 1 << 28;
/** Bits of leaf 1 EDX that AMD repeats in leaf 0x80000001. */
const AMD_REPEATED = 0x0183_f3ff;

/** The answer to CPUID of `leaf` and `subleaf`. */
export function cpuidLeaf(
  model: CpuModel,
  leaf: number,
  subleaf: number,
  context: CpuidContext,
): CpuidAnswer {
  if (leaf >= FIRST_EXTENDED && leaf <= model.maximumExtendedLeaf) {
    return extendedLeaf(model, leaf, context);
  }
  if (leaf <= model.maximumLeaf) return basicLeaf(model, leaf, subleaf, context);
  if (model.behaviour === "amd" || leaf === FIRST_EXTENDED) return NOTHING;
  // Intel: "the data for the highest basic information leaf is returned".
  return basicLeaf(model, model.maximumLeaf, subleaf, context);
}

function basicLeaf(
  model: CpuModel,
  leaf: number,
  subleaf: number,
  context: CpuidContext,
): CpuidAnswer {
  switch (leaf) {
    case 0: {
      const [b, d, c] = words(model.vendor);
      return [model.maximumLeaf, b, c, d];
    }
    case 1:
      return versionLeaf(model, context);
    case 2:
      // Descriptor 0xff: see leaf 4.
      return model.behaviour === "intel" ? [0xff01, 0, 0, 0] : NOTHING;
    case 4:
      return model.behaviour === "intel" ? cacheLeaf(model, subleaf) : NOTHING;
    case 5:
      return model.has("monitor") ? [64, 64, 3, 0] : NOTHING;
    case 6:
      return [featureBits(model, 6, 0, "eax"), 0, 0, 0];
    case 7:
      if (subleaf !== 0) return NOTHING;
      return [
        0,
        featureBits(model, 7, 0, "ebx"),
        featureBits(model, 7, 0, "ecx"),
        featureBits(model, 7, 0, "edx"),
      ];
    case 0xb:
      return model.has("x2apic") ? topologyLeaf(model, subleaf, context) : NOTHING;
    case 0xd:
      return xsaveLeaf(model, subleaf);
    case 0x15:
      // The crystal runs at the TSC's rate, which is the local APIC timer's as well.
      return [1, 1, model.frequencyHz, 0];
    case 0x16: {
      const megahertz = Math.round(model.frequencyHz / 1e6);
      return [megahertz, megahertz, 100, 0];
    }
    default:
      return NOTHING;
  }
}

function versionLeaf(model: CpuModel, context: CpuidContext): CpuidAnswer {
  const extendedFamily = Math.max(model.family - 15, 0);
  const family = Math.min(model.family, 15);
  const extendedModel = family === 6 || family === 15 ? model.model >> 4 : 0;
  const signature = model.stepping | ((model.model & 15) << 4) | (family << 8) |
    (extendedModel << 16) | (extendedFamily << 20);
  const hasCache = model.has("clfsh");
  const ebx = ((context.apicId & 0xff) << 24) | (model.cores << 16) | (hasCache ? 8 << 8 : 0);
  let ecx = featureBits(model, 1, 0, "ecx");
  let edx = featureBits(model, 1, 0, "edx");
  if (context.osXsave) ecx |= FEATURE_OSXSAVE;
  if (!context.apicEnabled) edx &= ~FEATURE_APIC;
  if (model.cores > 1) edx |= FEATURE_HTT;
  return [signature, ebx >>> 0, ecx >>> 0, edx >>> 0];
}

/** Type, level, bytes, ways and sharing cores of each cache. */
function cacheLeaf(model: CpuModel, subleaf: number): CpuidAnswer {
  const caches = [
    { type: 1, level: 1, kibibytes: 32, ways: 8, shared: 1 },
    { type: 2, level: 1, kibibytes: 32, ways: 8, shared: 1 },
    { type: 3, level: 2, kibibytes: 256, ways: 8, shared: 1 },
    { type: 3, level: 3, kibibytes: 8192, ways: 16, shared: model.cores },
  ];
  const cache = caches[subleaf];
  if (!cache) return NOTHING;
  const sets = cache.kibibytes * 1024 / (cache.ways * 64);
  const eax = cache.type | (cache.level << 5) | (1 << 8) | ((cache.shared - 1) << 14) |
    ((model.cores - 1) << 26);
  return [eax >>> 0, ((cache.ways - 1) << 22 | 63) >>> 0, sets - 1, 0];
}

/** Leaf 0xB: one thread in each core, all cores in one package. */
function topologyLeaf(
  model: CpuModel,
  subleaf: number,
  { apicId }: CpuidContext,
): CpuidAnswer {
  const idBits = Math.ceil(Math.log2(model.cores));
  switch (subleaf) {
    case 0:
      return [0, 1, 0x100, apicId];
    case 1:
      return [idBits, model.cores, 0x201, apicId];
    default:
      return [0, 0, subleaf & 0xff, apicId];
  }
}

function xsaveLeaf(model: CpuModel, subleaf: number): CpuidAnswer {
  if (!model.has("xsave")) return NOTHING;
  if (subleaf === 0) return [3, XSAVE_BYTES, XSAVE_BYTES, 0];
  return subleaf === 1 ? [featureBits(model, 0xd, 1, "eax"), 0, 0, 0] : NOTHING;
}

function extendedLeaf(model: CpuModel, leaf: number, context: CpuidContext): CpuidAnswer {
  const amd = model.behaviour === "amd";
  switch (leaf - FIRST_EXTENDED) {
    case 0: {
      const [b, d, c] = words(model.vendor);
      return amd ? [model.maximumExtendedLeaf, b, c, d] : [model.maximumExtendedLeaf, 0, 0, 0];
    }
    case 1: {
      const [signature, , , basicEdx] = versionLeaf(model, context);
      let ecx = featureBits(model, leaf, 0, "ecx");
      let edx = featureBits(model, leaf, 0, "edx");
      // CmpLegacy: the cores are cores, not threads.
      if (amd && model.cores > 1) ecx |= 2;
      if (amd) edx |= basicEdx & AMD_REPEATED;
      return [amd ? signature : 0, 0, ecx >>> 0, edx >>> 0];
    }
    case 2:
    case 3:
    case 4:
      return brandLeaf(model, leaf - FIRST_EXTENDED - 2);
    case 5:
      return amd ? [0x01ff_01ff, 0x01ff_01ff, 0x4002_0140, 0x4002_0140] : NOTHING;
    case 6:
      return amd ? [0, 0x4200_4200, 0x0200_8140, 0] : [0, 0, 0x0100_6040, 0];
    case 7:
      return [0, 0, 0, featureBits(model, leaf, 0, "edx")];
    case 8: {
      const cores = amd ? model.cores - 1 : 0;
      const linearBits = model.has("lm") ? 48 : 32;
      return [model.physicalAddressBits | (linearBits << 8), 0, cores, 0];
    }
    default:
      return NOTHING;
  }
}

function brandLeaf(model: CpuModel, part: number): CpuidAnswer {
  const [a, b, c, d] = words(model.brand.padEnd(48, "\0").slice(part * 16, part * 16 + 16));
  return [a, b, c, d];
}

/** The bits of one register that the advertised features set. */
function featureBits(
  model: CpuModel,
  leaf: number,
  subleaf: number,
  register: CpuidRegister,
): number {
  let bits = 0;
  for (const feature of FEATURES) {
    const here = feature.leaf === leaf && feature.subleaf === subleaf &&
      feature.register === register;
    if (here && model.has(feature.name)) bits |= 1 << feature.bit;
  }
  return bits >>> 0;
}

/** ASCII text as little-endian words of four characters. */
function words(text: string): number[] {
  const result: number[] = [];
  for (let i = 0; i < text.length; i += 4) {
    let word = 0;
    for (let byte = 0; byte < 4; byte++) word |= text.charCodeAt(i + byte) << (8 * byte);
    result.push(word >>> 0);
  }
  return result;
}
