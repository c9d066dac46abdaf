/**
 * The 8042 on its ports with a keyboard, a mouse and a typist.
 *
 * Wiring: `new KeyboardController({ ports, clock, irq1: isaIrq(1), irq12: isaIrq(12), gate, reset })`.
 * Ports 60h and 64h are claimed one by one; 61h is the timer's.
 */

import type { Clock } from "../../core/clock/clock.ts";
import type { IrqLine, PortBus } from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { bytePorts } from "../byte_ports.ts";
import type { A20Gate } from "./a20_gate.ts";
import { I8042 } from "./i8042.ts";
import { Ps2Keyboard } from "./ps2_keyboard.ts";
import { Ps2Mouse } from "./ps2_mouse.ts";
import { Typist } from "./typist.ts";

const DATA_PORT = 0x60;
const COMMAND_PORT = 0x64;

/** What the controller needs of its machine. */
export interface KeyboardControllerOptions {
  readonly ports: PortBus;
  readonly clock: Clock;
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  readonly gate: A20Gate;
  /** The controller pulses the reset line. */
  reset(): void;
}

/** Keyboard, mouse and their controller. */
export class KeyboardController implements Snapshot {
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  readonly typist: Typist;
  readonly #chip: I8042;
  readonly #lines: { irq: IrqLine; level: boolean }[];

  /** Attaches ports 60h and 64h; throws `RangeError` if they are taken. */
  constructor(options: KeyboardControllerOptions) {
    this.#lines = [options.irq1, options.irq12].map((irq) => ({ irq, level: false }));
    this.keyboard = new Ps2Keyboard(() => this.#chip.deviceReady());
    this.mouse = new Ps2Mouse(() => this.#chip.deviceReady());
    this.typist = new Typist(this.keyboard, options.clock);
    this.#chip = new I8042(
      {
        setInterrupts: (...levels) => this.#drive(levels),
        setA20: (open) => options.gate.setSource("keyboard", open),
        reset: () => options.reset(),
      },
      this.keyboard,
      this.mouse,
    );
    this.#attach(options.ports);
  }

  /** Types `text` on the US layout, paced in simulated time; see {@link Typist.typeText}. */
  typeText(text: string): void {
    this.typist.typeText(text);
  }

  reset(): void {
    this.#chip.reset();
  }

  save(): SnapshotRecord {
    const state = {
      chip: { ...this.#chip.save() },
      typist: { ...this.typist.save() },
      levels: this.#lines.map(({ level }) => level),
    };
    return { kind: "keyboard-controller", version: 1, state };
  }

  /** Restores without driving a wire: the interrupt controllers restore their own inputs. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "keyboard-controller", 1);
    this.#chip.restore(state.chip as unknown as SnapshotRecord);
    this.typist.restore(state.typist as unknown as SnapshotRecord);
    (state.levels as boolean[]).forEach((level, index) => this.#lines[index].level = level);
  }

  #attach(ports: PortBus): void {
    const data = bytePorts({
      readByte: () => this.#chip.readData(),
      writeByte: (_port, value) => this.#chip.writeData(value),
    });
    const command = bytePorts({
      readByte: () => this.#chip.readStatus(),
      writeByte: (_port, value) => this.#chip.writeCommand(value),
    });
    ports.attachPorts(DATA_PORT, DATA_PORT, "8042 data", data);
    ports.attachPorts(COMMAND_PORT, COMMAND_PORT, "8042 command", command);
  }

  #drive(levels: readonly boolean[]): void {
    levels.forEach((level, index) => {
      const line = this.#lines[index];
      if (line.level === level) return;
      line.level = level;
      line.irq.setLevel(level);
    });
  }
}
