/**
 * The priorities of a local APIC: which request may interrupt what is in service, and how willing
 * the CPU is to take a lowest-priority message. A priority class is bits 7 to 4 of a vector.
 *
 * Source: Intel SDM vol. 3, "Task and Processor Priorities", "Lowest Priority Delivery Mode".
 */

import type { RegisterFile } from "./register_file.ts";
import { REG } from "./registers.ts";

/** PPR: the higher class of the task priority and the vector in service. */
export function processorPriority(registers: RegisterFile): number {
  const tpr = registers.get(REG.TPR);
  const isrv = Math.max(registers.highest(REG.ISR), 0);
  return tpr >> 4 >= isrv >> 4 ? tpr : isrv & 0xf0;
}

/** APR: the lower, the more willing to take a lowest-priority message. */
export function arbitrationPriority(registers: RegisterFile): number {
  const tpr = registers.get(REG.TPR);
  const irrv = Math.max(registers.highest(REG.IRR), 0);
  const isrv = Math.max(registers.highest(REG.ISR), 0);
  if (tpr >> 4 >= irrv >> 4 && tpr >> 4 > isrv >> 4) return tpr;
  return Math.max((tpr >> 4) & (isrv >> 4), irrv >> 4) << 4;
}

/** The highest requested vector if its class is above PPR's, else -1. */
export function deliverableVector(registers: RegisterFile): number {
  const vector = registers.highest(REG.IRR);
  return vector >= 0 && vector >> 4 > processorPriority(registers) >> 4 ? vector : -1;
}
