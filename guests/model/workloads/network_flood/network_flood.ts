/** A network flood: datagrams that nobody asked for, evenly spaced, from outside. */

import { expectRecord, type SnapshotRecord } from "../../../../core/lib/snapshot.ts";
import type { OutsideMachine, OutsideProgram } from "../../net/outside_machine.ts";
import { hostAddress } from "../../net/packet.ts";

/** How it floods. */
export interface FloodOptions {
  readonly address: number;
  /** A port at which somebody listens, or nobody. */
  readonly port: number;
  readonly bytes: number;
  readonly datagramsPerSecond: number;
  /** It begins then, in nanoseconds. */
  readonly startNs: number;
}

/** Datagrams go out in bursts of this length. */
const BURST_NS = 1e6;
const OWN_PORT = 6666;

/** See the module comment. */
export class NetworkFlood implements OutsideProgram {
  #machine: OutsideMachine | null = null;
  #sent = 0;

  /** Throws `RangeError` for a rate that is not above 0. */
  constructor(private readonly options: FloodOptions) {
    const { datagramsPerSecond } = options;
    if (!(datagramsPerSecond > 0)) {
      throw new RangeError(`a flood's rate must be above 0, found ${datagramsPerSecond}`);
    }
  }

  /** Datagrams so far. */
  get sent(): number {
    return this.#sent;
  }

  begin(machine: OutsideMachine): void {
    this.#machine = machine;
    machine.setTimer(Math.max(machine.now, this.options.startNs), 0);
  }

  onTimer(): void {
    const { stack, now } = this.#machine!;
    const { address, port, bytes, datagramsPerSecond, startNs } = this.options;
    const due = Math.floor((now - startNs) * datagramsPerSecond / 1e9);
    for (; this.#sent < due; this.#sent++) {
      stack.sendDatagram(OWN_PORT, hostAddress(address), port, bytes);
    }
    this.#machine!.setTimer(now + BURST_NS, 0);
  }

  onEvent(): void {}

  onDatagram(): void {}

  save(): SnapshotRecord {
    return { kind: "networkFlood", version: 1, state: { sent: this.#sent } };
  }

  restore(record: SnapshotRecord): void {
    this.#sent = expectRecord(record, "networkFlood", 1).sent as number;
  }
}
