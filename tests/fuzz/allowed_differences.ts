/** Differences between two CPUs that follow the architecture: what it leaves open, and what vendors do differently. */

import { extended80 } from "../../core/x86/softfloat/mod.ts";
import { type HostCpu, Reply } from "./host_process.ts";
import { isMemory, isX87, type JudgedCase } from "./judged_case.ts";
import type { Difference } from "./outcome.ts";
import { distanceUlp } from "./softfloat_operands.ts";
import { undefinedFlags } from "./undefined_flags.ts";

/** A difference that is neither's fault. */
interface Rule {
  /** Absent: any. */
  readonly mnemonics?: readonly string[];
  readonly reason: string;
  /** Whose CPUs show it, if not any's. */
  readonly vendor?: HostCpu["vendor"];
  allows(judged: JudgedCase, difference: Difference): boolean;
}

const BR_VECTOR = 5;
const SS_VECTOR = 12;
const GP_VECTOR = 13;
const AC_VECTOR = 17;
/** C1, OE and UE: what one unit in the last place decides. */
const ULP_STATUS = 0x218n;
const RANGE_STATUS = 0x18;
/** ES and B. */
const SUMMARY_STATUS = 0x8080n;
const ERROR_SUMMARY = 0x80;
const FSW = Reply.fx + 2;
const TOP = 0x3800;
/** RCPPS and RSQRTPS are exact to 1.5 * 2**-12; two such results differ by less than this. */
const APPROXIMATION = 2 ** -10;

const STRINGS = ["MOVS", "STOS", "LODS", "CMPS", "SCAS"];
const AREAS = ["FXSAVE", "FXRSTOR", "FNSAVE", "FRSTOR", "FNSTENV", "FLDENV"];
const TRANSCENDENTAL = ["F2XM1", "FYL2X", "FYL2XP1", "FPTAN", "FPATAN", "FSIN", "FCOS", "FSINCOS"];

const isUpperHalfCleared = ({ what, host, guest }: Difference) =>
  ["rsi", "rdi", "rcx"].includes(what) && host === (guest & 0xffff_ffffn);

const isWhichFault = ({ what }: Difference) => ["vector", "error", "address"].includes(what);

/** What any CPU may do. */
const OPEN: readonly Rule[] = [
  {
    mnemonics: ["CMPS", "SCAS"],
    reason: "flags between two iterations are no input of the next one",
    allows: ({ form, host, rip }, { what }) =>
      what === "flags" && form.bound.form.repeat !== "none" && host.u64(Reply.rip) === rip,
  },
  {
    mnemonics: STRINGS,
    reason: "with 32-bit addresses a fault or a count of zero may clear upper halves",
    allows: ({ form, host, count }, difference) =>
      form.long && form.addressPrefix && form.bound.form.repeat !== "none" &&
      (!host.completed || count === 0) && isUpperHalfCleared(difference),
  },
  {
    mnemonics: ["MASKMOVDQU"],
    reason: "which byte faults, and whether one that is masked does, is left open",
    allows: ({ host }) => !host.completed,
  },
  {
    mnemonics: AREAS,
    reason: "which byte's fault is seen first is left open; #AC may take the place of #GP",
    allows: ({ bothFaulted }, difference) => bothFaulted && isWhichFault(difference),
  },
  {
    mnemonics: ["FSTP", "FBSTP", "FNSAVE", "FNSTENV", "FXSAVE"],
    reason: "a store that ends in an unmapped page may have begun",
    allows: ({ hostPageFaulted }, difference) => hostPageFaulted && isMemory(difference),
  },
  {
    reason:
      'an access that wraps at 4 GiB may or may not violate the limit (SDM vol. 3, "Limit Checking")',
    allows: ({ form, host, guest, hostPageFaulted }, difference) =>
      !form.long && hostPageFaulted && host.u64(Reply.address) >= 0xffff_ff00n &&
      [GP_VECTOR, SS_VECTOR].includes(guest.vector) && isWhichFault(difference),
  },
  {
    mnemonics: ["BOUND"],
    reason: "the lower bound may be compared before the upper one is read",
    allows: ({ host }, difference) => host.vector === BR_VECTOR && isWhichFault(difference),
  },
  {
    mnemonics: ["POPA"],
    reason: "registers that were popped before a fault may have been loaded",
    allows: ({ hostPageFaulted }, { what }) => hostPageFaulted && /^r..$/.test(what),
  },
  {
    mnemonics: ["CALL"],
    reason: "the return address may be stored before a non-canonical target is seen",
    allows: ({ form, guest, bothFaulted }, difference) =>
      form.long && guest.vector === GP_VECTOR && bothFaulted &&
      (isMemory(difference) || isWhichFault(difference)),
  },
  {
    mnemonics: ["FST", "FSTP", "FIST", "FISTP", "FISTTP", "FBSTP"],
    reason: "whether memory is checked when an unmasked exception stores nothing is left open",
    allows: ({ host, guest }) =>
      host.completed && (host.u16(FSW) & ERROR_SUMMARY) !== 0 && !guest.completed,
  },
  {
    mnemonics: TRANSCENDENTAL,
    reason: "transcendental functions are exact to one unit in the last place",
    allows: (judged, { what, host, guest }) => {
      // Of two neighbours one may be tiny, and have its exponent biased as the unmasked response does.
      const differInRange = ((judged.host.u16(FSW) ^ judged.guest.u16(FSW)) & RANGE_STATUS) !== 0;
      if (what === "fsw") {
        return ((host ^ guest) & ~(ULP_STATUS | (differInRange ? SUMMARY_STATUS : 0n))) === 0n;
      }
      if (!/^st\d$/.test(what)) return false;
      if (differInRange) return true;
      const distance = distanceUlp(extended80, host, guest);
      return distance !== undefined && distance <= 1n;
    },
  },
  {
    mnemonics: ["SHLD", "SHRD"],
    reason: "the result is undefined for counts above the operand's width",
    allows: ({ shiftCount, width }) => shiftCount > width,
  },
];

/** What Intel's CPUs do. */
const INTEL: readonly Omit<Rule, "vendor">[] = [
  {
    mnemonics: ["PUSH segment register"],
    reason: "recent CPUs write the selector's 16 bits only (SDM vol. 2, PUSH), and check no more",
    allows: ({ width, guest }, difference) =>
      width > 16 &&
      (guest.vector === AC_VECTOR || (isMemory(difference) && difference.guest === 0n)),
  },
  {
    mnemonics: ["MOVBE"],
    reason: "with 66 and REX.W it goes byte by byte: no #AC, and a store may have begun",
    allows: ({ form, host, guest, bothFaulted }, difference) =>
      form.rexW && form.prefixes.includes(0x66) &&
      (guest.vector === AC_VECTOR || (bothFaulted && isWhichFault(difference)) ||
        (!host.completed && isMemory(difference))),
  },
];

/** What AMD's CPUs do; the guest follows Intel's where neither is more right. */
const AMD: readonly Omit<Rule, "vendor">[] = [
  {
    mnemonics: ["CMPS", "MOVS", "POPA", "PUSHA", "ENTER"],
    reason: "which of several accesses is made first is left open",
    allows: ({ bothFaulted }, difference) => bothFaulted && isWhichFault(difference),
  },
  {
    mnemonics: ["INS", "OUTS"],
    reason: "with a count of zero the right to the port may go unchecked",
    allows: ({ form, count }) => form.bound.form.repeat !== "none" && count === 0,
  },
  {
    mnemonics: ["RET", "JMP", "CALL"],
    reason: "a non-canonical target may be seen once RIP is loaded",
    allows: ({ host, guest }, difference) =>
      host.vector === GP_VECTOR && guest.vector === GP_VECTOR &&
      (["rip", "rsp"].includes(difference.what) || isMemory(difference)),
  },
  {
    mnemonics: ["NOP"],
    reason: "0F 0D is PREFETCH and has no register form",
    allows: ({ form }) => form.encoding.opcode === 0x0d && !form.memory,
  },
  {
    mnemonics: ["RCPPS", "RCPSS", "RSQRTPS", "RSQRTSS"],
    reason: "approximations differ within their bound",
    allows: (_, { what, host, guest }) => /^xmm/.test(what) && areNear(host, guest),
  },
  {
    mnemonics: [...TRANSCENDENTAL, "FPREM", "FPREM1", "FBLD"],
    reason: "steps, domains and invalid operands differ; softfloat_oracle_test judges the rest",
    allows: (_, difference) => isX87(difference),
  },
  {
    mnemonics: ["CVTPI2PS", "CVTPI2PD"],
    reason: "a source in memory may enter MMX state",
    allows: ({ form }, difference) => form.memory && isX87(difference),
  },
  {
    mnemonics: ["FXSAVE", "FNSAVE", "FNSTENV"],
    reason: "pointers are those of an older instruction, and MXCSR_MASK has bit 17",
    allows: (_, difference) => isMemory(difference) && difference.guest === 0n,
  },
  {
    mnemonics: ["FXRSTOR", "LDMXCSR"],
    reason: "bit 17 of MXCSR exists",
    allows: ({ host, guest }) => host.completed && guest.vector === GP_VECTOR,
  },
];

const RULES: readonly Rule[] = [
  ...OPEN,
  ...INTEL.map((rule) => ({ ...rule, vendor: "intel" as const })),
  ...AMD.map((rule) => ({ ...rule, vendor: "amd" as const })),
];

/** Whether all four singles of two vectors are equal or nearly so. */
function areNear(a: bigint, b: bigint): boolean {
  const view = new DataView(new ArrayBuffer(8));
  for (let shift = 0n; shift < 128n; shift += 32n) {
    view.setBigUint64(0, ((a >> shift) & 0xffff_ffffn) | (((b >> shift) & 0xffff_ffffn) << 32n));
    const [y, x] = [view.getFloat32(0), view.getFloat32(4)];
    if (!Object.is(x, y) && !(Math.abs(x - y) <= Math.abs(x) * APPROXIMATION)) return false;
  }
  return true;
}

/** An MMX instruction that faults may already have made register 0 the x87 stack's top, or all registers valid. */
function entersMmxState({ form, host }: JudgedCase, difference: Difference): boolean {
  return !host.completed && isX87(difference) && (host.u16(FSW) & TOP) === 0 &&
    form.encoding.operands.some(({ source }) => "PQN".includes(source));
}

/** Why the architecture allows a difference between the host and the guest, or null. */
export function reasonToAllow(judged: JudgedCase, difference: Difference): string | null {
  const { what, host, guest } = difference;
  if (what === "flags" && ((host ^ guest) & ~BigInt(undefinedFlags(judged))) === 0n) {
    return "flags that the manual leaves undefined";
  }
  if (entersMmxState(judged, difference)) {
    return "MMX state may be entered before the fault of an instruction that enters it";
  }
  const rule = RULES.find(({ mnemonics, vendor, allows }) =>
    (mnemonics === undefined || mnemonics.includes(judged.mnemonic)) &&
    (vendor === undefined || vendor === judged.cpu.vendor) &&
    allows(judged, difference)
  );
  return rule?.reason ?? null;
}
