/**
 * The ways out of a region. Code that leaves says where to in locals and branches to the region's common end, which
 * stores the registers and goes there: into a record's cold handler, along a jump's link, or by look-up.
 */

import type { FunctionWriter } from "../lib/wasm/writer.ts";
import { FixedHandler, Record } from "../x86/cold/record.ts";
import { BUDGET, CPU, dispatch, pushIp, pushState, RECORD } from "../x86/cold/handler_code.ts";
import { offsetOf } from "../x86/state/layout.ts";

/** How a region is left; the cold tier's handler is what nobody has to ask for. */
const ExitKind = { coldHandler: 0, link: 1, lookUp: 2 } as const;

/** Why control leaves a region. */
export type ExitReason =
  /** The budget does not cover the block. */
  | "budget"
  /** The cold tier always executes the instruction. */
  | "not inlined"
  /** A TLB miss, a segment's bounds, an exception or a system function. */
  | "unusual"
  /** A direct jump, or the end of what was followed, leads elsewhere in the page. */
  | "in page"
  /** A direct jump leads to another page. */
  | "other page"
  /** A return or computed jump leads to no entry of the region. */
  | "computed"
  /** Not a way out: the region is entered. */
  | "entered";

/** What the ways out need from the region. */
export interface ExitPorts {
  readonly code: FunctionWriter;
  /** i64 local: offset in CS of the page's first byte. */
  readonly pageRip: number;
  /** Whether instruction pointers have 64 bits; else 32. */
  readonly long: boolean;
  /** Type index of handlers. */
  readonly handlerType: number;
  /** Branches to the region's end. */
  branchToEnd(): void;
}

/** Writes the ways out of one region. */
export class RegionExits {
  readonly #kind: number;
  readonly #record: number;
  readonly #block: number;
  readonly #rip: number;

  constructor(private readonly ports: ExitPorts) {
    const { code } = ports;
    this.#kind = code.local("i32");
    this.#record = code.local("i32");
    this.#block = code.local("i32");
    this.#rip = code.local("i64");
  }

  /** Leaves for the cold tier to execute `record`, which belongs to the block at `offset` of the page. */
  toColdHandler(record: number, offset: number): void {
    const { code } = this.ports;
    code.i32(record);
    code.set(this.#record);
    code.i32(offset);
    code.set(this.#block);
    this.ports.branchToEnd();
  }

  /** Leaves to another offset in the page: along the link of the jump in record `from`, or if that is 0 by look-up. */
  toOffset(offset: number, from: number): void {
    const { code, pageRip } = this.ports;
    code.get(pageRip);
    code.i64(BigInt(offset));
    code.op("i64.add");
    this.cut();
    code.set(this.#rip);
    if (from !== 0) {
      code.i32(from);
      code.set(this.#record);
    }
    this.#leaveAs(from === 0 ? ExitKind.lookUp : ExitKind.link);
  }

  /** Leaves to the offset in CS that is in a local. */
  toLocal(target: number): void {
    const { code } = this.ports;
    code.get(target);
    code.set(this.#rip);
    this.#leaveAs(ExitKind.lookUp);
  }

  /** Cuts the offset in CS on the stack to its width. */
  cut(): void {
    const { code, long } = this.ports;
    if (long) return;
    code.i64(0xffffffffn);
    code.op("i64.and");
  }

  /** Writes the region's end, once the registers are stored. */
  writeEnd(): void {
    const { code } = this.ports;
    code.get(this.#record);
    code.op("i64.extend_i32_u");
    code.set(RECORD);
    code.block("block");
    code.block("block");
    code.block("block");
    code.get(this.#kind);
    code.branchTable([ExitKind.coldHandler, ExitKind.link], ExitKind.lookUp);
    code.op("end");
    this.#endInColdHandler();
    code.op("end");
    this.#endAlongLink();
    code.op("end");
    this.#storeRip();
    this.#callFixed(FixedHandler.next);
  }

  #leaveAs(kind: number): void {
    const { code } = this.ports;
    code.i32(kind);
    code.set(this.#kind);
    this.ports.branchToEnd();
  }

  #endInColdHandler(): void {
    const { code, pageRip, handlerType } = this.ports;
    code.get(CPU);
    code.get(pageRip);
    code.get(this.#block);
    code.op("i64.extend_i32_u");
    code.op("i64.add");
    this.cut();
    code.memory("i64.store", offsetOf("blockRip"));
    this.#ifSpent(() => {
      code.get(CPU);
      pushIp(code, Record.offset);
      code.memory("i64.store", offsetOf("rip"));
    });
    pushState(code);
    code.get(RECORD);
    code.memory("i32.load16_u", Record.coldHandler);
    code.returnCallIndirect(handlerType);
  }

  #endAlongLink(): void {
    const { code, handlerType } = this.ports;
    const link = code.local("i64");
    this.#storeRip();
    code.get(RECORD);
    code.memory("i64.load32_u", Record.link);
    code.tee(link);
    code.op("i64.eqz");
    code.block("if");
    this.#callFixed(FixedHandler.link);
    code.op("end");
    this.#ifSpent(() => {});
    code.get(CPU);
    code.get(this.#rip);
    code.memory("i64.store", offsetOf("blockRip"));
    code.get(link);
    code.set(RECORD);
    dispatch(code, handlerType);
  }

  #storeRip(): void {
    const { code } = this.ports;
    code.get(CPU);
    code.get(this.#rip);
    code.memory("i64.store", offsetOf("rip"));
  }

  /** Returns to the engine if the budget is used up. */
  #ifSpent(before: () => void): void {
    const { code } = this.ports;
    code.get(BUDGET);
    code.i32(0);
    code.op("i32.le_s");
    code.block("if");
    before();
    code.get(CPU);
    code.get(BUDGET);
    code.memory("i32.store", offsetOf("budget"));
    code.op("return");
    code.op("end");
  }

  #callFixed(handler: number): void {
    const { code, handlerType } = this.ports;
    pushState(code);
    code.i32(handler);
    code.returnCallIndirect(handlerType);
  }
}
