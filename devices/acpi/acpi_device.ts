/**
 * ACPI power management on a PC board: the register block where PCI configuration puts it, the SMI
 * command ports 0xB2 and 0xB3, the SCI, and soft-off.
 *
 * The board has no system management mode: the two commands that firmware would serve there (ACPI enable
 * and disable) take effect at once.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { Clock, Cycle, Timer } from "../../core/clock/clock.ts";
import type { IrqLine, PortBus, PortDevice } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import type { PowerControl } from "../power.ts";
import { AcpiPm, Pm1Event, pmTimerFrequencyHz } from "./acpi_pm.ts";
import { smiCommand } from "./acpi_tables.ts";

const blockPorts = 64;

/** What an {@link AcpiDevice} is wired to. */
export interface AcpiWiring {
  readonly clock: Clock;
  readonly ports: PortBus;
  /** IRQ 9, level triggered, active high. */
  readonly sci: IrqLine;
  readonly power: Pick<PowerControl, "powerOff">;
  /** The block's base at power-on, or `null` until {@link AcpiDevice.setPmBase}; default 0x600. */
  readonly pmBase?: number | null;
  /** Whether the PM timer has 32 bits; default false. */
  readonly pmTimer32?: boolean;
  /** SLP_TYP of soft-off; default 0, as on the PIIX4. */
  readonly s5SleepType?: number;
}

/** Power management of a PC. */
export class AcpiDevice implements Snapshot {
  readonly #chip: AcpiPm;
  readonly #clock: Clock;
  readonly #ports: PortBus;
  readonly #sci: IrqLine;
  readonly #timer: Timer;
  readonly #block: PortDevice;
  readonly #powerOnBase: number | null;
  #base: number | null = null;
  #command = 0;
  #commandData = 0;

  constructor(wiring: AcpiWiring) {
    const { clock, ports, sci, power, s5SleepType = 0 } = wiring;
    this.#clock = clock;
    this.#ports = ports;
    this.#sci = sci;
    this.#chip = new AcpiPm(wiring.pmTimer32 ? 32 : 24, (sleepType) => {
      if (sleepType === s5SleepType) power.powerOff();
      // Other sleep states are not described to the guest: it wakes up at once.
      else this.#chip.raiseEvent(Pm1Event.wak);
    });
    this.#timer = clock.createTimer("acpi.pm_timer", () => this.#update());
    this.#block = bytePorts({
      readByte: (port) => this.#chip.readByte(port - this.#base!, this.#tick()),
      writeByte: (port, value) => this.#write(port - this.#base!, value),
    });
    ports.attachPorts(
      smiCommand.port,
      smiCommand.port + 1,
      "SMI command",
      bytePorts({
        readByte: (port) => port === smiCommand.port ? this.#command : this.#commandData,
        writeByte: (port, value) => this.#writeCommand(port, value),
      }),
    );
    this.#powerOnBase = wiring.pmBase === undefined ? 0x600 : wiring.pmBase;
    if (this.#powerOnBase !== null) this.setPmBase(this.#powerOnBase, true);
  }

  /** The first port of the block, or `null` while it does not answer. */
  get pmBase(): number | null {
    return this.#base;
  }

  /** Whether the guest has taken the hardware over from the firmware. */
  get acpiMode(): boolean {
    return this.#chip.acpiMode;
  }

  /**
   * Moves the register block to ports `base` to `base + 63`, or takes it away. Where other devices are
   * in the way, which a guest can bring about, the block does not answer.
   */
  setPmBase(base: number, enabled: boolean): void {
    if (this.#base !== null) this.#ports.detachPorts(this.#base);
    this.#base = null;
    if (!enabled) return;
    try {
      this.#ports.attachPorts(base, base + blockPorts - 1, "ACPI power management", this.#block);
      this.#base = base;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** Presses the power button: an operating system in ACPI mode shuts down. */
  pressPowerButton(): void {
    this.#chip.raiseEvent(Pm1Event.pwrbtn);
    this.#update();
  }

  /** Raises general-purpose event `number` (0 to 15). */
  raiseGpe(number: number): void {
    this.#chip.raiseGpe(number);
    this.#update();
  }

  /** The reset line. */
  reset(): void {
    this.#chip.reset();
    this.#command = 0;
    this.#commandData = 0;
    this.setPmBase(this.#powerOnBase ?? 0, this.#powerOnBase !== null);
    this.#update();
  }

  save(): SnapshotRecord {
    const { state } = this.#chip.save();
    return {
      kind: "acpi",
      version: 1,
      state: {
        ...state,
        base: this.#base,
        command: this.#command,
        commandData: this.#commandData,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const { base, command, commandData, ...state } = expectRecord(record, "acpi", 1);
    this.#chip.restore({ kind: "acpi pm", version: 1, state });
    this.#command = command as number;
    this.#commandData = commandData as number;
    this.setPmBase((base as number | null) ?? 0, base !== null);
  }

  #tick(): number {
    return this.#clock.ticks(pmTimerFrequencyHz);
  }

  #write(offset: number, value: number): void {
    this.#chip.writeByte(offset, value, this.#tick());
    this.#update();
  }

  #writeCommand(port: number, value: number): void {
    if (port !== smiCommand.port) {
      this.#commandData = value;
      return;
    }
    this.#command = value;
    if (value === smiCommand.acpiEnable) this.#chip.acpiMode = true;
    if (value === smiCommand.acpiDisable) this.#chip.acpiMode = false;
    this.#update();
  }

  #update(): void {
    const tick = this.#tick();
    this.#sci.setLevel(this.#chip.level(tick));
    const next = this.#chip.nextInterrupt(tick);
    if (next === null) this.#timer.disarm();
    else this.#timer.armAt(this.#clock.cycleOfTick(next, pmTimerFrequencyHz) as Cycle);
  }
}
