/** Where in linear memory a machine's parts lie: what its CPUs need, ROM, RAM, and what is noted of each page. */

import { codeLinesBytes, type MemoryPlan } from "../../core/memory/machine_memory.ts";
import { processorAreaBytes } from "../../core/x86/processor_area.ts";

/** RAM below 4 GiB ends here at the latest; the PCI hole follows. */
const LOW_RAM_LIMIT = 0xc000_0000;
const ROM_AREA_BYTES = 2 * 1024 * 1024;

/** The plan for a machine with `ramBytes` of RAM, and the bytes of linear memory that it takes. */
export function memoryPlan(
  ramBytes: number,
  cpus: number,
): { readonly plan: MemoryPlan; readonly linearBytes: number } {
  const romBase = processorAreaBytes(cpus);
  const ramBase = romBase + ROM_AREA_BYTES;
  const codeLinesBase = ramBase + ramBytes;
  const plan = {
    ramBytes,
    lowRamBytes: Math.min(ramBytes, LOW_RAM_LIMIT),
    ramBase,
    romBase,
    romBytes: ROM_AREA_BYTES,
    codeLinesBase,
  };
  return { plan, linearBytes: codeLinesBase + codeLinesBytes(plan) };
}
