/** Which instructions the oracle cannot judge, and why. */

import type { Encoding } from "../../core/x86/decode/encoding.ts";
import { featureNamed } from "../../core/x86/model/features.ts";
import type { CaseForm } from "./case_forms.ts";
import type { HostCpu } from "./host_process.ts";

/** Mnemonics that are left out, by reason. */
export const EXCLUDED: Readonly<Record<string, readonly string[]>> = {
  "enters the host's kernel": ["SYSCALL", "SYSENTER", "INT", "INT1"],
  "loads a selector: descriptors are the host's": [
    "MOV to segment register",
    "POP segment register",
    "LES",
    "LDS",
    "LSS",
    "LFS",
    "LGS",
    "JMP far",
    "CALL far",
    "RET far",
    "IRET",
  ],
  "reads a descriptor of the host": ["LAR", "LSL", "VERR", "VERW"],
  "tells about the host's CPU or kernel": [
    "SGDT",
    "SIDT",
    "SLDT",
    "STR",
    "SMSW",
    "CPUID",
    "RDTSC",
    "RDTSCP",
    "RDPMC",
    "RDPID",
    "XGETBV",
  ],
  "has more state components on the host": ["XSAVE", "XSAVEOPT", "XRSTOR"],
  "depends on what the host's kernel enabled": [
    "RDFSBASE",
    "RDGSBASE",
    "WRFSBASE",
    "WRGSBASE",
    "XSETBV",
    "MONITOR",
    "MWAIT",
  ],
};

const REASONS = new Map(
  Object.entries(EXCLUDED).flatMap(([reason, mnemonics]) =>
    mnemonics.map((mnemonic) => [mnemonic, reason] as const)
  ),
);

/** Why `encoding` is left out, or null. */
export function excluded({ definition }: Encoding): string | null {
  return REASONS.get(definition.mnemonic) ?? null;
}

/** Mnemonics that in user code always fault or trap. */
const NEVER_COMPLETING: ReadonlySet<string> = new Set([
  ...["HLT", "CLI", "STI", "CLTS", "CLAC", "STAC", "IN", "OUT", "INS", "OUTS", "INVD", "WBINVD"],
  ...["INVLPG", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "RDMSR", "WRMSR", "SWAPGS", "SYSEXIT"],
  ...["SYSRET", "UD0", "UD1", "UD2", "INT3"],
  ...["MOV from control register", "MOV to control register"],
  ...["MOV from debug register", "MOV to debug register"],
]);

/** Whether cases of `form` can complete: 16-bit addresses lie where Linux maps nothing. */
export function canComplete({ encoding, long, addressPrefix, memory }: CaseForm): boolean {
  if (NEVER_COMPLETING.has(encoding.definition.mnemonic)) return false;
  const needsMemory = memory || IMPLICIT_MEMORY.includes(encoding.definition.mnemonic);
  return long || !addressPrefix || !needsMemory;
}

const IMPLICIT_MEMORY = ["XLAT", "MASKMOVDQU", "MOVS", "STOS", "LODS", "CMPS", "SCAS"];

/** Linux's names of features that an encoding may need, where they differ from the manual's. */
const LINUX_NAMES: Readonly<Record<string, string>> = {
  sse3: "pni",
  lzcnt: "abm",
  lahf64: "lahf_lm",
  clfsh: "clflush",
  "3dnowprefetch": "3dnowprefetch",
};

/** Whether the host's CPU has no such instruction. */
export function hostLacks({ flags }: HostCpu, { feature }: Encoding): boolean {
  if (feature === null) return false;
  const { name } = featureNamed(feature);
  return !flags.has(LINUX_NAMES[name] ?? name.replace(".", "_").replace("-", "_"));
}
