/**
 * Changes that a person makes to a machine's state, as a debugger does: memory and registers. Each is an input, carried
 * out at the present cycle and noted in the journal, so that going back and replaying meet it again.
 */

import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import { GENERAL_REGISTERS } from "../../core/x86/state/layout.ts";
import { updateMode, writeFlags } from "../../core/x86/system/mod.ts";
import type { Processors } from "../../core/x86/processors.ts";
import type { StateChanges } from "../machine_api.ts";
import type { MachineInput } from "../replay/input_journal.ts";

const PAGE_BYTES = 4096;
/** Bits of EFLAGS that may be set: all but VM, RF, VIF and VIP, which say more than where a program is. */
const FLAGS = 0x24_7fd5;

/** Registers that can be set, by the manual's names in lower case. */
export const SETTABLE_REGISTERS: readonly string[] = [...GENERAL_REGISTERS, "rip", "rflags"];

/** What changes need of their machine. */
export interface StateChangeParts {
  readonly memory: MachineMemory;
  readonly processors: Processors;
  /** Where the machine has come. */
  readonly now: () => number;
  readonly feed: (input: MachineInput) => void;
}

/** See the module comment. */
export class StateDoor implements StateChanges {
  constructor(private readonly parts: StateChangeParts) {}

  memory(address: PhysicalAddress, bytes: Uint8Array): void {
    const { memory } = this.parts;
    for (const at of [address, address + bytes.length - 1]) {
      if (memory.readableLinear(at) < 0) throw new RangeError(`no RAM at ${at}`);
    }
    this.#feed({ kind: "memory", address, bytes: bytes.slice() });
  }

  linear(cpu: number, address: bigint, bytes: Uint8Array): void {
    const { mmu } = this.#cpu(cpu);
    const pieces: { address: PhysicalAddress; bytes: Uint8Array }[] = [];
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const low = Number(BigInt.asIntN(32, at));
      const physical = mmu.peek(low, Number(BigInt.asIntN(32, at >> 32n)));
      if (physical < 0 || this.parts.memory.readableLinear(physical) < 0) {
        throw new RangeError(`no RAM is mapped at 0x${at.toString(16)}`);
      }
      const length = Math.min(bytes.length - done, PAGE_BYTES - physical % PAGE_BYTES);
      pieces.push({
        address: physical as PhysicalAddress,
        bytes: bytes.slice(done, done + length),
      });
      done += length;
    }
    for (const piece of pieces) this.#feed({ kind: "memory", ...piece });
  }

  register(cpu: number, name: string, value: bigint): void {
    this.#cpu(cpu);
    if (!SETTABLE_REGISTERS.includes(name)) {
      throw new RangeError(`${name} is none of: ${SETTABLE_REGISTERS.join(", ")}`);
    }
    this.#feed({ kind: "register", cpu, name, value: BigInt.asUintN(64, value) });
  }

  #cpu(index: number): Cpu {
    const { cpus } = this.parts.processors;
    if (cpus[index]) return cpus[index];
    throw new RangeError(`there is no CPU ${index}; there are ${cpus.length}`);
  }

  #feed(input: MachineInput): void {
    const { processors, now, feed } = this.parts;
    if (processors.meetingCycle > now()) {
      throw new RangeError(
        "the CPUs stand within a turn, each at a cycle of its own: run on to where all have come as far",
      );
    }
    feed(input);
  }
}

/** Sets a register of {@link SETTABLE_REGISTERS}. */
export function setRegister(cpu: Cpu, name: string, value: bigint): void {
  const { state } = cpu;
  if (name === "rflags") {
    writeFlags(state, Number(BigInt.asIntN(32, value)), FLAGS);
    updateMode(cpu);
  } else if (name === "rip") state.rip = value;
  else state[name as typeof GENERAL_REGISTERS[number]] = value;
}
