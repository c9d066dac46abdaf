/**
 * Model-specific registers that only store a value: number, name, reset value, writable bits.
 *
 * Source: SDM vol. 4, "Architectural MSRs"; AMD BKDG for family 0Fh for the rows of `amd`.
 */

import type { CpuModel, VendorBehaviour } from "../model/cpu_model.ts";

/** One stored register. */
export interface StoredMsr {
  readonly number: number;
  readonly name: string;
  /** The feature that it belongs to, or none. */
  readonly feature?: string;
  /** The vendor whose CPUs have it, or all. */
  readonly vendor?: VendorBehaviour;
  readonly resetLow: (model: CpuModel) => number;
  readonly resetHigh: number;
  /**
   * `ignored`: writes do nothing. `any`: all bits. `zero`: #GP unless zero. `readOnly`: #GP. Otherwise the
   * bits outside the mask must be zero.
   */
  readonly writes: "ignored" | "any" | "zero" | "readOnly" | "memoryType" | "fixedTypes" | {
    readonly low: number;
    readonly high: number;
  };
}

type Options = Partial<Omit<StoredMsr, "number" | "name" | "resetLow" | "writes">>;

function row(
  number: number,
  name: string,
  reset: number | ((model: CpuModel) => number),
  writes: StoredMsr["writes"],
  options: Options = {},
): StoredMsr {
  const resetLow = typeof reset === "number" ? () => reset : reset;
  return { number, name, resetLow, resetHigh: 0, writes, ...options };
}

/** Physical address bits 39..32. */
const ADDRESS_HIGH = 0xff;
/** Banks of machine-check registers. */
const MCA_BANKS = 4;
/** Variable memory type ranges. */
const VARIABLE_RANGES = 8;

/** RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR/FBSDP/PSDP_NO, BHI/GDS/RFDS_NO. */
const ARCH_CAPABILITIES = 0x1 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0xe000 | 0x100000 |
  0x4000000 | 0x8000000;
/** ITS_NO (bit 62) in the high half. */
const ARCH_CAPABILITIES_HIGH = 0x40000000;

function machineCheckRows(): StoredMsr[] {
  const rows: StoredMsr[] = [
    row(0x179, "IA32_MCG_CAP", MCA_BANKS, "readOnly", { feature: "mca" }),
    row(0x17a, "IA32_MCG_STATUS", 0, { low: 7, high: 0 }, { feature: "mca" }),
  ];
  for (let bank = 0; bank < MCA_BANKS; bank++) {
    const first = 0x400 + 4 * bank;
    rows.push(row(first, `IA32_MC${bank}_CTL`, 0, "any", { feature: "mca" }));
    for (const [i, part] of ["STATUS", "ADDR", "MISC"].entries()) {
      rows.push(row(first + 1 + i, `IA32_MC${bank}_${part}`, 0, "zero", { feature: "mca" }));
    }
  }
  return rows;
}

function memoryTypeRows(): StoredMsr[] {
  const feature = "mtrr";
  const rows: StoredMsr[] = [
    // WC supported, fixed ranges supported, eight variable ranges.
    row(0xfe, "IA32_MTRRCAP", 0x500 | VARIABLE_RANGES, "readOnly", { feature }),
    row(0x2ff, "IA32_MTRR_DEF_TYPE", 0, "memoryType", { feature }),
  ];
  for (let n = 0; n < VARIABLE_RANGES; n++) {
    rows.push(row(0x200 + 2 * n, `IA32_MTRR_PHYSBASE${n}`, 0, "memoryType", { feature }));
    const mask = { low: 0xfffff800 | 0, high: ADDRESS_HIGH };
    rows.push(row(0x201 + 2 * n, `IA32_MTRR_PHYSMASK${n}`, 0, mask, { feature }));
  }
  const fixed = [0x250, 0x258, 0x259, ...Array.from({ length: 8 }, (_, i) => 0x268 + i)];
  for (const number of fixed) {
    rows.push(row(number, `IA32_MTRR_FIX_${number.toString(16)}`, 0, "fixedTypes", { feature }));
  }
  return rows;
}

const INTEL: readonly StoredMsr[] = [
  row(0x17, "IA32_PLATFORM_ID", 0, "readOnly"),
  row(0x2a, "MSR_EBL_CR_POWERON", 0, "ignored"),
  // Locked, without VMX.
  row(0x3a, "IA32_FEATURE_CONTROL", 1, "readOnly"),
  row(0x79, "IA32_BIOS_UPDT_TRIG", 0, "ignored"),
  row(0x8b, "IA32_BIOS_SIGN_ID", 0, "ignored", { resetHigh: 0x1d }),
  row(0xce, "MSR_PLATFORM_INFO", (model) => Math.round(model.frequencyHz / 1e8) << 8, "readOnly"),
  row(0x10a, "IA32_ARCH_CAPABILITIES", ARCH_CAPABILITIES, "readOnly", {
    feature: "arch-capabilities",
    resetHigh: ARCH_CAPABILITIES_HIGH,
  }),
  row(0x198, "IA32_PERF_STATUS", (model) => Math.round(model.frequencyHz / 1e8) << 8, "readOnly"),
  row(0x199, "IA32_PERF_CTL", 0, "any"),
  row(0x19b, "IA32_THERM_INTERRUPT", 0, "any"),
  // A valid reading, 60 degrees below the target.
  row(0x19c, "IA32_THERM_STATUS", 0x883c0000 | 0, "any"),
  row(0x1a2, "MSR_TEMPERATURE_TARGET", 100 << 16, "readOnly"),
].map((entry) => ({ ...entry, vendor: "intel" as const }));

const AMD: readonly StoredMsr[] = [
  row(0x8b, "PATCH_LEVEL", 0x01000065, "ignored"),
  row(0xc001_0010, "SYSCFG", 0, "any"),
  row(0xc001_0015, "HWCR", 0, "any"),
  row(0xc001_001a, "TOP_MEM", 0, "any"),
  row(0xc001_001d, "TOP_MEM2", 0, "any"),
  row(0xc001_001f, "NB_CFG", 0, "any"),
  row(0xc001_0020, "PATCH_LOADER", 0, "ignored"),
  row(0xc001_0055, "INTERRUPT_PENDING", 0, "any"),
  row(0xc001_0112, "SMM_ADDR", 0, "any"),
  row(0xc001_0113, "SMM_MASK", 0, "any"),
  // SVM disabled and locked.
  row(0xc001_0114, "VM_CR", 0x18, "readOnly"),
  row(0xc001_0140, "OSVW_ID_LENGTH", 0, "readOnly"),
  row(0xc001_0141, "OSVW_STATUS", 0, "readOnly"),
  row(0xc001_1020, "LS_CFG", 0, "any"),
  row(0xc001_1022, "DC_CFG", 0, "any"),
  row(0xc001_1023, "BU_CFG", 0, "any"),
  row(0xc001_1029, "DE_CFG", 0, "any"),
  row(0xc001_102a, "BU_CFG2", 0, "any"),
].map((entry) => ({ ...entry, vendor: "amd" as const }));

/** Every stored register. */
export const STORED_MSRS: readonly StoredMsr[] = [
  row(0x0, "IA32_P5_MC_ADDR", 0, "any"),
  row(0x1, "IA32_P5_MC_TYPE", 0, "any"),
  row(0x1d9, "IA32_DEBUGCTL", 0, { low: 3, high: 0 }),
  ...machineCheckRows(),
  ...memoryTypeRows(),
  ...INTEL,
  ...AMD,
];

/** Memory types that MTRRs can hold: UC, WC, WT, WP, WB. */
export function isMtrrType(type: number): boolean {
  return type === 0 || type === 1 || (type >= 4 && type <= 6);
}

/** Memory types of PAT entries: those, and UC-. */
export function isPatType(type: number): boolean {
  return isMtrrType(type) || type === 7;
}
