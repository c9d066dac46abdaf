/** Everything that a machine is at an instant, as a record: its parts, and RAM. */

import type { MachineClock } from "../../core/clock/clock.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
} from "../../core/lib/snapshot.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Trace } from "../../core/trace/trace.ts";
import type { Processors } from "../../core/x86/processors.ts";
import type { PcBoard } from "../../devices/board/mod.ts";
import type { MachineNetwork } from "../machine_api.ts";
import { type RamSource, ramWithin } from "../snapshot/page_store.ts";
import type { MachineConsole } from "./serial_console.ts";

const VERSION = 2;

/** What a machine's state consists of. */
export interface MachineStateParts {
  readonly name: string;
  readonly clock: MachineClock;
  readonly memory: MachineMemory;
  readonly processors: Processors;
  readonly board: PcBoard;
  readonly network: MachineNetwork | null;
  readonly trace: Trace;
  readonly console: MachineConsole;
}

/** The state of one machine. */
export class MachineState implements Snapshot {
  readonly #parts: MachineStateParts;

  /** `quantumCycles` is part of the state: what several CPUs do depends on it. */
  constructor(parts: MachineStateParts, public quantumCycles: number) {
    this.#parts = parts;
  }

  save(): SnapshotRecord {
    const { memory } = this.#parts;
    const ram = new Uint8Array(memory.plan.ramBytes);
    memory.readRam(ram);
    const record = this.saveWithoutRam();
    return { ...record, state: { ...record.state, ram } };
  }

  /** As {@link save}, for who takes RAM page by page. */
  saveWithoutRam(): SnapshotRecord {
    return { kind: "machine", version: VERSION, state: this.saveParts() };
  }

  /** Restores a record; `ram` is where its RAM lies if it is not part of it. */
  restore(record: SnapshotRecord, ram?: RamSource): void {
    const { name, memory } = this.#parts;
    const state = expectRecord(record, "machine", VERSION);
    const source = ram ?? ramWithin(state.ram as Uint8Array);
    const { ramBytes } = memory.plan;
    if (source.sizeBytes !== ramBytes) {
      throw new SnapshotError(
        `snapshot of a machine with ${source.sizeBytes} bytes of RAM; ${name} has ${ramBytes}`,
      );
    }
    const before = this.saveParts();
    try {
      this.restoreParts(state);
    } catch (error) {
      // A part of another version: the machine stays as it was.
      this.restoreParts(before);
      if (error instanceof SnapshotError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new SnapshotError(`the snapshot does not fit this build: ${reason}`, { cause: error });
    }
    source.writeTo(memory);
  }

  /** Everything but RAM. */
  saveParts(): SnapshotRecord["state"] {
    const { clock, processors, board, network, trace, console } = this.#parts;
    return {
      quantumCycles: this.quantumCycles,
      clock: { ...clock.save() },
      trace: { ...trace.save() },
      console: { ...console.save() },
      processors: { ...processors.save() },
      board: { ...board.save() },
      lan: network && { ...network.lan.save() },
      host: network && { ...network.host.save() },
    };
  }

  /** Restores what {@link saveParts} saved. */
  restoreParts(state: SnapshotRecord["state"]): void {
    const part = (name: string) => state[name] as unknown as SnapshotRecord;
    const { clock, processors, board, network, trace, console } = this.#parts;
    this.quantumCycles = state.quantumCycles as number;
    board.restore(part("board"));
    if (network && state.lan !== null) {
      network.lan.restore(part("lan"));
      network.host.restore(part("host"));
    }
    clock.restore(part("clock"));
    processors.restore(part("processors"));
    trace.restore(part("trace"));
    console.restore(part("console"));
  }
}
