/**
 * The driver of a network card, as Linux 2.4's with polling (NAPI): an interrupt masks the card, a bounded number of packets is
 * taken at a time, and when there are no more the card may interrupt again.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelCpu } from "../kernel/kernel_cpu.ts";
import type { KernelModule } from "../kernel/module.ts";
import { CARD_WORK, type DriverWork, MASKED } from "./net_work.ts";
import type { NetDriver, Network } from "./network.ts";
import type { Packet } from "./packet.ts";

/** What the driver sees of its card. */
export interface NetDevicePort<Frame = Packet> {
  /** Descriptors of the transmit ring that are free. */
  readonly transmitRoom: number;
  /** Puts a packet into the transmit ring; whether there was room. */
  transmit(packet: Frame): boolean;
  /** Takes a packet out of the receive ring, or `null`. */
  take(): Frame | null;
  /** Frees the descriptors of packets that have left; how many. */
  reap(): number;
  /** Lets the card interrupt again. */
  unmask(): void;
}

/** Packets that are taken at a time. */
const BUDGET = 16;
/** Packets that wait for room in the transmit ring before further ones are dropped (`tx_queue_len` of 2.4 is 100). */
const QUEUE_PACKETS = 1000;
/** Registers that an interrupt's handler reads and writes: status and mailbox. */
const INTERRUPT_ACCESSES = 2;

/** See the module comment. */
export class NicDriver implements KernelModule, NetDriver {
  readonly interrupts: Readonly<Record<string, (cpu: KernelCpu) => void>>;
  dropped = 0;
  readonly #queue: Packet[] = [];
  /** The handler is entered again for what is left. */
  #isPolling = false;

  constructor(
    readonly name: string,
    private readonly kernel: Kernel,
    private readonly network: Network,
    private readonly device: NetDevicePort,
    private readonly work: DriverWork = CARD_WORK,
  ) {
    this.interrupts = { [name]: (cpu) => this.#interrupt(cpu) };
    network.attach(this);
  }

  send(packet: Packet): void {
    this.kernel.work(this.work.send);
    if (this.#queue.length === 0 && this.#transmit(packet)) return;
    if (this.#queue.length < QUEUE_PACKETS) this.#queue.push(packet);
    else this.dropped++;
  }

  save(): SnapshotRecord {
    const queue = this.#queue.map((packet) => ({ ...packet }));
    const state = { queue, isPolling: this.#isPolling, dropped: this.dropped };
    return { kind: "nicDriver", version: 1, state: state as unknown as SnapshotRecord["state"] };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "nicDriver", 1);
    this.#queue.splice(0, this.#queue.length, ...state.queue as unknown as readonly Packet[]);
    this.#isPolling = state.isPolling as boolean;
    this.dropped = state.dropped as number;
  }

  #interrupt(cpu: KernelCpu): void {
    const { kernel, device, network } = this;
    if (!this.#isPolling && this.work.hasRegisters) {
      kernel.charge("deviceAccess", INTERRUPT_ACCESSES);
    }
    const reaped = device.reap();
    kernel.work(this.work.sent * reaped);
    kernel.charge("masked", MASKED.deviceSent * reaped);
    this.#refill();
    let taken = 0;
    while (taken < BUDGET) {
      const packet = device.take();
      if (!packet) break;
      taken++;
      kernel.work(this.work.receive);
      kernel.charge("masked", MASKED.deviceReceive);
      this.#chargeFrame("framesReceived", packet);
      network.receive(packet);
    }
    this.#isPolling = taken === BUDGET;
    if (this.#isPolling) kernel.interrupt(this.name, cpu.id);
    else device.unmask();
  }

  #refill(): void {
    while (this.#queue.length > 0 && this.#transmit(this.#queue[0])) this.#queue.shift();
  }

  #transmit(packet: Packet): boolean {
    if (!this.device.transmit(packet)) return false;
    if (this.work.hasRegisters) this.kernel.charge("doorbells");
    this.#chargeFrame("framesSent", packet);
    return true;
  }

  #chargeFrame(primitive: "framesSent" | "framesReceived", { frameBytes }: Packet): void {
    if (!this.work.paysFrames) return;
    this.kernel.charge(primitive);
    this.kernel.charge("frameBytes", frameBytes);
  }
}
