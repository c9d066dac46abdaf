/**
 * Where the architectural state of a CPU lies in the machine's linear memory.
 *
 * Every engine and the TypeScript around them read and write these same bytes. Offsets follow from
 * the order of the table; nothing else states them.
 *
 * General registers are 64 bits wide. The status flags are kept as three *sources*, from which each
 * flag is one operation away (docs/decisions/0007-flag_sources.md):
 *
 * ```text
 * zeroSource   ZF = (zeroSource == 0)
 * signSource   SF = bit 63, PF = even parity of bits 7..0
 * carrySource  CF = bit 63, OF = bit 63 xor bit 62, AF = bit 3
 * ```
 */

/** The storage of one field. */
export type FieldType = "i64" | "u32" | "v128";

interface FieldSpec {
  readonly name: string;
  readonly type: FieldType;
  /** How many of them lie one behind the other (default 1). */
  readonly count?: number;
  readonly about: string;
}

function field<Name extends string, Type extends FieldType>(
  name: Name,
  type: Type,
  about: string,
): { readonly name: Name; readonly type: Type; readonly about: string } {
  return { name, type, about };
}

/** The general registers, in the order of their encodings. */
export const GENERAL_REGISTERS = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;
export type GeneralRegister = (typeof GENERAL_REGISTERS)[number];

/** Segment registers in the order of their encodings, then the two system segments. */
export const SEGMENT_REGISTERS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
export type SegmentRegister = (typeof SEGMENT_REGISTERS)[number];

/** Each segment register's parts. */
const SEGMENT_PARTS = [
  field("Selector", "u32", "visible selector"),
  field(
    "Attributes",
    "u32",
    "descriptor bits 55..40 shifted down: type, S, DPL, P, AVL, L, D/B, G",
  ),
  field("Base", "i64", "linear base address"),
  field("First", "i64", "lowest valid offset (above 0 for expand-down segments)"),
  field("Last", "i64", "highest valid offset; First > Last when nothing is valid"),
  field("Limit", "u32", "limit in bytes as loaded, after scaling by G"),
  field("Access", "u32", "bit 0 readable, bit 1 writable, bit 2 usable (not null)"),
] as const;

/** The fields of one part, in all segment registers. */
type SegmentField<Part = (typeof SEGMENT_PARTS)[number]> = Part extends
  { readonly name: infer Name extends string; readonly type: infer Type extends FieldType } ? {
    readonly name: `${SegmentRegister}${Name}`;
    readonly type: Type;
    readonly about: string;
  }
  : never;

const FIELDS = [
  ...GENERAL_REGISTERS.map((name) => field(name, "i64", "general register")),
  field("zero", "i64", "always zero: the base or index that an address lacks"),
  field("rip", "i64", "offset in CS of the current instruction"),
  field("zeroSource", "i64", "see above"),
  field("signSource", "i64", "see above"),
  field("carrySource", "i64", "see above"),
  field(
    "flags",
    "u32",
    "EFLAGS without its status flags (TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID)",
  ),
  field("cpl", "u32", "current privilege level"),
  // What the engines need at hand.
  field(
    "budget",
    "u32",
    "cycles until the engine returns (signed: the last instruction may overdraw it)",
  ),
  field("status", "u32", "what stopped an instruction: see Status"),
  field("vector", "u32", "vector of the pending exception"),
  field("errorCode", "u32", "error code of the pending exception"),
  field("hasErrorCode", "u32", "1 when the pending exception pushes an error code"),
  field("index", "u32", "number of this CPU in its machine"),
  field("faultAddress", "i64", "linear address of the pending page fault"),
  field("blockRip", "i64", "cold tier: offset in CS of the first instruction of the current block"),
  field("nextRip", "i64", "offset in CS of the instruction that follows the current one"),
  field("ipMask", "i64", "mask of an instruction pointer: 16, 32 or 64 bits"),
  field("dataTlb", "i64", "linear offset of the data TLB bank that CPL, SMAP and VM id select"),
  field("codeTlb", "i64", "linear offset of the code TLB bank"),
  field("modeKey", "u32", "what besides its bytes decides how code is decoded: see mode.ts"),
  field("x87Trap", "u32", "vector that an x87 instruction raises now (7 for #NM), or 0"),
  field("mmxTrap", "u32", "vector that an MMX instruction raises now (6 or 7), or 0"),
  field("sseTrap", "u32", "vector that an SSE instruction raises now (6 or 7), or 0"),
  field("fastPaths", "u32", "1 when fast paths may be taken, 0 forces their plain twins"),
  field("care", "u32", "why quick ways must leave something to their plain twins: see Care"),
  field("cycleBase", "i64", "the machine's cycle, plus the budget that is left"),
  field("tlbBank", "i64", "linear offset of the TLB bank that the VM id selects"),
  field("localFrame", "u32", "frame of the page that only this CPU sees, or 0xffffffff"),
  field("codeLast", "i64", "highest valid offset in CS, for instruction fetch"),
  // Arguments and result of calls from generated code into TypeScript.
  field("argument0", "v128", "first argument"),
  field("argument1", "v128", "second argument"),
  field("argument2", "v128", "third argument"),
  field("argument3", "v128", "fourth argument"),
  field("result", "v128", "result"),
  // x87, MMX and SSE.
  field("xmm", "v128", "XMM0"),
  ...Array.from({ length: 15 }, (_, i) => field(`xmm${i + 1}` as "xmmN", "v128", "XMM register")),
  field(
    "fpr",
    "v128",
    "physical x87 register 0: significand in bits 63..0, sign and exponent in 79..64",
  ),
  ...Array.from({ length: 7 }, (_, i) => field(`fpr${i + 1}` as "fprN", "v128", "x87 register")),
  field("fpuControl", "u32", "x87 control word"),
  field("fpuStatus", "u32", "x87 status word without TOP"),
  field("fpuTop", "u32", "x87 TOP, 0..7"),
  field("fpuTags", "u32", "bit n set: physical register n is empty"),
  field("fpuOpcode", "u32", "last x87 opcode (FOP, 11 bits)"),
  field("fpuCs", "u32", "selector of the last x87 instruction"),
  field("fpuDs", "u32", "selector of the last x87 operand"),
  field("mxcsr", "u32", "SSE control and status"),
  field("fpuIp", "i64", "offset of the last x87 instruction"),
  field("fpuDp", "i64", "offset of the last x87 operand"),
  // Segments and tables.
  ...SEGMENT_REGISTERS.flatMap((segment) =>
    SEGMENT_PARTS.map((part) => ({ ...part, name: `${segment}${part.name}` }) as SegmentField)
  ),
  field("gdtrBase", "i64", "GDT linear base"),
  field("idtrBase", "i64", "IDT linear base"),
  field("gdtrLimit", "u32", "GDT limit"),
  field("idtrLimit", "u32", "IDT limit"),
  // Control.
  field("cr0", "u32", "CR0"),
  field("cr4", "u32", "CR4"),
  field("cr2", "i64", "CR2"),
  field("cr3", "i64", "CR3"),
  field("efer", "u32", "IA32_EFER"),
  field("xcr0", "u32", "XCR0"),
  field("dr0", "i64", "breakpoint address 0"),
  field("dr1", "i64", "breakpoint address 1"),
  field("dr2", "i64", "breakpoint address 2"),
  field("dr3", "i64", "breakpoint address 3"),
  field("dr6", "u32", "debug status"),
  field("dr7", "u32", "debug control"),
  field("activity", "u32", "see Activity: running, halted, waiting for SIPI, shut down"),
  field(
    "inhibit",
    "u32",
    "the shadow that holds interrupts off for one instruction: see Inhibit",
  ),
  field("nmiBlocked", "u32", "1 between the delivery of an NMI and the next IRET"),
  field("debugPending", "u32", "DR6 bits of a debug trap to raise after the current instruction"),
  field("vmId", "u32", "virtual machine that the CPU runs for: tag of TLB banks and of code"),
  field("a20Mask", "u32", "0xffffffff, or 0xffefffff while A20 is gated"),
  // Model-specific registers that have no other home.
  field("tscOffset", "i64", "added to the machine's cycle to give the TSC"),
  field("tscAux", "u32", "IA32_TSC_AUX"),
  field("sysenterCs", "u32", "IA32_SYSENTER_CS"),
  field("sysenterEsp", "i64", "IA32_SYSENTER_ESP"),
  field("sysenterEip", "i64", "IA32_SYSENTER_EIP"),
  field("star", "i64", "IA32_STAR"),
  field("lstar", "i64", "IA32_LSTAR"),
  field("cstar", "i64", "IA32_CSTAR"),
  field("fmask", "i64", "IA32_FMASK"),
  field("kernelGsBase", "i64", "IA32_KERNEL_GS_BASE"),
  field("pat", "i64", "IA32_PAT"),
  field("miscEnable", "i64", "IA32_MISC_ENABLE"),
  field("monitorAddress", "i64", "physical address armed by MONITOR"),
  field("monitorArmed", "u32", "1 while MONITOR is armed"),
  field("interruptRequest", "u32", "1 while the local APIC has an interrupt for this CPU"),
  field("signals", "u32", "NMI, INIT and SIPI that wait for an instruction boundary: see Signal"),
] as const satisfies readonly FieldSpec[];

/** The name of a field of the CPU state. */
export type FieldName = (typeof FIELDS)[number]["name"];

/** Fields that hold 32 bits; the others hold 64 or 128. */
export type NarrowField = Extract<(typeof FIELDS)[number], { type: "u32" }>["name"];
export type WideField = Extract<(typeof FIELDS)[number], { type: "i64" }>["name"];

/** A placed field. */
export interface Field {
  readonly name: FieldName;
  readonly type: FieldType;
  /** Bytes from the start of the CPU's area. */
  readonly offset: number;
  readonly about: string;
}

const SIZES: Record<FieldType, number> = { i64: 8, u32: 4, v128: 16 };

function place(): { fields: ReadonlyMap<FieldName, Field>; sizeBytes: number } {
  const fields = new Map<FieldName, Field>();
  let offset = 0;
  for (const spec of FIELDS) {
    const size = SIZES[spec.type];
    offset = Math.ceil(offset / size) * size;
    if (fields.has(spec.name)) {
      throw new Error(`two fields of the CPU state are named ${spec.name}`);
    }
    fields.set(spec.name, { ...spec, offset });
    offset += size;
  }
  return { fields, sizeBytes: Math.ceil(offset / 64) * 64 };
}

const placed = place();

/** Every field by name, in order of offset. */
export const STATE_FIELDS: ReadonlyMap<FieldName, Field> = placed.fields;

/** Bytes that the state of one CPU takes. */
export const STATE_SIZE_BYTES: number = placed.sizeBytes;

/** The offset of a field from the start of its CPU's area, in bytes. */
export function offsetOf(name: FieldName): number {
  return STATE_FIELDS.get(name)!.offset;
}

/** The offset of general register `number` (0..15). */
export function registerOffset(number: number): number {
  return number * 8;
}

/** The offset of XMM register `number` (0..15). */
export function xmmOffset(number: number): number {
  return offsetOf("xmm") + 16 * number;
}

/** The offset of physical x87 register `number` (0..7). */
export function fprOffset(number: number): number {
  return offsetOf("fpr") + 16 * number;
}

/** Bits of the `…Access` part of a segment register. */
export const SegmentAccess = { readable: 1, writable: 2, usable: 4 } as const;

/** Values of the `status` field. */
export const Status = {
  /** Nothing happened. */
  none: 0,
  /** An exception is pending in `vector`, `errorCode`, `hasErrorCode` and `faultAddress`. */
  exception: 1,
  /** An instruction asked the engine to return to its caller after it has retired. */
  stop: 2,
  /** The second translation stage refused an access, and the instruction was abandoned. */
  refused: 3,
} as const;

/** Bits of the `care` field; each says that there is such a thing. */
export const Care = {
  /** An owner of ring 0, who is asked before sensitive instructions. */
  owner: 1,
  /** A second translation stage. */
  secondStage: 2,
  /** Data breakpoints of the guest, or watchpoints of a debugger. */
  comparisons: 4,
  /** A debugger's code stops, which must see what code TLBs take in. */
  codeStops: 8,
  /** A debugger that is told of traps and system functions. */
  debugger: 16,
  /** Somebody who must hear of traps at once. */
  traps: 32,
} as const;

/** Fields that say where a CPU's parts lie and what surrounds it: no part of what a snapshot brings back. */
export const PLACE_FIELDS = ["dataTlb", "codeTlb", "tlbBank", "care", "localFrame"] as const;

/** Values of the `inhibit` field; that of MOV SS holds off debug traps too. */
export const Inhibit = { none: 0, sti: 1, movSs: 2 } as const;

/** Bits of the `signals` field; the vector of a start-up IPI is in bits 15..8. */
export const Signal = { nmi: 1, init: 2, sipi: 4 } as const;

/** Values of the `activity` field (names of the VMX guest activity states). */
export const Activity = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3 } as const;
