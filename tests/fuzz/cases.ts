/**
 * Random cases of a form: bytes of the instruction with random registers and addressing, and a state whose memory
 * operand mostly lies in the data pages.
 */

import type { Decoder } from "../../core/x86/decode/decoder.ts";
import { type CaseForm, COMPATIBILITY_MODE, LONG_MODE, opcodeBytes } from "./case_forms.ts";
import { FIXUPS, operandBytes } from "./case_fixups.ts";
import type { Flavour } from "./case_values.ts";
import { CaseState } from "./case_state.ts";
import { CODE, DATA, DATA_BYTES, GS_BASE, Request } from "./host_process.ts";

const LONGEST = 15;
const RSP = 4;
const ALIGNMENT_CHECK = 0x40000;
const STATUS_FLAGS = 0x8d5;
const DIRECTION = 0x400;
const MASK32 = 0xffff_ffffn;

/** Makes cases. */
export class CaseBuilder extends CaseState {
  #flavour: Flavour = "noise";
  #opcode: number[] = [];
  #rex = 0;
  /** What the memory operand's registers and displacement add up to: the target without the segment's base. */
  #offset = 0n;
  /** The operand is RIP-relative; its displacement is found last. */
  #ripRelative = false;

  /** Makes a case of `form`; false if the bytes turned out to be something else. */
  make(form: CaseForm, decoder: Decoder): boolean {
    this.form = form;
    this.#flavour = this.values.flavour();
    this.#chooseState();
    this.#chooseTarget();
    const code = this.#chooseBytes();
    FIXUPS[form.encoding.definition.mnemonic]?.(this);
    this.view.setUint32(Request.patchAt, this.patchAt, true);
    return this.#finish(code, decoder);
  }

  #chooseState(): void {
    const { values, random, words, form } = this;
    for (let i = 0; i < 16; i++) {
      values.general(words, (Request.general >> 2) + 2 * i);
      if (!form.long) words[(Request.general >> 2) + 2 * i + 1] = 0;
    }
    values.floating(this.#flavour, words, Request.fx >> 2);
    for (let i = 0; i < 4; i++) values.chunk(this.#flavour, words, (Request.patch >> 2) + 4 * i);
    let flags = random.next() & STATUS_FLAGS;
    if (random.below(4) === 0) flags |= DIRECTION;
    if (values.checksAlignment()) flags |= ALIGNMENT_CHECK;
    words[Request.flags >> 2] = flags;
    const stack = random.below(32) === 0
      ? random.pick([0, 4088, 8176, 8190])
      : 512 + random.below(7168);
    const aligned = random.below(4) === 0 ? stack : stack & ~15;
    this.setGeneral(RSP, BigInt(DATA + aligned));
    words[Request.codeAt >> 2] = 64 + random.below(8000);
    this.singleStep = form.bound.form.repeat === "none" || random.below(3) === 0;
  }

  #chooseTarget(): void {
    const { random, form } = this;
    this.size = operandBytes(form);
    const size = Math.max(this.size, 1);
    let offset = random.below(DATA_BYTES - size + 1);
    if (random.below(2) === 0) offset &= ~15;
    const kind = random.below(24);
    if (kind < 3) offset = 4096 - 1 - random.below(size);
    else if (kind === 3) offset = random.pick([-1, -size, 1 - size, 8192 - size + 1, 8192, 8191]);
    this.target = BigInt(DATA + offset);
    if (kind === 4 && form.long) {
      this.target = random.pick([
        0x8000_0000_0000n,
        0x7fff_ffff_ffffn,
        0xffff_7fff_ffff_ffffn,
        random.bits(64) | 1n << 63n,
      ]);
    }
    this.patchAt = 0;
    this.movePatch(BigInt(DATA + Math.max(offset - random.below(8), 0)));
  }

  #chooseBytes(): number[] {
    const { random, form, form: { encoding } } = this;
    const bytes = [...form.prefixes];
    if (form.memory) {
      if (encoding.attributes.has("lock") && random.below(3) === 0) bytes.unshift(0xf0);
      else if (random.below(128) === 0) bytes.unshift(0xf0);
      if (!form.addressPrefix && random.below(form.long ? 8 : 32) === 0) bytes.unshift(0x67);
    }
    const segment = this.#chooseSegment();
    if (segment !== 0) bytes.unshift(segment);
    const address16 = !form.long && bytes.includes(0x67);
    const address32 = form.long ? bytes.includes(0x67) : !address16;
    this.#rex = form.long ? 0x40 | (form.rexW ? 8 : 0) | (form.rexB ? 1 : 0) : 0;
    this.#opcode = opcodeBytes(encoding);
    if (form.long && random.below(2) === 0 && !encoding.attributes.has("norexb")) {
      this.#rex |= random.below(8);
    }
    const tail = encoding.hasModrm ? this.#chooseModrm(address16, address32) : [];
    const needsRex = this.#rex > 0x40 || (form.long && random.below(4) === 0);
    const code = [...bytes, ...(needsRex ? [this.#rex] : []), ...this.#opcode, ...tail];
    if (encoding.operands.some(({ source }) => source === "O")) {
      for (let i = 0n; i < 8n; i++) code.push(Number((this.#offset >> (8n * i)) & 0xffn));
    } else for (let i = 0; i < 8; i++) code.push(random.below(256));
    return code;
  }

  /** A segment override, or 0. */
  #chooseSegment(): number {
    const { random, form } = this;
    this.#offset = this.target;
    if (random.below(16) !== 0) return 0;
    if (!form.long) return random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);
    if (random.below(2) === 0) return random.pick([0x26, 0x2e, 0x36, 0x3e]);
    this.#offset = BigInt.asUintN(64, this.target - BigInt(GS_BASE));
    return 0x65;
  }

  #chooseModrm(address16: boolean, address32: boolean): number[] {
    const { random, form: { encoding, memory } } = this;
    if (encoding.modrm >= 0) return [encoding.modrm + random.below(encoding.modrmCount)];
    const takesSegment = encoding.operands.some(({ source }) => source === "S");
    const low = encoding.digit >= 0 ? encoding.digit : random.below(takesSegment ? 6 : 8);
    this.reg = low | ((this.#rex & 4) << 1);
    if (!memory) {
      const rm = random.below(8);
      this.rm = rm | ((this.#rex & 1) << 3);
      return [0xc0 | (low << 3) | rm];
    }
    if (address16) {
      const bytes = [(random.below(3) << 6) | (low << 3) | random.below(8)];
      return [...bytes, random.below(256), random.below(256)];
    }
    return this.#chooseAddress(low, address32);
  }

  /** ModRM, SIB and displacement that lead to the target with the registers that this sets. */
  #chooseAddress(low: number, address32: boolean): number[] {
    const { random, form: { long } } = this;
    const mod = random.below(3);
    const rexBase = (this.#rex & 1) << 3;
    const rexIndex = (this.#rex & 2) << 2;
    const form = random.below(8);
    if (form === 0) return this.#chooseAbsolute(low, rexIndex, address32);
    const displacement = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.next() | 0;
    const tail = this.#displacement(mod, displacement);
    let base = random.below(8);
    if (form < 4) {
      if (base === 4 || (base === 5 && mod === 0)) base = 3;
      this.#setAddress(base | rexBase, this.#offset - BigInt(displacement), address32);
      return [(mod << 6) | (low << 3) | base, ...tail];
    }
    if (base === 5 && mod === 0) base = 4;
    const index = random.below(8);
    const scale = random.below(4);
    const baseRegister = base | rexBase;
    const indexRegister = index | rexIndex;
    let rest = this.#offset - BigInt(displacement);
    if (indexRegister !== RSP) {
      if (indexRegister === baseRegister) {
        // One register is both: what does not divide is lost, and the access mostly faults.
        const value = rest / BigInt(1 + (1 << scale));
        this.#setAddress(baseRegister, value, address32);
        return [(mod << 6) | (low << 3) | 4, (scale << 6) | (index << 3) | base, ...tail];
      }
      const value = random.below(4) === 0 ? BigInt(random.below(64)) : this.general(indexRegister);
      this.#setAddress(indexRegister, value, address32 && !long);
      rest -= this.general(indexRegister) << BigInt(scale);
    }
    this.#setAddress(baseRegister, rest, address32);
    return [(mod << 6) | (low << 3) | 4, (scale << 6) | (index << 3) | base, ...tail];
  }

  /** No base: RIP-relative (marked for {@link #finish}), or an index and a displacement. */
  #chooseAbsolute(low: number, rexIndex: number, address32: boolean): number[] {
    const { random, form: { long } } = this;
    if (random.below(2) === 0) {
      if (!long) return [(low << 3) | 5, ...this.#displacement(2, Number(this.#offset & MASK32))];
      this.#ripRelative = true;
      return [(low << 3) | 5, 0, 0, 0, 0];
    }
    const index = random.below(8);
    const scale = random.below(4);
    const value = BigInt(random.below(1000));
    let displacement = this.#offset;
    if ((index | rexIndex) !== RSP) {
      this.#setAddress(index | rexIndex, value, address32);
      displacement -= value << BigInt(scale);
    }
    const bytes = this.#displacement(2, Number(BigInt.asIntN(32, displacement)));
    return [(low << 3) | 4, (scale << 6) | (index << 3) | 5, ...bytes];
  }

  #displacement(mod: number, value: number): number[] {
    if (mod === 0) return [];
    if (mod === 1) return [value & 0xff];
    return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  }

  /** Sets an address register; with 32-bit addresses in 64-bit code its upper half is noise. */
  #setAddress(register: number, value: bigint, address32: boolean): void {
    if (address32 && this.form.long) {
      const noise = this.random.below(2) === 0 ? 0n : this.random.bits(32) << 32n;
      this.setGeneral(register, (value & MASK32) | noise);
    } else this.setGeneral(register, value);
  }

  /** Finds the length, and the displacement of a RIP-relative operand. */
  #finish(code: number[], decoder: Decoder): boolean {
    const { view, form } = this;
    const padded = new Uint8Array(32);
    padded.set(code.slice(0, LONGEST + 8));
    const mode = form.long ? LONG_MODE : COMPATIBILITY_MODE;
    const isRelative = this.#ripRelative;
    this.#ripRelative = false;
    const decoded = decoder.decode(padded, 0, 32, mode);
    let length: number;
    if (typeof decoded === "string") {
      // A prefix made it undefined: LOCK, mostly. Its length is that without it.
      if (decoded !== "undefined" || code[0] !== 0xf0 && code[1] !== 0xf0) return false;
      length = LONGEST;
    } else {
      if (decoded.bound.definition !== form.encoding.definition) return false;
      length = decoded.length;
    }
    if (isRelative) {
      const prefix = code.length - 8 - 4;
      const from = CODE + view.getUint32(Request.codeAt, true) + length;
      const displacement = Number(BigInt.asIntN(32, this.#offset - BigInt(from)));
      new DataView(padded.buffer).setInt32(prefix, displacement, true);
    }
    this.bytes.fill(0xcc, Request.code, Request.code + 16);
    this.bytes.set(padded.subarray(0, length), Request.code);
    this.bytes[Request.length] = length;
    this.bytes[Request.isLong] = form.long ? 1 : 0;
    this.bytes[Request.singleStep] = this.singleStep ? 1 : 0;
    return true;
  }
}
