/** FXSAVE, XSAVE, FNSAVE, FNSTENV and their loads (SDM vol. 1, "FXSAVE Area", "XSAVE Area", "x87 State"). */

import type { Cpu } from "../cpu.ts";
import { fprOffset, offsetOf, xmmOffset } from "../state/layout.ts";
import { View } from "../paging/tlb.ts";
import { Cr0, Cr4, Exception } from "../state/bits.ts";
import {
  argument,
  argumentHigh,
  linearAddress,
  probeLinear,
  readLinear,
  viewOf,
  writeLinear,
} from "./memory_access.ts";
import { isLong, isProtected } from "./mode.ts";

const RAX = offsetOf("rax") >> 2;
const RDX = offsetOf("rdx") >> 2;
const FPU_IP = offsetOf("fpuIp");
const FPU_DP = offsetOf("fpuDp");

/** Bits of MXCSR that exist, as MXCSR_MASK says. */
export const MXCSR_MASK = 0xffff;
const MXCSR_RESET = 0x1f80;
/** The exception flags and masks of the x87 words. */
const X87_EXCEPTIONS = 0x3f;
/** ES and B of the status word: an unmasked exception is pending. */
const X87_PENDING = 0x8080;

/** Byte offsets in the legacy region of an XSAVE area. */
const Area = { mxcsr: 24, mxcsrMask: 28, st: 32, xmm: 160, header: 512 } as const;
const LEGACY_BYTES = 512;
const XSAVE_BYTES = 576;

/** State components of XCR0. */
const Component = { x87: 1, sse: 2 } as const;

/** The operand's address after alignment, limit and page checks. */
function areaAddress(cpu: Cpu, bytes: number, alignment: number, write: boolean): number {
  const low = argument(cpu, 1);
  const at = linearAddress(cpu, argument(cpu, 0), low, argumentHigh(cpu, 1), bytes, write);
  if ((at & (alignment - 1)) !== 0) {
    // Areas that need no alignment are subject to alignment checks.
    if (alignment >= 16) cpu.raise(Exception.GP, 0);
    if (cpu.mmu.view === View.userAligned) cpu.raise(Exception.AC, 0);
  }
  probeLinear(cpu, at, bytes, write, viewOf(cpu, cpu.state.cpl));
  return at;
}

/** Raises #NM while CR0.TS (and for FXSAVE and x87 stores CR0.EM) is set. */
function requireUnit(cpu: Cpu, emulationCounts: boolean): void {
  const bits = Cr0.TS | (emulationCounts ? Cr0.EM : 0);
  if ((cpu.state.cr0 & bits) !== 0) cpu.raise(Exception.NM);
}

/** The x87 status word with TOP. */
function statusWord(cpu: Cpu): number {
  return (cpu.state.fpuStatus & 0xc7ff) | (cpu.state.fpuTop << 11);
}

/** Sets control and status word; ES and B follow from what is unmasked. */
function setControlAndStatus(cpu: Cpu, control: number, status: number): void {
  const { state } = cpu;
  state.fpuControl = (control & 0x1f3f) | 0x40;
  state.fpuTop = (status >>> 11) & 7;
  const kept = status & 0x477f;
  const pending = (status & ~control & X87_EXCEPTIONS) !== 0;
  state.fpuStatus = kept | (pending ? X87_PENDING : 0);
}

/** FNINIT. */
export function initializeX87(cpu: Cpu): void {
  const { state } = cpu;
  state.fpuControl = 0x37f;
  state.fpuStatus = state.fpuTop = 0;
  state.fpuTags = 0xff;
  state.fpuOpcode = state.fpuCs = state.fpuDs = 0;
  state.setHalves(FPU_IP, 0, 0);
  state.setHalves(FPU_DP, 0, 0);
}

// ---- the legacy region ----

function storeX87(cpu: Cpu, at: number, wide: boolean): void {
  const { state } = cpu;
  const { u32 } = state;
  const view = viewOf(cpu, state.cpl);
  const put = (offset: number, value: number) => writeLinear(cpu, at + offset, 4, value, view);
  put(0, (state.fpuControl & 0xffff) | (statusWord(cpu) << 16));
  put(4, (~state.fpuTags & 0xff) | (state.fpuOpcode << 16));
  put(8, state.low(FPU_IP));
  put(12, wide ? state.high(FPU_IP) : state.fpuCs);
  put(16, state.low(FPU_DP));
  put(20, wide ? state.high(FPU_DP) : state.fpuDs);
  for (let i = 0; i < 8; i++) {
    const from = fprOffset((state.fpuTop + i) & 7) >> 2;
    put(Area.st + 16 * i, u32[from]);
    put(Area.st + 16 * i + 4, u32[from + 1]);
    put(Area.st + 16 * i + 8, u32[from + 2] & 0xffff);
    put(Area.st + 16 * i + 12, 0);
  }
}

function loadX87(cpu: Cpu, at: number, wide: boolean): void {
  const { state } = cpu;
  const { u32 } = state;
  const view = viewOf(cpu, state.cpl);
  const get = (offset: number) => readLinear(cpu, at + offset, 4, view);
  const words = get(0);
  const tags = get(4);
  setControlAndStatus(cpu, words & 0xffff, words >>> 16);
  state.fpuTags = ~tags & 0xff;
  state.fpuOpcode = (tags >>> 16) & 0x7ff;
  const [ip, ipHigh, dp, dpHigh] = [get(8), get(12), get(16), get(20)];
  state.setHalves(FPU_IP, ip, wide ? ipHigh : 0);
  state.setHalves(FPU_DP, dp, wide ? dpHigh : 0);
  state.fpuCs = wide ? 0 : ipHigh & 0xffff;
  state.fpuDs = wide ? 0 : dpHigh & 0xffff;
  for (let i = 0; i < 8; i++) {
    const to = fprOffset((state.fpuTop + i) & 7) >> 2;
    u32[to] = get(Area.st + 16 * i);
    u32[to + 1] = get(Area.st + 16 * i + 4);
    u32[to + 2] = get(Area.st + 16 * i + 8) & 0xffff;
    u32[to + 3] = 0;
  }
}

/** XMM0 to XMM15, or outside 64-bit mode to XMM7, in words. */
function xmmWords(cpu: Cpu): number {
  return (isLong(cpu) ? 16 : 8) * 4;
}

function storeXmm(cpu: Cpu, at: number): void {
  const { u32, cpl } = cpu.state;
  const view = viewOf(cpu, cpl);
  const first = xmmOffset(0) >> 2;
  for (let i = 0; i < xmmWords(cpu); i++) {
    writeLinear(cpu, at + Area.xmm + 4 * i, 4, u32[first + i], view);
  }
}

function loadXmm(cpu: Cpu, at: number): void {
  const { u32, cpl } = cpu.state;
  const view = viewOf(cpu, cpl);
  const first = xmmOffset(0) >> 2;
  for (let i = 0; i < xmmWords(cpu); i++) {
    u32[first + i] = readLinear(cpu, at + Area.xmm + 4 * i, 4, view);
  }
}

function storeMxcsr(cpu: Cpu, at: number): void {
  const view = viewOf(cpu, cpu.state.cpl);
  writeLinear(cpu, at + Area.mxcsr, 4, cpu.state.mxcsr, view);
  writeLinear(cpu, at + Area.mxcsrMask, 4, MXCSR_MASK, view);
}

/** Reads MXCSR from an area; raises #GP(0) for a reserved bit. */
function readMxcsr(cpu: Cpu, at: number): number {
  const value = readLinear(cpu, at + Area.mxcsr, 4, viewOf(cpu, cpu.state.cpl));
  if ((value & ~MXCSR_MASK) !== 0) cpu.raise(Exception.GP, 0);
  return value;
}

/** FXSAVE: arguments are segment and offset of the area, and 64 for FXSAVE64, else 32. */
export function saveLegacyArea(cpu: Cpu): void {
  requireUnit(cpu, true);
  const at = areaAddress(cpu, LEGACY_BYTES, 16, true);
  storeX87(cpu, at, argument(cpu, 2) === 64);
  storeMxcsr(cpu, at);
  storeXmm(cpu, at);
}

/** FXRSTOR: arguments as of FXSAVE. */
export function loadLegacyArea(cpu: Cpu): void {
  requireUnit(cpu, true);
  const at = areaAddress(cpu, LEGACY_BYTES, 16, false);
  const mxcsr = readMxcsr(cpu, at);
  loadX87(cpu, at, argument(cpu, 2) === 64);
  cpu.state.mxcsr = mxcsr;
  loadXmm(cpu, at);
}

// ---- XSAVE ----

/** The components that XCR0 and EDX:EAX ask for. */
function requestedComponents(cpu: Cpu): number {
  const { state } = cpu;
  if ((state.cr4 & Cr4.OSXSAVE) === 0) cpu.raise(Exception.UD);
  requireUnit(cpu, false);
  return state.u32[RAX] & state.xcr0;
}

/**
 * XSAVE and XSAVEOPT: arguments as of FXSAVE. All components count as in use and as modified, which
 * the manual allows.
 */
export function saveExtendedArea(cpu: Cpu): void {
  const requested = requestedComponents(cpu);
  const at = areaAddress(cpu, XSAVE_BYTES, 64, true);
  const view = viewOf(cpu, cpu.state.cpl);
  const inArea = readLinear(cpu, at + Area.header, 4, view);
  if ((requested & Component.x87) !== 0) storeX87(cpu, at, argument(cpu, 2) === 64);
  if ((requested & Component.sse) !== 0) {
    storeMxcsr(cpu, at);
    storeXmm(cpu, at);
  }
  writeLinear(cpu, at + Area.header, 4, inArea | requested, view);
}

/** XRSTOR, standard form: arguments as of FXSAVE. */
export function loadExtendedArea(cpu: Cpu): void {
  const requested = requestedComponents(cpu);
  const { state } = cpu;
  const at = areaAddress(cpu, XSAVE_BYTES, 64, false);
  const view = viewOf(cpu, state.cpl);
  const header = (word: number) => readLinear(cpu, at + Area.header + 4 * word, 4, view);
  const inArea = header(0);
  if ((inArea & ~state.xcr0) !== 0) cpu.raise(Exception.GP, 0);
  // The rest of the first 24 bytes is zero: no compaction, no further component.
  for (let word = 1; word < 6; word++) if (header(word) !== 0) cpu.raise(Exception.GP, 0);
  const mxcsr = (requested & Component.sse) !== 0 ? readMxcsr(cpu, at) : state.mxcsr;
  if ((requested & Component.x87) !== 0) {
    if ((inArea & Component.x87) !== 0) loadX87(cpu, at, argument(cpu, 2) === 64);
    else {
      initializeX87(cpu);
      state.u32.fill(0, fprOffset(0) >> 2, (fprOffset(7) >> 2) + 4);
    }
  }
  if ((requested & Component.sse) !== 0) {
    state.mxcsr = mxcsr;
    const first = xmmOffset(0) >> 2;
    if ((inArea & Component.sse) !== 0) loadXmm(cpu, at);
    else state.u32.fill(0, first, first + xmmWords(cpu));
  }
}

/** MXCSR after RESET and in the initial configuration. */
export { MXCSR_RESET };

/** EDX:EAX of XGETBV with ECX 1 and of XSAVE's mask lie here. */
export const XSAVE_MASK = { low: RAX, high: RDX } as const;

// ---- x87 alone ----

/** The two-bit tag of physical register `n`: valid, zero, special or empty. */
function fullTag(cpu: Cpu, n: number): number {
  const { u32, fpuTags } = cpu.state;
  if (((fpuTags >>> n) & 1) !== 0) return 3;
  const at = fprOffset(n) >> 2;
  const exponent = u32[at + 2] & 0x7fff;
  const integer = u32[at + 1] >>> 31;
  if (exponent === 0 && (u32[at] | u32[at + 1]) === 0) return 1;
  return exponent === 0 || exponent === 0x7fff || integer === 0 ? 2 : 0;
}

function fullTags(cpu: Cpu): number {
  let tags = 0;
  for (let n = 0; n < 8; n++) tags |= fullTag(cpu, n) << (2 * n);
  return tags;
}

function setFullTags(cpu: Cpu, tags: number): void {
  let empty = 0;
  for (let n = 0; n < 8; n++) if (((tags >>> (2 * n)) & 3) === 3) empty |= 1 << n;
  cpu.state.fpuTags = empty;
}

/** The four words after the tags, in the format of the mode (SDM vol. 1, "Saving the x87 FPU's State"). */
function pointerWords(cpu: Cpu, wide: boolean): number[] {
  const { state } = cpu;
  const ip = state.low(FPU_IP) >>> 0;
  const dp = state.low(FPU_DP) >>> 0;
  if (isProtected(cpu)) {
    return wide
      ? [ip, state.fpuCs | (state.fpuOpcode << 16), dp, (state.fpuDs | 0xffff0000) >>> 0]
      : [ip & 0xffff, state.fpuCs, dp & 0xffff, state.fpuDs];
  }
  const linearIp = (ip + state.fpuCs * 16) >>> 0;
  const linearDp = (dp + state.fpuDs * 16) >>> 0;
  // Bits 31..16 (or 19..16) go to bits 27..12 of the second word, above the opcode.
  const above = (address: number) => (address >>> 16) << 12;
  const opcode = state.fpuOpcode & 0x7ff;
  const words = [
    linearIp & 0xffff,
    above(linearIp) | opcode,
    linearDp & 0xffff,
    above(linearDp),
  ];
  return wide ? words : words.map((word) => word & 0xffff);
}

function setPointers(cpu: Cpu, wide: boolean, words: readonly number[]): void {
  const { state } = cpu;
  const [first, second, third, fourth] = words;
  if (isProtected(cpu)) {
    state.setHalves(FPU_IP, first, 0);
    state.setHalves(FPU_DP, third, 0);
    state.fpuCs = second & 0xffff;
    state.fpuDs = fourth & 0xffff;
    if (wide) state.fpuOpcode = (second >>> 16) & 0x7ff;
    return;
  }
  const mask = wide ? 0xffff : 0xf;
  const address = (low: number, high: number) =>
    ((low & 0xffff) | (((high >>> 12) & mask) << 16)) >>> 0;
  state.setHalves(FPU_IP, address(first, second), 0);
  state.setHalves(FPU_DP, address(third, fourth), 0);
  state.fpuCs = state.fpuDs = 0;
  state.fpuOpcode = second & 0x7ff;
}

function storeEnvironment(cpu: Cpu, at: number, wide: boolean): void {
  const view = viewOf(cpu, cpu.state.cpl);
  const words = [cpu.state.fpuControl, statusWord(cpu), fullTags(cpu)];
  const size = wide ? 4 : 2;
  // In the wide format the upper halves of these three are reserved, and read as ones.
  words.map((word) => wide ? (word | 0xffff0000) >>> 0 : word).concat(pointerWords(cpu, wide))
    .forEach((word, i) => writeLinear(cpu, at + size * i, size, word, view));
}

function loadEnvironmentFrom(cpu: Cpu, at: number, wide: boolean): void {
  const view = viewOf(cpu, cpu.state.cpl);
  const size = wide ? 4 : 2;
  const words = Array.from({ length: 7 }, (_, i) => readLinear(cpu, at + size * i, size, view));
  setControlAndStatus(cpu, words[0] & 0xffff, words[1] & 0xffff);
  setFullTags(cpu, words[2] & 0xffff);
  setPointers(cpu, wide, words.slice(3));
}

/** Whether argument 2, the operand size in bits, selects the 32-bit format. */
function isWide(cpu: Cpu): boolean {
  return argument(cpu, 2) !== 16;
}

function environmentBytes(wide: boolean): number {
  return wide ? 28 : 14;
}

/** FNSTENV: arguments are segment, offset and operand size in bits. Masks all exceptions afterwards. */
export function storeX87Environment(cpu: Cpu): void {
  requireUnit(cpu, true);
  const wide = isWide(cpu);
  const at = areaAddress(cpu, environmentBytes(wide), wide ? 4 : 2, true);
  storeEnvironment(cpu, at, wide);
  const { state } = cpu;
  setControlAndStatus(cpu, state.fpuControl | X87_EXCEPTIONS, statusWord(cpu));
}

/** FLDENV: arguments as of FNSTENV. */
export function loadX87Environment(cpu: Cpu): void {
  requireUnit(cpu, true);
  const wide = isWide(cpu);
  loadEnvironmentFrom(cpu, areaAddress(cpu, environmentBytes(wide), wide ? 4 : 2, false), wide);
}

/** FNSAVE: arguments as of FNSTENV. Initializes the unit afterwards. */
export function saveX87(cpu: Cpu): void {
  requireUnit(cpu, true);
  const { state } = cpu;
  const wide = isWide(cpu);
  const first = environmentBytes(wide);
  const at = areaAddress(cpu, first + 80, wide ? 4 : 2, true);
  const view = viewOf(cpu, state.cpl);
  storeEnvironment(cpu, at, wide);
  for (let i = 0; i < 8; i++) {
    const from = fprOffset((state.fpuTop + i) & 7) >> 2;
    const to = at + first + 10 * i;
    writeLinear(cpu, to, 4, state.u32[from], view);
    writeLinear(cpu, to + 4, 4, state.u32[from + 1], view);
    writeLinear(cpu, to + 8, 2, state.u32[from + 2], view);
  }
  initializeX87(cpu);
}

/** FRSTOR: arguments as of FNSTENV. */
export function restoreX87(cpu: Cpu): void {
  requireUnit(cpu, true);
  const { state } = cpu;
  const wide = isWide(cpu);
  const first = environmentBytes(wide);
  const at = areaAddress(cpu, first + 80, wide ? 4 : 2, false);
  const view = viewOf(cpu, state.cpl);
  loadEnvironmentFrom(cpu, at, wide);
  for (let i = 0; i < 8; i++) {
    const to = fprOffset((state.fpuTop + i) & 7) >> 2;
    const from = at + first + 10 * i;
    state.u32[to] = readLinear(cpu, from, 4, view);
    state.u32[to + 1] = readLinear(cpu, from + 4, 4, view);
    state.u32[to + 2] = readLinear(cpu, from + 8, 2, view);
    state.u32[to + 3] = 0;
  }
}
