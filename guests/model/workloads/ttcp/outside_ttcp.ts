/** The other end of ttcp, on a machine outside the box: a sink that reads at once, or a source that always has more. */

import { expectRecord, type SnapshotRecord } from "../../../../core/lib/snapshot.ts";
import type { OutsideMachine, OutsideProgram } from "../../net/outside_machine.ts";
import { type HostAddress, hostAddress } from "../../net/packet.ts";
import type { TcpBlock, TcpOptions } from "../../net/tcp_block.ts";
import type { TcpEvent } from "../../net/tcp_transmit.ts";

/** Which end it is. */
export type OutsideEnd =
  | { readonly does: "receive"; readonly port: number }
  | {
    readonly does: "transmit";
    readonly to: HostAddress;
    readonly port: number;
    readonly bytes: number;
    /** How long after its start it connects, in nanoseconds; default: when the sink has had time to listen. */
    readonly afterNs?: number;
  };

const PATIENCE_NS = 1e6;

/** See the module comment. */
export class OutsideTtcp implements OutsideProgram {
  #machine: OutsideMachine | null = null;
  #left: number;

  constructor(private readonly end: OutsideEnd, private readonly options: TcpOptions) {
    this.#left = end.does === "transmit" ? end.bytes : 0;
  }

  begin(machine: OutsideMachine): void {
    this.#machine = machine;
    const { end, options } = this;
    if (end.does === "receive") machine.stack.listen(end.port, 8, options);
    else machine.setTimer(machine.now + (end.afterNs ?? PATIENCE_NS), 0);
  }

  onEvent(tcb: TcpBlock, event: TcpEvent | "accepted"): void {
    const { stack } = this.#machine!;
    if (event === "accepted") stack.accept(tcb.listener);
    if (event === "closed") return;
    stack.read(tcb, Infinity, []);
    if (this.#left > 0 && (event === "connected" || event === "writable")) {
      this.#left -= stack.write(tcb, this.#left);
    }
    if (tcb.finAt <= tcb.expected) stack.close(tcb);
  }

  onTimer(): void {
    const { end, options } = this;
    if (end.does === "transmit") {
      this.#machine!.stack.connect(hostAddress(end.to), end.port, options);
    }
  }

  onDatagram(): void {}

  save(): SnapshotRecord {
    return { kind: "outsideTtcp", version: 1, state: { left: this.#left } };
  }

  restore(record: SnapshotRecord): void {
    this.#left = expectRecord(record, "outsideTtcp", 1).left as number;
  }
}
