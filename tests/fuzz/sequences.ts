/**
 * Random sequences of instructions, for comparing translated code with the cold tier: cases of random forms one behind
 * the other, each with its address registers loaded first so that most reach the data pages, and conditional jumps among them.
 */

import type { Decoder } from "../../core/x86/decode/decoder.ts";
import type { Instruction } from "../../core/x86/ir/instruction.ts";
import { type CaseForm, COMPATIBILITY_MODE, LONG_MODE } from "./case_forms.ts";
import type { CaseBuilder } from "./cases.ts";
import { Request } from "./host_process.ts";
import type { Random } from "./softfloat_operands.ts";
import type { SlotCode } from "./user_cpu.ts";

const MOST_INSTRUCTIONS = 24;
const RSP = 4;
/** Registers that instructions address memory by without naming them. */
const IMPLIED: Readonly<Record<string, readonly number[]>> = {
  MOVS: [6, 7],
  CMPS: [6, 7],
  LODS: [6],
  STOS: [7],
  SCAS: [7],
  XLAT: [3],
};

/** A sequence, and the request whose state it starts from. */
export interface Sequence extends SlotCode {
  readonly request: Uint8Array;
}

/** Makes sequences. */
export class SequenceBuilder {
  readonly #long: readonly CaseForm[];
  readonly #short: readonly CaseForm[];

  constructor(
    private readonly builder: CaseBuilder,
    private readonly decoder: Decoder,
    private readonly random: Random,
    forms: readonly CaseForm[],
  ) {
    const straight = forms.filter(({ bound }) =>
      !bound.program.statements.some(({ kind }) => kind === "jump")
    );
    this.#long = straight.filter(({ long }) => long);
    this.#short = straight.filter(({ long }) => !long);
  }

  make(): Sequence {
    const { random, builder } = this;
    const long = random.below(2) === 0;
    const bytes: number[] = [];
    /** Where instructions start, and where jumps have their displacement. */
    const starts: number[] = [];
    const jumps: number[] = [];
    let request: Uint8Array | null = null;
    const count = 1 + random.below(MOST_INSTRUCTIONS);
    while (starts.length < count) {
      const instruction = this.#case(random.pick(long ? this.#long : this.#short));
      if (instruction === null) continue;
      request ??= builder.bytes.slice();
      starts.push(bytes.length);
      if (random.below(5) === 0) {
        bytes.push(0x0f, 0x80 | random.below(16), 0, 0, 0, 0);
        jumps.push(bytes.length - 4);
      }
      if (random.below(6) > 0) this.#loadAddress(instruction, long, bytes);
      bytes.push(...builder.bytes.subarray(Request.code, Request.code + instruction.length));
    }
    const code = new Uint8Array(bytes);
    const view = new DataView(code.buffer);
    for (const at of jumps) view.setInt32(at, random.pick(starts) - at - 4, true);
    const at = 64 + random.below(5000);
    new DataView(request!.buffer).setUint32(Request.codeAt, at, true);
    return { bytes: code, at, long, request: request! };
  }

  /** Makes a case of `form`; null if it cannot stand anywhere. */
  #case(form: CaseForm): Instruction | null {
    const { builder, decoder } = this;
    if (!builder.make(form, decoder)) return null;
    const mode = form.long ? LONG_MODE : COMPATIBILITY_MODE;
    const found = decoder.decode(builder.bytes, Request.code, Request.code + 16, mode);
    return typeof found === "string" || found.addressing?.ripRelative ? null : found;
  }

  /** MOV of the values that the case wants into its address registers. */
  #loadAddress({ bound, addressing }: Instruction, long: boolean, bytes: number[]): void {
    const named = addressing ? [addressing.base, addressing.index] : [];
    for (const register of [...named, ...(IMPLIED[bound.definition.mnemonic] ?? [])]) {
      if (register < 0 || register === RSP) continue;
      const value = this.builder.general(register);
      if (long) bytes.push(0x48 | (register >> 3));
      bytes.push(0xb8 | (register & 7));
      for (let i = 0n; i < (long ? 8n : 4n); i++) bytes.push(Number((value >> (8n * i)) & 0xffn));
    }
  }
}
