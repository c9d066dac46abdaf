/**
 * The 8254 on a PC board: ports 0x40 to 0x43, counter 0 on IRQ 0, and the system control port 0x61 with
 * the speaker's gate and the refresh toggle.
 *
 * Source: Intel 82371SB (PIIX3) data sheet, "Timer/Counter Registers", "NMI Status and Control Register".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import type { IrqLine, PortBus } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import { Pit8254 } from "./pit8254.ts";

/** The PC's timer oscillator: 14.31818 MHz / 12. */
export const pitFrequencyHz = 1_193_182;

/** Pulses between two toggles of the refresh bit: DRAM refresh comes every 15 microseconds. */
const refreshPulses = 18;

/** System control port B. */
const PortB = {
  timer2Gate: 1 << 0,
  speakerEnable: 1 << 1,
  /** Parity and IOCHK enables: stored, without further effect. */
  writable: 0x0f,
  refreshToggle: 1 << 4,
  timer2Out: 1 << 5,
} as const;

/** What a {@link PitDevice} is wired to. */
export interface PitWiring {
  readonly clock: Clock;
  readonly ports: PortBus;
  /** IRQ 0: PIC input 0 and, by the MADT's override, I/O APIC input 2. */
  readonly irq0: IrqLine;
}

/** The timer and speaker port of a PC. Only rises of counter 0's OUT cost an event. */
export class PitDevice implements Snapshot {
  readonly #chip = new Pit8254();
  readonly #clock: Clock;
  readonly #irq0: IrqLine;
  readonly #rise: Timer;
  #portB = 0;

  constructor({ clock, ports, irq0 }: PitWiring) {
    this.#clock = clock;
    this.#irq0 = irq0;
    this.#rise = clock.createTimer("pit.channel0", () => this.#channel0Rises());
    ports.attachPorts(
      0x40,
      0x43,
      "pit8254",
      bytePorts({
        readByte: (port) => this.#chip.read(port & 3, this.#tick()),
        writeByte: (port, value) => this.#write(port & 3, value),
      }),
    );
    ports.attachPorts(
      0x61,
      0x61,
      "system control port B",
      bytePorts({
        readByte: () => this.#readPortB(),
        writeByte: (_port, value) => this.#writePortB(value),
      }),
    );
  }

  /** The tone that the speaker plays, in hertz, or 0 when it is silent. */
  get speakerHz(): number {
    const audible = PortB.timer2Gate | PortB.speakerEnable;
    const { mode, count } = this.#chip.programmed(2);
    if ((this.#portB & audible) !== audible || mode !== 3 || count === null) return 0;
    return pitFrequencyHz / count;
  }

  save(): SnapshotRecord {
    const { state } = this.#chip.save();
    return { kind: "pit", version: 1, state: { ...state, portB: this.#portB } };
  }

  restore(record: SnapshotRecord): void {
    const { portB, ...state } = expectRecord(record, "pit", 1);
    this.#chip.restore({ kind: "pit8254", version: 1, state });
    this.#portB = portB as number;
  }

  #tick(): number {
    return this.#clock.ticks(pitFrequencyHz);
  }

  #write(register: number, value: number): void {
    const tick = this.#tick();
    this.#chip.write(register, value, tick);
    if (register === 0 || register === 3) {
      this.#irq0.setLevel(this.#chip.out(0, tick));
      this.#armRise(tick);
    }
  }

  /** IRQ 0 is edge triggered: the falls between two rises need no event of their own. */
  #channel0Rises(): void {
    this.#irq0.setLevel(false);
    this.#irq0.setLevel(true);
    this.#armRise(this.#tick());
  }

  #armRise(tick: number): void {
    const next = this.#chip.nextRise(0, tick);
    const at = next === null ? Infinity : this.#clock.cycleOfTick(next, pitFrequencyHz);
    if (Number.isSafeInteger(at)) this.#rise.armAt(at as Cycle);
    else this.#rise.disarm();
  }

  #readPortB(): number {
    const tick = this.#tick();
    return this.#portB |
      (Math.floor(tick / refreshPulses) % 2 === 0 ? 0 : PortB.refreshToggle) |
      (this.#chip.out(2, tick) ? PortB.timer2Out : 0);
  }

  #writePortB(value: number): void {
    this.#portB = value & PortB.writable;
    this.#chip.setGate(2, (value & PortB.timer2Gate) !== 0, this.#tick());
  }
}
