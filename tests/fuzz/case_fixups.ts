/**
 * What cases of some instructions need besides random values: quotients that fit, operands that are equal, counts that
 * end, addresses that no ModRM byte names.
 */

import type { CaseForm } from "./case_forms.ts";
import type { CaseState } from "./case_state.ts";
import { DATA, DATA_BYTES, PATCH_BYTES, Request } from "./host_process.ts";

const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Addresses that code can be at. */
const CANONICAL_BITS = 46;
const MXCSR_IN_FXSAVE = 24n;
const MXCSR_BITS = 0xffff;

/** Bytes of the memory operand where its width does not tell. */
const AREAS: Readonly<Record<string, number>> = {
  FXSAVE: 512,
  FXRSTOR: 512,
  FNSAVE: 108,
  FRSTOR: 108,
  FNSTENV: 28,
  FLDENV: 28,
  "CMPXCHG8B/CMPXCHG16B": 16,
  BOUND: 8,
};

/** Bytes that the memory operand of `form` has. */
export function operandBytes({ encoding, bound }: CaseForm): number {
  const area = AREAS[encoding.definition.mnemonic];
  if (area !== undefined) return area;
  const operand = bound.form.operands.find(({ kind }) => kind === "memory");
  return operand && operand.width > 0 ? operand.width >> 3 : 64;
}

type Fixup = (state: CaseState) => void;

/** A count register for REP and LOOP: small, so that it ends. */
function setCount(state: CaseState, limit: number): void {
  const { random } = state;
  const count = BigInt(random.below(limit));
  const noise = random.below(2) === 0 ? 0n : random.bits(32) << 32n;
  state.setGeneral(RCX, state.form.bound.form.addressWidth === 32 ? count | noise : count);
}

/** Mostly a dividend whose upper half is small, so that the quotient fits. */
const divide: Fixup = (state) => {
  const { random, form } = state;
  if (random.below(4) === 0) return;
  const { width } = form.bound.form;
  const upper = random.below(3) === 0 ? -1n : BigInt(random.below(3));
  if (width === 8) {
    const low = state.general(RAX);
    state.setGeneral(RAX, (low & ~0xff00n) | ((upper & 0xffn) << 8n));
  } else state.setGeneral(RDX, upper);
};

/** Half of the time the accumulator equals the destination. */
const compareExchange: Fixup = (state) => {
  const { random, form } = state;
  if (random.below(2) === 0) return;
  if (form.memory) state.setPatch(state.target, state.general(RAX), 8);
  else if (state.rm !== RSP) state.setGeneral(state.rm, state.general(RAX));
};

const compareExchangePair: Fixup = (state) => {
  if (state.random.below(2) === 0) return;
  const half = state.form.rexW ? 8 : 4;
  state.setPatch(state.target, state.general(RAX), half);
  state.setPatch(state.target + BigInt(half), state.general(RDX), half);
};

/** A bit offset moves the memory operand: mostly not beyond the data pages. */
const bitTest: Fixup = (state) => {
  const { random, form } = state;
  if (!form.memory || form.encoding.digit >= 0 || random.below(6) === 0) return;
  if (state.reg === RSP) return;
  state.setGeneral(state.reg, BigInt(random.below(4096) - 2048));
};

/** Index registers in the data pages, sometimes near their ends; operands that are equal for a while. */
const stringOperation: Fixup = (state) => {
  const { random } = state;
  setCount(state, random.below(4) === 0 ? 600 : 24);
  const near = random.below(2) === 0;
  state.patchAt = random.below(DATA_BYTES - PATCH_BYTES) & ~3;
  for (const register of [RSI, RDI]) {
    let at = near ? state.patchAt + random.below(PATCH_BYTES) : random.below(DATA_BYTES);
    if (random.below(12) === 0) at = random.pick([-4, 0, 4090, 4095, 8180, 8191]);
    const noise = state.form.bound.form.addressWidth === 32 && random.below(2) === 0
      ? random.bits(32) << 32n
      : 0n;
    state.setGeneral(register, BigInt(DATA + at) | noise);
  }
  if (random.below(2) === 0) {
    const value = random.below(256);
    state.bytes.fill(value, Request.patch, Request.patch + random.below(PATCH_BYTES));
    state.setGeneral(RAX, BigInt(value) * 0x0101_0101_0101_0101n);
  }
};

const loop: Fixup = (state) => setCount(state, 4);

/** A branch through a register or memory leads to an address that can be one. */
const indirectBranch: Fixup = (state) => {
  const { form, random, target, rm } = state;
  const to = form.long && random.below(16) === 0
    ? 0x8000_0000_0000n
    : random.bits(form.long ? CANONICAL_BITS : 32);
  if (form.encoding.digit < 0) return;
  if (form.memory) state.setPatch(target, to, 8);
  else if (rm !== RSP) state.setGeneral(rm, to);
};

const near: Fixup = (state) => {
  const { form, random } = state;
  const stack = state.general(RSP);
  state.movePatch(stack);
  const to = form.long && random.below(16) === 0
    ? 0x8000_0000_0000n
    : random.bits(form.long ? CANONICAL_BITS : 32);
  state.setPatch(stack, to, 8);
};

const pushFlags: Fixup = (state) => {
  // The trap flag of a single step would be pushed.
  state.singleStep = false;
};

const popFlags: Fixup = (state) => {
  const stack = state.general(RSP);
  state.movePatch(stack);
};

const leave: Fixup = (state) => state.pointIntoData(RBP, 64);

const enter: Fixup = (state) => state.pointIntoData(RBP, 64);

const translate: Fixup = (state) => {
  const { random, form } = state;
  const noise = form.addressPrefix && random.below(2) === 0 ? random.bits(32) << 32n : 0n;
  state.setGeneral(RBX, BigInt(DATA + random.below(DATA_BYTES - 200)) | noise);
};

const maskedMove: Fixup = (state) => {
  state.pointIntoData(RDI, random16(state));
};

function random16({ random }: CaseState): number {
  return random.below(8) === 0 ? 1 : 16;
}

/** An MXCSR image without reserved bits, mostly. */
const loadMxcsr: Fixup = (state) => {
  if (state.random.below(8) === 0) return;
  state.movePatch(state.target);
  state.setPatch(state.target, BigInt(state.random.next() & MXCSR_BITS), 4);
};

const restoreFloating: Fixup = (state) => {
  const { random, target } = state;
  state.movePatch(target);
  if (random.below(8) === 0) return;
  state.setPatch(target + MXCSR_IN_FXSAVE, BigInt(random.next() & MXCSR_BITS), 4);
};

/** Lengths of explicit-length strings: mostly within the vector. */
const explicitLengths: Fixup = (state) => {
  const { random } = state;
  if (random.below(4) === 0) return;
  state.setGeneral(RAX, BigInt(random.below(36) - 18));
  state.setGeneral(RDX, BigInt(random.below(36) - 18));
};

/** Bounds around the index, or not. */
const bound: Fixup = (state) => {
  const { random, form, target, reg } = state;
  if (random.below(3) === 0 || reg === RSP) return;
  const bytes = form.bound.form.width >> 3;
  const index = state.general(reg);
  state.setPatch(target, index - BigInt(random.below(3)), bytes);
  state.setPatch(target + BigInt(bytes), index + BigInt(random.below(3)) - 1n, bytes);
};

const STRINGS = ["MOVS", "STOS", "LODS", "CMPS", "SCAS", "INS", "OUTS"];
const BIT_TESTS = ["BT", "BTS", "BTR", "BTC"];
const LOOPS = ["LOOP", "LOOPE", "LOOPNE", "JCXZ/JECXZ/JRCXZ"];
const EXPLICIT = ["PCMPESTRI", "PCMPESTRM"];

function all(mnemonics: readonly string[], fixup: Fixup): Record<string, Fixup> {
  return Object.fromEntries(mnemonics.map((mnemonic) => [mnemonic, fixup]));
}

/** By mnemonic. */
export const FIXUPS: Readonly<Record<string, Fixup | undefined>> = {
  DIV: divide,
  IDIV: divide,
  CMPXCHG: compareExchange,
  "CMPXCHG8B/CMPXCHG16B": compareExchangePair,
  ...all(BIT_TESTS, bitTest),
  ...all(STRINGS, stringOperation),
  ...all(LOOPS, loop),
  JMP: indirectBranch,
  CALL: indirectBranch,
  RET: near,
  PUSHF: pushFlags,
  POPF: popFlags,
  LEAVE: leave,
  ENTER: enter,
  XLAT: translate,
  MASKMOVDQU: maskedMove,
  LDMXCSR: loadMxcsr,
  FXRSTOR: restoreFloating,
  ...all(EXPLICIT, explicitLengths),
  BOUND: bound,
};
