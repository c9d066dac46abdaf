/**
 * The CPUID features that a CPU model can advertise: name, place, and what each needs.
 *
 * Only what the engine implements has a row; names are those of the manuals' CPUID tables, and common
 * other spellings are aliases (SDM vol. 2, "CPUID"; AMD APM vol. 3, appendix E).
 */

/** A register that CPUID returns. */
export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";

/** One advertisable feature. */
export interface Feature {
  readonly name: string;
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: CpuidRegister;
  readonly bit: number;
  readonly about: string;
  readonly needs: readonly string[];
}

/** What a feature needs that definitions of instructions ask about, but no model can advertise. */
export const NOT_IMPLEMENTED = "not implemented";

type Row = readonly [name: string, bit: number, about: string, needs?: readonly string[]];

function rows(leaf: number, subleaf: number, register: CpuidRegister, table: readonly Row[]) {
  return table.map(([name, bit, about, needs = []]): Feature => ({
    name,
    leaf,
    subleaf,
    register,
    bit,
    about,
    needs,
  }));
}

const TABLE: readonly Feature[] = [
  ...rows(1, 0, "edx", [
    ["fpu", 0, "x87 floating point"],
    ["de", 2, "debugging extensions (I/O breakpoints)"],
    ["pse", 3, "4 MiB pages"],
    ["tsc", 4, "time-stamp counter"],
    ["msr", 5, "RDMSR and WRMSR"],
    ["pae", 6, "physical address extension"],
    ["mce", 7, "machine-check exception"],
    ["cx8", 8, "CMPXCHG8B"],
    ["apic", 9, "local APIC", ["msr"]],
    ["sep", 11, "SYSENTER and SYSEXIT", ["msr"]],
    ["mtrr", 12, "memory type range registers", ["msr"]],
    ["pge", 13, "global pages"],
    ["mca", 14, "machine-check architecture", ["mce", "msr"]],
    ["cmov", 15, "conditional moves"],
    ["pat", 16, "page attribute table", ["msr"]],
    ["pse36", 17, "4 MiB pages above 4 GiB", ["pse"]],
    ["clfsh", 19, "CLFLUSH"],
    ["mmx", 23, "MMX", ["fpu"]],
    ["fxsr", 24, "FXSAVE and FXRSTOR"],
    ["sse", 25, "SSE", ["fxsr", "mmx"]],
    ["sse2", 26, "SSE2", ["sse"]],
    ["ss", 27, "self snoop"],
  ]),
  ...rows(1, 0, "ecx", [
    ["sse3", 0, "SSE3", ["sse2"]],
    ["monitor", 3, "MONITOR and MWAIT"],
    ["ssse3", 9, "SSSE3", ["sse3"]],
    ["cx16", 13, "CMPXCHG16B", ["cx8"]],
    ["sse4.1", 19, "SSE4.1", ["ssse3"]],
    ["sse4.2", 20, "SSE4.2", ["sse4.1", "popcnt"]],
    ["x2apic", 21, "x2APIC mode", ["apic"]],
    ["movbe", 22, "MOVBE"],
    ["popcnt", 23, "POPCNT"],
    ["tsc-deadline", 24, "TSC-deadline mode of the APIC timer", ["apic", "tsc"]],
    ["xsave", 26, "XSAVE, XRSTOR and XCR0", ["fxsr"]],
    ["hypervisor", 31, "runs under a hypervisor"],
  ]),
  ...rows(6, 0, "eax", [["arat", 2, "APIC timer runs in all C-states", ["apic"]]]),
  ...rows(7, 0, "ebx", [
    ["fsgsbase", 0, "RDFSBASE and its like", ["lm"]],
    ["tsc-adjust", 1, "IA32_TSC_ADJUST", ["tsc", "msr"]],
    ["bmi1", 3, "TZCNT; the VEX-encoded rest of BMI1 is not implemented", [NOT_IMPLEMENTED]],
    ["fdp-excptn-only", 6, "FDP changes with unmasked x87 exceptions alone", ["fpu"]],
    ["smep", 7, "supervisor-mode execution prevention"],
    ["erms", 9, "enhanced REP MOVSB and STOSB"],
    ["zero-fcs-fds", 13, "FCS and FDS are zero", ["fpu"]],
    ["smap", 20, "supervisor-mode access prevention"],
    ["clflushopt", 23, "CLFLUSHOPT"],
    ["clwb", 24, "CLWB"],
  ]),
  ...rows(7, 0, "ecx", [
    ["umip", 2, "user-mode instruction prevention"],
    ["rdpid", 22, "RDPID", ["rdtscp"]],
  ]),
  ...rows(7, 0, "edx", [["arch-capabilities", 29, "IA32_ARCH_CAPABILITIES", ["msr"]]]),
  ...rows(0xd, 1, "eax", [["xsaveopt", 0, "XSAVEOPT", ["xsave"]]]),
  ...rows(0x8000_0001, 0, "ecx", [
    ["lahf64", 0, "LAHF and SAHF in 64-bit mode", ["lm"]],
    ["lzcnt", 5, "LZCNT"],
    ["3dnowprefetch", 8, "PREFETCH and PREFETCHW"],
  ]),
  ...rows(0x8000_0001, 0, "edx", [
    ["syscall", 11, "SYSCALL and SYSRET", ["msr"]],
    ["nx", 20, "no-execute pages", ["pae"]],
    ["pdpe1gb", 26, "1 GiB pages", ["lm"]],
    ["rdtscp", 27, "RDTSCP and IA32_TSC_AUX", ["tsc"]],
    ["lm", 29, "long mode", ["pae", "msr", "sse2", "cx8", "cmov", "fpu"]],
  ]),
  ...rows(0x8000_0007, 0, "edx", [["invtsc", 8, "the TSC runs at one rate always", ["tsc"]]]),
];

/** Other spellings, after {@link normal}. */
const ALIASES: Readonly<Record<string, string>> = {
  clflush: "clfsh",
  lahflm: "lahf64",
  pni: "sse3",
  nonstoptsc: "invtsc",
  constanttsc: "invtsc",
  invarianttsc: "invtsc",
  tscdeadlinetimer: "tscdeadline",
  xd: "nx",
  longmode: "lm",
  em64t: "lm",
  abm: "lzcnt",
  cmpxchg8b: "cx8",
  cmpxchg16b: "cx16",
  "1gbpages": "pdpe1gb",
};

function normal(name: string): string {
  return name.toLowerCase().replace(/[._\s-]/g, "");
}

const BY_NAME = new Map(TABLE.map((feature) => [normal(feature.name), feature]));

/** Every advertisable feature, in the order of CPUID. */
export const FEATURES: readonly Feature[] = TABLE;

/**
 * The feature called `name`; case, dots, dashes and underscores do not count. Throws `RangeError` with a
 * suggestion if there is none.
 */
export function featureNamed(name: string): Feature {
  const wanted = normal(name);
  const feature = BY_NAME.get(ALIASES[wanted] ?? wanted);
  if (feature) return feature;
  const nearest = closest(wanted, [...BY_NAME.keys()]);
  const hint = nearest === undefined ? "" : `; did you mean ${BY_NAME.get(nearest)!.name}?`;
  throw new RangeError(`no CPU feature is named "${name}"${hint}`);
}

/** The candidate at most two edits from `word`, nearest first, or `undefined`. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
