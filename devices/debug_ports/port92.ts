/**
 * System control port A (0x92): the fast A20 gate and the fast reset.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A"; Intel 82371SB (PIIX3)
 * data sheet, "Port 92".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PortBus } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import type { PowerControl } from "../power.ts";

const Bit = { fastReset: 1 << 0, a20: 1 << 1 } as const;

/** What port 0x92 switches. */
export interface Port92Wiring {
  readonly ports: PortBus;
  readonly power: Pick<PowerControl, "reset">;
  /** Told whenever this gate changes; the A20 line is open when this gate or the keyboard controller's is. */
  readonly onA20: (open: boolean) => void;
  /** Whether the gate is open at power-on; default true, as SeaBIOS's machine has it. */
  readonly a20?: boolean;
}

/** The port. A rise of bit 0 resets the machine. */
export class Port92 implements Snapshot {
  readonly #wiring: Port92Wiring;
  readonly #powerOn: number;
  #value: number;

  constructor(wiring: Port92Wiring) {
    this.#wiring = wiring;
    this.#powerOn = (wiring.a20 ?? true) ? Bit.a20 : 0;
    this.#value = this.#powerOn;
    const device = bytePorts({
      readByte: () => this.#value,
      writeByte: (_port, value) => this.#write(value),
    });
    wiring.ports.attachPorts(0x92, 0x92, "system control port A", device);
  }

  /** Whether this gate lets A20 through. */
  get a20(): boolean {
    return (this.#value & Bit.a20) !== 0;
  }

  /** The reset line: back to power-on. */
  reset(): void {
    this.#set(this.#powerOn);
  }

  save(): SnapshotRecord {
    return { kind: "port 92", version: 1, state: { value: this.#value } };
  }

  /** Does not tell `onA20`: who holds the line restores its own state. */
  restore(record: SnapshotRecord): void {
    this.#value = expectRecord(record, "port 92", 1).value as number;
  }

  #write(value: number): void {
    const resets = (value & Bit.fastReset) !== 0 && (this.#value & Bit.fastReset) === 0;
    this.#set(value & (Bit.fastReset | Bit.a20));
    if (resets) this.#wiring.power.reset();
  }

  #set(value: number): void {
    const before = this.a20;
    this.#value = value;
    if (this.a20 !== before) this.#wiring.onA20(this.a20);
  }
}
