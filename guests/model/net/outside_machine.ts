/**
 * A machine outside the box: it speaks the same protocols over the same cable, and costs the box nothing.
 *
 * It stands for all machines there, as many as it takes: its CPUs are never busy. What it does is an {@link OutsideProgram}'s.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import { DeadlineQueue } from "./deadline_queue.ts";
import { NetStack } from "./net_stack.ts";
import type { NetDevicePort } from "./nic_driver.ts";
import type { HostAddress, Packet } from "./packet.ts";
import type { TcpBlock } from "./tcp_block.ts";
import type { TcpEvent } from "./tcp_transmit.ts";

/** What runs on a machine outside; its state is plain data. */
export interface OutsideProgram extends Snapshot {
  /** Called once, before anything else. */
  begin(machine: OutsideMachine): void;
  /** A connection may go on; `accepted`: a new one waits at the port that it came in by. */
  onEvent(tcb: TcpBlock, event: TcpEvent | "accepted"): void;
  /** A timer that was set by {@link OutsideMachine.setTimer} has run out. */
  onTimer(key: number): void;
  /** A datagram waits at `port`. */
  onDatagram(port: number): void;
}

/** What the machine needs of its clock. */
export interface OutsidePorts {
  /** Nanoseconds since power-on. */
  now(): number;
  /** {@link OutsideMachine.onAlarm} is wanted at this instant instead of any that was named before. */
  alarm(atNs: number): void;
}

/** See the module comment. */
export class OutsideMachine implements Snapshot {
  readonly stack: NetStack;
  readonly #timers = new DeadlineQueue();
  readonly #queue: Packet[] = [];
  /** When the stack wants to be looked at. */
  #stackAt = Infinity;
  #alarmAt = Infinity;

  constructor(
    address: HostAddress,
    private readonly device: NetDevicePort,
    private readonly ports: OutsidePorts,
    private readonly program: OutsideProgram,
  ) {
    this.stack = new NetStack(address, {
      now: () => ports.now(),
      send: (packet) => this.#send(packet),
      notify: (tcb, event) => program.onEvent(tcb, event),
      notifyDatagram: (port) => program.onDatagram(port),
      alarm: (at) => {
        this.#stackAt = at;
        this.#arm();
      },
    });
  }

  get now(): number {
    return this.ports.now();
  }

  /** Lets the program begin. */
  begin(): void {
    this.program.begin(this);
  }

  /** Has the program's `onTimer(key)` called at `atNs`; several timers may have one key. */
  setTimer(atNs: number, key: number): void {
    this.#timers.push(atNs, key);
    this.#arm();
  }

  /** Its card has interrupted. */
  onInterrupt(): void {
    const { device } = this;
    device.reap();
    while (this.#queue.length > 0 && device.transmit(this.#queue[0])) this.#queue.shift();
    for (let packet = device.take(); packet; packet = device.take()) this.stack.receive(packet);
    device.unmask();
  }

  onAlarm(): void {
    const { now } = this;
    this.#alarmAt = Infinity;
    while (this.#timers.next <= now) this.program.onTimer(this.#timers.pop());
    if (this.#stackAt <= now) {
      this.#stackAt = Infinity;
      this.stack.onAlarm();
    }
    this.#arm();
  }

  save(): SnapshotRecord {
    const state = {
      stack: { ...this.stack.save() },
      program: { ...this.program.save() },
      timers: this.#timers.save(),
      queue: this.#queue.map((packet) => ({ ...packet })),
      stackAt: this.#stackAt,
      alarmAt: this.#alarmAt,
    };
    return {
      kind: "outsideMachine",
      version: 1,
      state: state as unknown as SnapshotRecord["state"],
    };
  }

  /** The card and the clock are restored by their own records. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "outsideMachine", 1);
    this.stack.restore(state.stack as unknown as SnapshotRecord);
    this.program.restore(state.program as unknown as SnapshotRecord);
    this.#timers.restore(state.timers);
    this.#queue.splice(0, this.#queue.length, ...state.queue as unknown as readonly Packet[]);
    this.#stackAt = state.stackAt as number;
    this.#alarmAt = state.alarmAt as number;
  }

  #send(packet: Packet): void {
    if (this.#queue.length > 0 || !this.device.transmit(packet)) this.#queue.push(packet);
  }

  #arm(): void {
    const next = Math.min(this.#timers.next, this.#stackAt);
    if (next >= this.#alarmAt) return;
    this.#alarmAt = next;
    this.ports.alarm(next);
  }
}
