/** Port 0x80: the firmware's progress codes, as a POST card shows them; kernels write it to pass time. */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PortBus } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";

/** How many codes are kept. */
const historyLength = 32;

/** A POST card in the ISA slot. */
export class PostPort implements Snapshot {
  #codes: number[] = [];

  constructor(ports: PortBus, port = 0x80) {
    const device = bytePorts({
      readByte: () => this.last ?? 0xff,
      writeByte: (_port, value) => this.#record(value),
    });
    ports.attachPorts(port, port, "POST codes", device);
  }

  /** The last code, or `undefined` when there was none. */
  get last(): number | undefined {
    return this.#codes.at(-1);
  }

  /** The last codes, oldest first; a code that repeats counts once. */
  get codes(): readonly number[] {
    return this.#codes;
  }

  save(): SnapshotRecord {
    return { kind: "post port", version: 1, state: { codes: [...this.#codes] } };
  }

  restore(record: SnapshotRecord): void {
    this.#codes = [...expectRecord(record, "post port", 1).codes as number[]];
  }

  #record(code: number): void {
    if (code === this.last) return;
    this.#codes.push(code);
    if (this.#codes.length > historyLength) this.#codes.shift();
  }
}
