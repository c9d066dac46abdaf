/**
 * Where what comes from outside enters a machine: between two turns of its CPUs, noted in the journal and in the trace.
 *
 * An input that comes while the CPUs stand together takes effect at once. One that comes in the middle of a turn (from a
 * callback, or between the CPUs of a turn that stopped) waits for its end, so that it can be had again at that cycle.
 */

import type { Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import { Digest, type Trace } from "../../core/trace/trace.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Processors } from "../../core/x86/processors.ts";
import type { PcBoard } from "../../devices/board/mod.ts";
import { KEY_NAMES } from "../../devices/i8042/mod.ts";
import type { HostInput } from "../../devices/net/mod.ts";
import type { MachineNetwork } from "../machine_api.ts";
import type { MachineInput } from "../replay/input_journal.ts";
import { setRegister, StateDoor } from "./state_changes.ts";
import type { Timeline } from "../time_travel/timeline.ts";

/** Where input comes from, as numbered in the trace. */
const InputSource = { console: 0, keyboard: 1, network: 2, memory: 3, register: 4 } as const;

/** What the door leads to. */
export interface InputDoorParts {
  readonly clock: MachineClock;
  readonly processors: Processors;
  readonly board: PcBoard;
  readonly memory: MachineMemory;
  readonly network: MachineNetwork | null;
  readonly trace: Trace;
  readonly timeline: Timeline;
}

/** See the module comment. */
export class InputDoor {
  readonly #parts: InputDoorParts;
  /** Whether timers fire. */
  #closed = false;
  /** Inputs that wait for their turn. */
  #waiting = 0;

  /** What a person may change. */
  readonly changes: StateDoor;

  constructor(parts: InputDoorParts) {
    const { memory, processors, clock } = this.#parts = parts;
    const [now, feed] = [() => clock.reached, (input: MachineInput) => this.feed(input)];
    this.changes = new StateDoor({ memory, processors, now, feed });
  }

  /** Puts an input before the machine. */
  feed(input: MachineInput): void {
    const { processors, timeline, clock: { reached: now } } = this.#parts;
    // What waits for its turn belongs to the present, and is no future to be given up.
    if (this.#waiting === 0) timeline.fork();
    this.#waiting++;
    const at = Math.max(now, processors.meetingCycle) as Cycle;
    timeline.journal.add(at, input);
    if (at > now) processors.endBy(at);
    else if (!this.#closed) this.carryOut();
  }

  /** Lets `events` happen without inputs, then carries out those that are due; returns what came of the events. */
  after<Result>(events: () => Result): Result {
    this.#closed = true;
    let result: Result;
    try {
      result = events();
    } finally {
      this.#closed = false;
    }
    this.carryOut();
    return result;
  }

  /** Carries out what is due. */
  carryOut(): void {
    const { clock, timeline: { journal } } = this.#parts;
    for (let input = journal.take(clock.reached); input; input = journal.take(clock.reached)) {
      if (this.#waiting > 0) this.#waiting--;
      this.#apply(input);
    }
  }

  /** The machine is at another instant now: what waited is part of a future. */
  moved(): void {
    this.#waiting = 0;
  }

  #apply(input: MachineInput): void {
    const { board, memory, network, processors } = this.#parts;
    switch (input.kind) {
      case "console":
        for (const byte of input.bytes) this.#tell(InputSource.console, byte);
        board.com1.receive(input.bytes);
        return;
      case "keys":
        for (const key of input.keys) this.#tell(InputSource.keyboard, KEY_NAMES.indexOf(key));
        return board.keyboard.typist.pressKeys(...input.keys);
      case "network":
        this.#tell(InputSource.network, digestOf(input.input));
        return network?.host.carryOut(input.input);
      case "memory":
        this.#tell(InputSource.memory, digestOfBytes(input.address, input.bytes));
        return memory.writeBytes(input.address as PhysicalAddress, input.bytes);
      case "register": {
        const value = Number(BigInt.asUintN(32, input.value ^ (input.value >> 32n)));
        this.#tell(InputSource.register, value);
        return setRegister(processors.cpus[input.cpu], input.name, input.value);
      }
    }
  }

  #tell(source: number, value: number): void {
    const { trace, clock } = this.#parts;
    trace.emit(clock.reached, "input", source, value);
  }
}

/** A digest of what is put into memory, and where. */
function digestOfBytes(address: number, bytes: Uint8Array): number {
  const digest = new Digest();
  digest.add(address);
  bytes.forEach((byte) => digest.add(byte));
  return digest.low;
}

/** A digest of what goes onto the network. */
function digestOf(input: HostInput): number {
  const digest = new Digest();
  const add = (bytes: Uint8Array) => bytes.forEach((byte) => digest.add(byte));
  switch (input.kind) {
    case "frame":
      add(input.frame);
      break;
    case "packet":
      add(input.payload);
      break;
    case "ping":
      digest.add(input.to);
      digest.add(input.dataBytes);
      break;
  }
  return digest.low;
}
