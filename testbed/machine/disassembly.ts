/** The code that a CPU of a machine is at. */

import { disassembleBytes, MAX_INSTRUCTION_BYTES } from "../disassembler.ts";
import type { DisassembledLine, Machine } from "../machine_api.ts";

/** Lists instructions from a linear address of one CPU, or from its RIP; see {@link Machine.disassemble}. */
export async function disassembleAt(
  machine: Pick<Machine, "name" | "cpus" | "memory">,
  address: bigint | undefined,
  count: number,
  cpu: number,
): Promise<DisassembledLine[]> {
  const view = machine.cpus[cpu];
  if (!view) throw new RangeError(`machine ${machine.name} has no CPU ${cpu}`);
  const { registers, codeBits } = view;
  const start = address ?? registers.rip + (codeBits === 64 ? 0n : registers["cs.base"]);
  const bytes = machine.memory.readLinear(cpu, start, count * MAX_INSTRUCTION_BYTES);
  return await disassembleBytes(bytes, start, codeBits, count);
}
