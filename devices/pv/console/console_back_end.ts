/**
 * The paravirtual console's back end: what a guest writes to `hvc0` goes to an output port, what a
 * script or a person types goes to the guest.
 *
 * Wiring: the page and the event channel are those that the domain's start information names. Call
 * {@link ConsoleBackEnd.step} when the channel fires and after {@link ConsoleBackEnd.send}.
 */

import { XENCONS_INTERFACE } from "../../../core/abi/io/console.ts";
import type { MachineFrame } from "../../../core/abi/ids.ts";
import type { FrameMemory } from "../../../core/hypervisor/frame_memory.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { ByteRing, type ByteRingPlaces } from "../../rings/byte_ring.ts";
import { IDLE, type Stepper, type StepResult } from "../../work.ts";

/** What the back end is wired to. */
export interface ConsolePorts {
  readonly memory: FrameMemory;
  /** The page with the two streams. */
  readonly frame: MachineFrame;
  /** Takes what the guest writes. */
  output(bytes: Uint8Array): void;
  /** Sends the event of the console's channel. */
  notify(): void;
}

/** Input that waits for the guest to read, in bytes, at most. */
const INPUT_LIMIT = 1 << 16;

/** The stream from the guest, and the stream to it. */
const OUT: ByteRingPlaces = {
  buffer: XENCONS_INTERFACE.offsetOf("out"),
  sizeBytes: 2048,
  consumer: XENCONS_INTERFACE.offsetOf("out_cons"),
  producer: XENCONS_INTERFACE.offsetOf("out_prod"),
};
const IN: ByteRingPlaces = {
  buffer: XENCONS_INTERFACE.offsetOf("in"),
  sizeBytes: 1024,
  consumer: XENCONS_INTERFACE.offsetOf("in_cons"),
  producer: XENCONS_INTERFACE.offsetOf("in_prod"),
};

/** One domain's console; see the module comment. */
export class ConsoleBackEnd implements Stepper, Snapshot {
  readonly #out: ByteRing;
  readonly #in: ByteRing;
  #input = new Uint8Array(0);

  constructor(private readonly ports: ConsolePorts) {
    this.#out = new ByteRing(ports.memory, ports.frame, OUT);
    this.#in = new ByteRing(ports.memory, ports.frame, IN);
  }

  /** Queues input; throws `RangeError` if the guest has left more than 64 KiB unread. */
  send(bytes: Uint8Array): void {
    const length = this.#input.length + bytes.length;
    if (length > INPUT_LIMIT) {
      throw new RangeError(
        `console input of ${length} bytes waits; the guest must read before more than ${INPUT_LIMIT}`,
      );
    }
    const joined = new Uint8Array(length);
    joined.set(this.#input);
    joined.set(bytes, this.#input.length);
    this.#input = joined;
  }

  /** Moves what waits in either direction. */
  step(): StepResult {
    const output = this.#out.read(OUT.sizeBytes);
    if (output.length > 0) this.ports.output(output);
    const taken = this.#in.write(this.#input);
    this.#input = this.#input.slice(taken);
    const copiedBytes = output.length + taken;
    if (copiedBytes === 0) return IDLE;
    this.ports.notify();
    return { done: { copiedBytes, events: 1 }, more: (this.#out.available ?? 0) > 0 };
  }

  save(): SnapshotRecord {
    return { kind: "pvConsole", version: 1, state: { input: this.#input.slice() } };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pvConsole", 1);
    this.#input = (state.input as Uint8Array).slice();
  }
}
