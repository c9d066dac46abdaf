/** UDP echo: a program that sends back what it gets, and somebody outside who measures how long that takes. */

import { Random } from "../../../../core/lib/random.ts";
import {
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../../core/lib/snapshot.ts";
import { call, exit, type Program } from "../../kernel/action.ts";
import type { OutsideMachine, OutsideProgram } from "../../net/outside_machine.ts";
import { hostAddress } from "../../net/packet.ts";

/** Its locals are `{ port }`. */
export const udpEcho: Program = {
  name: "udp echo",
  steps: {
    begin: ({ locals: { port } }) => call("bind", { port }, "bound"),
    bound: ({ locals, value }) => {
      if (value < 0) return exit(-value);
      locals.fd = value;
      return call("recv", { fd: value, bytes: 2048 }, "answer");
    },
    answer: ({ locals: { fd }, result }) => {
      const { bytes, says, from, fromPort } = result as { readonly [name: string]: SnapshotValue };
      const [said] = says as readonly SnapshotValue[];
      return call("sendto", { fd, to: from, port: fromPort, bytes, says: said }, "next");
    },
    next: ({ locals: { fd } }) => call("recv", { fd, bytes: 2048 }, "answer"),
  },
};

/** What the one outside is told. */
export interface PingerOptions {
  readonly address: number;
  readonly port: number;
  /** From one question to the next on average, in nanoseconds; intervals lie between half and one and a half of it. */
  readonly intervalNs: number;
  readonly bytes: number;
  readonly seed: number;
}

/** How long answers took. */
export interface PingResult {
  readonly sent: number;
  readonly answered: number;
  /** Of those that were answered, in milliseconds. */
  readonly meanMs: number;
  readonly deviationMs: number;
  readonly worstMs: number;
}

const OWN_PORT = 7000;

/** Asks a {@link udpEcho} at random instants. */
export class Pinger implements OutsideProgram {
  readonly #random: Random;
  #machine: OutsideMachine | null = null;
  #sent = 0;
  #answered = 0;
  #sumNs = 0;
  #squaresNs = 0;
  #worstNs = 0;

  constructor(private readonly options: PingerOptions) {
    this.#random = new Random(options.seed);
  }

  get result(): PingResult {
    const answered = this.#answered;
    const mean = this.#sumNs / Math.max(1, answered);
    const variance = this.#squaresNs / Math.max(1, answered) - mean * mean;
    return {
      sent: this.#sent,
      answered,
      meanMs: mean / 1e6,
      deviationMs: Math.sqrt(Math.max(0, variance)) / 1e6,
      worstMs: this.#worstNs / 1e6,
    };
  }

  begin(machine: OutsideMachine): void {
    this.#machine = machine;
    machine.stack.bindDatagrams(OWN_PORT);
    this.#wait();
  }

  onTimer(): void {
    const { stack, now } = this.#machine!;
    const { address, port, bytes } = this.options;
    this.#sent++;
    stack.sendDatagram(OWN_PORT, hostAddress(address), port, bytes, now);
    this.#wait();
  }

  onDatagram(): void {
    const { stack, now } = this.#machine!;
    const sentAt = stack.receiveDatagram(OWN_PORT)?.marks[0]?.says;
    if (typeof sentAt !== "number") return;
    const took = now - sentAt;
    this.#answered++;
    this.#sumNs += took;
    this.#squaresNs += took * took;
    this.#worstNs = Math.max(this.#worstNs, took);
  }

  onEvent(): void {}

  save(): SnapshotRecord {
    const state = {
      random: { ...this.#random.save() },
      sent: this.#sent,
      answered: this.#answered,
      sumNs: this.#sumNs,
      squaresNs: this.#squaresNs,
      worstNs: this.#worstNs,
    };
    return { kind: "pinger", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pinger", 1);
    this.#random.restore(state.random as unknown as SnapshotRecord);
    this.#sent = state.sent as number;
    this.#answered = state.answered as number;
    this.#sumNs = state.sumNs as number;
    this.#squaresNs = state.squaresNs as number;
    this.#worstNs = state.worstNs as number;
  }

  #wait(): void {
    const machine = this.#machine!;
    machine.setTimer(machine.now + (0.5 + this.#random.unit()) * this.options.intervalNs, 0);
  }
}
