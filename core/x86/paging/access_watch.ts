/**
 * What accesses of one CPU are compared with: the guest's data breakpoints and a debugger's watchpoints; and where a
 * debugger's code stops lie, as far as translations tell.
 */

import { CodeStops } from "../debugging/code_stops.ts";
import { Watchpoints } from "../debugging/watchpoints.ts";
import { Efer } from "../state/bits.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf } from "../state/layout.ts";
import { type DataBreakpoint, DataBreakpoints } from "./data_breakpoints.ts";

const EFER = offsetOf("efer") >> 2;

/** One CPU's comparisons. */
export class AccessWatch {
  readonly #breakpoints = new DataBreakpoints();
  /** A debugger's, which all CPUs of a machine share. */
  #watchpoints = new Watchpoints();
  #codeStops = new CodeStops();
  /** Called when an access hits a data breakpoint, after `debugPending` was set. */
  onBreakpoint: () => void = () => {};

  constructor(private readonly state: CpuState) {}

  get any(): boolean {
    return this.#breakpoints.any || this.#watchpoints.any;
  }

  /** Whether the pages that code TLBs take in must be told. */
  get seesCode(): boolean {
    return this.#codeStops.any;
  }

  /** Shares the stops and watchpoints of a debugger. */
  share(codeStops: CodeStops, watchpoints: Watchpoints): void {
    this.#codeStops = codeStops;
    this.#watchpoints = watchpoints;
  }

  /** Replaces the data breakpoints; false if there were none and are none. */
  setBreakpoints(breakpoints: readonly DataBreakpoint[]): boolean {
    return this.#breakpoints.replace(breakpoints);
  }

  /** Whether data accesses through a translation of page (low, high) to physical page `page` are compared. */
  isOnPage(low: number, high: number, page: number): boolean {
    return this.any &&
      (this.#breakpoints.isOnPage(low, high) || this.#watchpoints.isOnPage(low, high, page));
  }

  /** A code TLB takes in page (low, high), which lies in page `linearPage` of linear memory. */
  codePage(low: number, high: number, linearPage: number): void {
    if (this.#codeStops.any) this.#codeStops.found(low, high, linearPage);
  }

  /** An instruction's operand was accessed. */
  operand(low: number, high: number, bytes: number, write: boolean): void {
    if (!this.any) return;
    this.linear(low, high, bytes, write);
    const bits = this.#breakpoints.hits(low, high, bytes, write);
    if (bits === 0) return;
    this.state.debugPending |= bits;
    this.onBreakpoint();
  }

  /** Linear memory was accessed, be it by a system function. */
  linear(low: number, high: number, bytes: number, write: boolean): void {
    if (!this.#watchpoints.any) return;
    const wide = (this.state.u32[EFER] & Efer.LMA) !== 0;
    this.#watchpoints.linear(this.state.index, low, wide ? high : 0, bytes, write);
  }

  /** Bytes within one physical page were loaded. */
  load(page: number, offset: number, bytes: number): void {
    if (this.#watchpoints.any) this.#watchpoints.load(this.state.index, page, offset, bytes);
  }
}
