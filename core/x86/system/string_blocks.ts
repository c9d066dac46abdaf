/**
 * Many iterations of REP MOVS and REP STOS at once: the fast path of `instructions/strings.ts`.
 *
 * Only what one iteration after the other would do without a fault, a device or a watched page is done here:
 * both places lie in pages that the TLB gives direct access to. Otherwise the answer is 0.
 */

import type { Cpu } from "../cpu.ts";
import { argument, ARGUMENTS, setResult } from "./memory_access.ts";

const PAGE_BYTES = 4096;

/** (source offset, destination offset, bytes an item, most items): copies upwards. */
export function moveBlock(cpu: Cpu): void {
  const bytes = argument(cpu, 2);
  const source = direct(cpu, 0, false);
  const target = direct(cpu, 1, true);
  if (source < 0 || target < 0) return setResult(cpu, 0);
  let items = Math.min(argument(cpu, 3), itemsInPage(cpu, 0, bytes), itemsInPage(cpu, 1, bytes));
  // Where the target overlaps what is still to be read, items repeat; stop before that.
  if (target > source) items = Math.min(items, Math.floor((target - source) / bytes));
  if (items > 0) cpu.memory.copyDirect(target, source, items * bytes);
  setResult(cpu, items);
}

/** (item, destination offset, bytes an item, most items): stores the item over and over. */
export function fillBlock(cpu: Cpu): void {
  const bytes = argument(cpu, 2);
  const target = direct(cpu, 1, true);
  if (target < 0) return setResult(cpu, 0);
  const items = Math.min(argument(cpu, 3), itemsInPage(cpu, 1, bytes));
  if (items > 0) {
    const { state, memory } = cpu;
    memory.storeDirect(target, bytes, state.low(ARGUMENTS[0]), state.high(ARGUMENTS[0]));
    memory.repeatDirect(target, bytes, items * bytes);
  }
  setResult(cpu, items);
}

/** The linear offset behind the address in argument `n`, or -1. */
function direct(cpu: Cpu, n: 0 | 1, write: boolean): number {
  const { state, mmu } = cpu;
  return mmu.directLinear(state.low(ARGUMENTS[n]), state.high(ARGUMENTS[n]), write);
}

/** Whole items between the address in argument `n` and the end of its page. */
function itemsInPage(cpu: Cpu, n: 0 | 1, bytes: number): number {
  const offset = cpu.state.low(ARGUMENTS[n]) & (PAGE_BYTES - 1);
  return Math.floor((PAGE_BYTES - offset) / bytes);
}
