/**
 * A CPU as somebody sees it who looks from outside: its state, and the way through its page tables. A {@link Cpu} is one; a
 * virtual CPU that is on no physical one at present has one as well.
 */

import type { LocalApic } from "./apic/local_apic.ts";
import type { Cpu, CpuPorts } from "./cpu.ts";
import type { Mmu } from "./paging/mmu.ts";

/** See the module comment. */
export interface CpuLook extends Pick<Cpu, "index" | "state" | "memory"> {
  readonly mmu: Pick<Mmu, "peek" | "banks">;
  readonly apic: Pick<LocalApic, "cr8">;
  readonly ports: Pick<CpuPorts, "cycle" | "requestStop">;
}
