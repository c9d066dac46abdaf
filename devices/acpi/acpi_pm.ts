/**
 * ACPI fixed hardware as on the PIIX4: PM1 event and control registers, PM timer, one block of
 * general-purpose events. The chip is pure: accesses carry the PM timer's tick.
 *
 * Source: Intel 82371AB (PIIX4) data sheet, "Power Management I/O Space Registers"; ACPI Specification 6.4,
 * section 4.8 "ACPI Register Model".
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";

/** The PM timer's oscillator. */
export const pmTimerFrequencyHz = 3_579_545;

/** PM1_STS and PM1_EN. */
export const Pm1Event = {
  tmr: 1 << 0,
  bm: 1 << 4,
  gbl: 1 << 5,
  pwrbtn: 1 << 8,
  rtc: 1 << 10,
  /** Status only: the machine woke up. */
  wak: 1 << 15,
} as const;

/** PM1_CNT. SLP_EN is write-only. */
export const Pm1Control = {
  sciEn: 1 << 0,
  bmRld: 1 << 1,
  slpTypShift: 10,
  slpTypMask: 7 << 10,
  slpEn: 1 << 13,
} as const;

/** Register offsets in the block of 64 ports. */
export const PmRegister = {
  pm1Status: 0x00,
  pm1Enable: 0x02,
  pm1Control: 0x04,
  pmTimer: 0x08,
  gpe0Status: 0x0c,
  gpe0Enable: 0x0e,
} as const;

const enableMask = Pm1Event.tmr | Pm1Event.gbl | Pm1Event.pwrbtn | Pm1Event.rtc;
const controlMask = Pm1Control.sciEn | Pm1Control.bmRld | Pm1Control.slpTypMask;

/** The registers; bytes are addressed by their offset in the block. */
export class AcpiPm implements Snapshot {
  #status = 0;
  #enable = 0;
  #control = 0;
  #gpeStatus = 0;
  #gpeEnable = 0;
  /** Half periods of the PM timer's highest bit that were accounted for. */
  #togglesSeen = 0;

  /** `onSleep` is told SLP_TYP whenever SLP_EN is written. */
  constructor(
    private readonly timerBits: 24 | 32,
    private readonly onSleep: (sleepType: number) => void,
  ) {}

  /** Whether ACPI owns the hardware (SCI_EN). */
  get acpiMode(): boolean {
    return (this.#control & Pm1Control.sciEn) !== 0;
  }

  set acpiMode(on: boolean) {
    this.#control = on ? this.#control | Pm1Control.sciEn : this.#control & ~Pm1Control.sciEn;
  }

  readByte(offset: number, tick: number): number {
    this.#advance(tick);
    const shift = 8 * (offset & 1);
    switch (offset & ~1) {
      case PmRegister.pm1Status:
        return (this.#status >> shift) & 0xff;
      case PmRegister.pm1Enable:
        return (this.#enable >> shift) & 0xff;
      case PmRegister.pm1Control:
        return (this.#control >> shift) & 0xff;
      case PmRegister.pmTimer:
      case PmRegister.pmTimer + 2:
        return Math.floor((tick % 2 ** this.timerBits) / 2 ** (8 * (offset & 3))) & 0xff;
      case PmRegister.gpe0Status:
        return (this.#gpeStatus >> shift) & 0xff;
      case PmRegister.gpe0Enable:
        return (this.#gpeEnable >> shift) & 0xff;
      default:
        return 0;
    }
  }

  writeByte(offset: number, value: number, tick: number): void {
    this.#advance(tick);
    const shift = 8 * (offset & 1);
    const bits = value << shift;
    const others = 0xff00 >> shift;
    switch (offset & ~1) {
      case PmRegister.pm1Status:
        this.#status &= ~bits;
        return;
      case PmRegister.pm1Enable:
        this.#enable = ((this.#enable & others) | bits) & enableMask;
        return;
      case PmRegister.pm1Control:
        this.#control = ((this.#control & others) | bits) & controlMask;
        if ((bits & Pm1Control.slpEn) !== 0) {
          this.onSleep((this.#control & Pm1Control.slpTypMask) >> Pm1Control.slpTypShift);
        }
        return;
      case PmRegister.gpe0Status:
        this.#gpeStatus &= ~bits;
        return;
      case PmRegister.gpe0Enable:
        this.#gpeEnable = (this.#gpeEnable & others) | bits;
        return;
    }
  }

  /** Sets bits of PM1_STS. */
  raiseEvent(bits: number): void {
    this.#status |= bits;
  }

  /** Sets general-purpose event `number` (0 to 15). */
  raiseGpe(number: number): void {
    this.#gpeStatus |= 1 << (number & 15);
  }

  /** The system control interrupt. */
  level(tick: number): boolean {
    this.#advance(tick);
    if (!this.acpiMode) return false;
    return (this.#status & this.#enable) !== 0 || (this.#gpeStatus & this.#gpeEnable) !== 0;
  }

  /** The tick at which the timer's highest bit toggles and makes an interrupt, or `null`. */
  nextInterrupt(tick: number): number | null {
    if (this.level(tick) || !this.acpiMode || (this.#enable & Pm1Event.tmr) === 0) return null;
    return (this.#togglesSeen + 1) * this.#togglePeriod;
  }

  /** Power-on state; the PM timer runs on. */
  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = 0;
    this.#gpeStatus = 0;
    this.#gpeEnable = 0;
  }

  save(): SnapshotRecord {
    return {
      kind: "acpi pm",
      version: 1,
      state: {
        status: this.#status,
        enable: this.#enable,
        control: this.#control,
        gpeStatus: this.#gpeStatus,
        gpeEnable: this.#gpeEnable,
        togglesSeen: this.#togglesSeen,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "acpi pm", 1);
    this.#status = state.status as number;
    this.#enable = state.enable as number;
    this.#control = state.control as number;
    this.#gpeStatus = state.gpeStatus as number;
    this.#gpeEnable = state.gpeEnable as number;
    this.#togglesSeen = state.togglesSeen as number;
  }

  get #togglePeriod(): number {
    return 2 ** (this.timerBits - 1);
  }

  #advance(tick: number): void {
    const toggles = Math.floor(tick / this.#togglePeriod);
    if (toggles > this.#togglesSeen) {
      this.#togglesSeen = toggles;
      this.#status |= Pm1Event.tmr;
    }
  }
}
