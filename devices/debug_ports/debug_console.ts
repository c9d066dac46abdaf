/**
 * A port that prints characters: 0x402 as SeaBIOS writes its log, 0xE9 as Bochs has it.
 *
 * A read gives 0xE9, by which firmware finds out that somebody listens.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PortBus } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";

/** The ports that PC firmware and kernels know. */
export const debugConsolePort = { seabios: 0x402, bochs: 0xe9 } as const;

const present = 0xe9;
/** Characters that are kept for tools. */
const keptCharacters = 16_384;

/** A debug console; what a guest prints goes to `onByte` and into a bounded history. */
export class DebugConsole implements Snapshot {
  #text = "";

  constructor(
    ports: PortBus,
    port: number,
    private readonly onByte: (byte: number) => void = () => {},
  ) {
    const device = bytePorts({
      readByte: () => present,
      writeByte: (_port, value) => this.#print(value),
    });
    ports.attachPorts(port, port, `debug console 0x${port.toString(16)}`, device);
  }

  /** The last 8192 to 16384 characters, one per byte. */
  get text(): string {
    return this.#text;
  }

  save(): SnapshotRecord {
    return { kind: "debug console", version: 1, state: { text: this.#text } };
  }

  restore(record: SnapshotRecord): void {
    this.#text = expectRecord(record, "debug console", 1).text as string;
  }

  #print(byte: number): void {
    this.#text += String.fromCharCode(byte);
    if (this.#text.length > keptCharacters) this.#text = this.#text.slice(-keptCharacters / 2);
    this.onByte(byte);
  }
}
