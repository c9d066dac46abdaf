/** A case whose outcomes on the host and in the guest differ, and what rules about it ask. */

import type { CaseForm } from "./case_forms.ts";
import { CODE, type HostCpu, Request } from "./host_process.ts";
import type { Difference, ReplyView } from "./outcome.ts";

const RCX = 1;
const PF_VECTOR = 14;

/** The case. */
export class JudgedCase {
  constructor(
    readonly form: CaseForm,
    readonly request: DataView,
    readonly host: ReplyView,
    readonly guest: ReplyView,
    readonly cpu: HostCpu,
  ) {}

  get mnemonic(): string {
    return this.form.encoding.definition.mnemonic;
  }

  /** Operand size in bits. */
  get width(): number {
    return this.form.bound.form.width;
  }

  get bothFaulted(): boolean {
    return !this.host.completed && !this.guest.completed;
  }

  get hostPageFaulted(): boolean {
    return this.host.vector === PF_VECTOR;
  }

  /** Offset of the instruction. */
  get rip(): bigint {
    return BigInt(CODE + this.request.getUint32(Request.codeAt, true));
  }

  /** ECX before the instruction. */
  get count(): number {
    return this.request.getUint32(Request.general + 8 * RCX, true);
  }

  /** What a shift or rotation counts: 1, an immediate or CL, as far as it counts. */
  get shiftCount(): number {
    const { form: { encoding: { operands } }, request } = this;
    const operand = operands[operands.length - 1];
    const mask = this.width === 64 ? 63 : 31;
    if (operand.source === "constant") return operand.number;
    if (operand.source === "fixed") return this.count & mask;
    return request.getUint8(Request.code + request.getUint8(Request.length) - 1) & mask;
  }
}

export const isMemory = ({ what }: Difference): boolean => what.startsWith("memory");
export const isX87 = ({ what }: Difference): boolean => /^(st\d|fsw|ftw)$/.test(what);
