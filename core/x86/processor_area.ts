/** Where processors keep what lies in linear memory, below RAM: behind an empty page, the CPUs, then the code cache. */

import { type CodeCachePlan, codeTablesBytes } from "./cold/code_cache.ts";
import { LOOKUP_BYTES } from "./cold/record.ts";
import { TLB_SIZE_BYTES } from "./paging/tlb.ts";
import { STATE_SIZE_BYTES } from "./state/layout.ts";
import { TRAP_LOG_BYTES } from "./trap_log.ts";

const PAGE_BYTES = 64 * 1024;
/** Bytes of linear memory for one CPU: its state and its TLBs. */
const CPU_AREA_BYTES = PAGE_BYTES * Math.ceil((STATE_SIZE_BYTES + TLB_SIZE_BYTES) / PAGE_BYTES);
const CODE_ARENA_BYTES = 64 * 1024 * 1024;

/** Linear offsets of the state and of the TLBs of CPU `index`. */
export function cpuPlan(index: number): { readonly state: number; readonly tlb: number } {
  const state = PAGE_BYTES + index * CPU_AREA_BYTES;
  return { state, tlb: state + 64 * Math.ceil(STATE_SIZE_BYTES / 64) };
}

/** Where the code cache of `cpus` CPUs lies. */
export function codePlan(cpus: number): CodeCachePlan {
  const lookupBase = PAGE_BYTES + cpus * CPU_AREA_BYTES;
  const arenaBase = lookupBase + LOOKUP_BYTES;
  const tablesBase = arenaBase + CODE_ARENA_BYTES;
  return { lookupBase, arenaBase, arenaBytes: CODE_ARENA_BYTES, tablesBase };
}

/** Where the log of traps of `cpus` CPUs lies. */
export function trapLogBase(cpus: number): number {
  const { tablesBase, arenaBytes } = codePlan(cpus);
  return PAGE_BYTES * Math.ceil((tablesBase + codeTablesBytes(arenaBytes)) / PAGE_BYTES);
}

/** Bytes of linear memory that the processors need below RAM. */
export function processorAreaBytes(cpus: number): number {
  return trapLogBase(cpus) + PAGE_BYTES * Math.ceil(TRAP_LOG_BYTES / PAGE_BYTES);
}
