/**
 * The NS16550A: an asynchronous serial chip with 16-byte FIFOs.
 *
 * The chip is state, registers and three timers. Bytes leave through a port; bytes that arrive wait in an
 * inbox outside the chip and enter at the speed of the line while the receiver has room, so a long
 * text is never lost to an overrun.
 *
 * Source: National Semiconductor PC16550D data sheet, "8.0 Registers".
 */

import { nanoseconds } from "../../core/clock/clock.ts";
import type { Clock, Timer } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import {
  FCR,
  IER,
  IIR,
  LCR,
  LSR,
  MCR,
  MSR,
  TRIGGER_LEVELS,
  UART_REGISTER,
} from "./uart_registers.ts";

const FIFO_BYTES = 16;
/** The character timeout of FIFO mode, in character times. */
const TIMEOUT_CHARACTERS = 4;
/** The UART's clock, divided by 16 and the divisor latch, is the baud rate. */
const OSCILLATOR_HZ = 1_843_200;
/** An entry of the receiver is the byte with PE, FE, BI of its LSR above it. */
const ENTRY_ERRORS_SHIFT = 8;

/** What the chip drives. */
export interface UartPorts {
  /** A byte leaves on SOUT. */
  transmit(byte: number): void;
  /** The INTR pin, or a modem control output, changed. */
  pinsChanged(): void;
}

/** How a UART is set up. */
export interface UartOptions {
  /** Names the timers and the snapshot, for example `com1`. */
  readonly name: string;
  readonly clock: Clock;
  /**
   * `immediate` (default): a byte leaves as it is written and LSR never says busy; the THRE interrupt
   * comes one character time later, so that an interrupt handler does not find itself interrupted for
   * ever. `baud`: bytes leave at the speed of the line.
   */
  readonly transmitPace?: "immediate" | "baud";
  /** `rts`: input waits while the guest holds RTS inactive. Default `none`: it waits for room only. */
  readonly flowControl?: "none" | "rts";
  /** The most bytes that wait outside; default 1 MiB. */
  readonly inboxBytes?: number;
}

/** Levels of the modem's lines, true for asserted. */
export interface ModemLines {
  readonly cts: boolean;
  readonly dsr: boolean;
  readonly ri: boolean;
  readonly dcd: boolean;
}

/** One NS16550A; see the module comment. */
export class Uart16550 implements Snapshot {
  readonly #name: string;
  readonly #ports: UartPorts;
  readonly #paced: boolean;
  readonly #rtsFlow: boolean;
  readonly #inboxBytes: number;
  readonly #receiveTimer: Timer;
  readonly #timeoutTimer: Timer;
  readonly #transmitTimer: Timer;

  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #msr = 0;
  #scr = 0;
  #divisor = 0;
  /** OE, and PE, FE, BI of the character on top. */
  #lineErrors = 0;
  #thrEmptyPending = false;
  #timeoutPending = false;
  #modem = MSR.cts | MSR.dsr | MSR.dcd;
  #receiver: number[] = [];
  #transmitter: number[] = [];
  #shifting: number | null = null;
  #inbox: number[] = [];
  #inboxHead = 0;
  #interrupt = false;

  constructor(options: UartOptions, ports: UartPorts) {
    const { name, clock } = options;
    this.#name = name;
    this.#ports = ports;
    this.#paced = options.transmitPace === "baud";
    this.#rtsFlow = options.flowControl === "rts";
    this.#inboxBytes = options.inboxBytes ?? 1 << 20;
    this.#receiveTimer = clock.createTimer(`${name}.receive`, () => this.#characterArrives());
    this.#timeoutTimer = clock.createTimer(`${name}.timeout`, () => this.#characterTimeout());
    this.#transmitTimer = clock.createTimer(`${name}.transmit`, () => this.#characterSent());
    this.#msr = this.#modem;
  }

  /** The INTR pin. On a PC the board passes it on while OUT2 is active. */
  get interrupt(): boolean {
    return this.#interrupt;
  }

  /** The OUT2 pin, true for active; in loop-back all modem outputs are inactive. */
  get out2(): boolean {
    return (this.#mcr & (MCR.loop | MCR.out2)) === MCR.out2;
  }

  /** The RTS pin, true for active. */
  get rts(): boolean {
    return (this.#mcr & (MCR.loop | MCR.rts)) === MCR.rts;
  }

  /** The DTR pin, true for active. */
  get dtr(): boolean {
    return (this.#mcr & (MCR.loop | MCR.dtr)) === MCR.dtr;
  }

  /** The speed of the line in bits per second; a divisor of zero, as after power-on, counts as one. */
  get baud(): number {
    return OSCILLATOR_HZ / 16 / (this.#divisor || 1);
  }

  /** How many bytes of input wait outside. */
  get waiting(): number {
    return this.#inbox.length - this.#inboxHead;
  }

  /** Master reset: FIFOs and control registers; the divisor latch, SCR and the inbox stay. */
  reset(): void {
    this.#ier =
      this.#fcr =
      this.#lcr =
      this.#mcr =
        0;
    this.#lineErrors = 0;
    this.#thrEmptyPending = this.#timeoutPending = false;
    this.#receiver = [];
    this.#transmitter = [];
    this.#shifting = null;
    this.#transmitTimer.disarm();
    this.#timeoutTimer.disarm();
    this.#msr = this.#modem;
    this.#pumpInput();
    this.#update(true);
  }

  /** Queues input for the guest; returns how many bytes fit into the inbox, in order from the first. */
  receive(bytes: Iterable<number>): number {
    let accepted = 0;
    for (const byte of bytes) {
      if (this.waiting >= this.#inboxBytes) break;
      this.#inbox.push(byte & 0xff);
      accepted++;
    }
    this.#pumpInput();
    return accepted;
  }

  /** Queues a break condition behind what waits. */
  receiveBreak(): void {
    this.#inbox.push(LSR.bi << ENTRY_ERRORS_SHIFT);
    this.#pumpInput();
  }

  /** Sets the modem's lines; CTS, DSR and DCD are asserted from the start. */
  setModemLines(lines: ModemLines): void {
    this.#modem = (lines.cts ? MSR.cts : 0) | (lines.dsr ? MSR.dsr : 0) |
      (lines.ri ? MSR.ri : 0) | (lines.dcd ? MSR.dcd : 0);
    this.#followModem();
    this.#update();
  }

  /** Reads the register at `offset`, 0 to 7. */
  read(offset: number): number {
    const dlab = (this.#lcr & LCR.dlab) !== 0;
    switch (offset & 7) {
      case UART_REGISTER.data:
        return dlab ? this.#divisor & 0xff : this.#readData();
      case UART_REGISTER.ier:
        return dlab ? this.#divisor >> 8 : this.#ier;
      case UART_REGISTER.iirFcr:
        return this.#readIir();
      case UART_REGISTER.lcr:
        return this.#lcr;
      case UART_REGISTER.mcr:
        return this.#mcr;
      case UART_REGISTER.lsr:
        return this.#readLsr();
      case UART_REGISTER.msr:
        return this.#readMsr();
      default:
        return this.#scr;
    }
  }

  /** Writes the byte `value` to the register at `offset`, 0 to 7. */
  write(offset: number, value: number): void {
    const dlab = (this.#lcr & LCR.dlab) !== 0;
    switch (offset & 7) {
      case UART_REGISTER.data:
        if (dlab) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#writeData(value);
        break;
      case UART_REGISTER.ier:
        if (dlab) this.#divisor = (this.#divisor & 0x00ff) | (value << 8);
        else this.#writeIer(value);
        break;
      case UART_REGISTER.iirFcr:
        this.#writeFcr(value);
        break;
      case UART_REGISTER.lcr:
        this.#lcr = value;
        break;
      case UART_REGISTER.mcr:
        this.#mcr = value & MCR.all;
        this.#followModem();
        this.#pumpInput();
        this.#update(true);
        break;
      case UART_REGISTER.scr:
        this.#scr = value;
        break;
      default: // LSR and MSR are for factory tests when written
        break;
    }
  }

  save(): SnapshotRecord {
    return {
      kind: `uart16550.${this.#name}`,
      version: 1,
      state: {
        ier: this.#ier,
        fcr: this.#fcr,
        lcr: this.#lcr,
        mcr: this.#mcr,
        msr: this.#msr,
        scr: this.#scr,
        divisor: this.#divisor,
        lineErrors: this.#lineErrors,
        thrEmptyPending: this.#thrEmptyPending,
        timeoutPending: this.#timeoutPending,
        modem: this.#modem,
        receiver: [...this.#receiver],
        transmitter: [...this.#transmitter],
        shifting: this.#shifting,
        inbox: this.#inbox.slice(this.#inboxHead),
        interrupt: this.#interrupt,
      },
    };
  }

  /** Restores the registers; the timers come back with the clock, the interrupt wire with its listener. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, `uart16550.${this.#name}`, 1);
    this.#ier = state.ier as number;
    this.#fcr = state.fcr as number;
    this.#lcr = state.lcr as number;
    this.#mcr = state.mcr as number;
    this.#msr = state.msr as number;
    this.#scr = state.scr as number;
    this.#divisor = state.divisor as number;
    this.#lineErrors = state.lineErrors as number;
    this.#thrEmptyPending = state.thrEmptyPending as boolean;
    this.#timeoutPending = state.timeoutPending as boolean;
    this.#modem = state.modem as number;
    this.#receiver = [...state.receiver as number[]];
    this.#transmitter = [...state.transmitter as number[]];
    this.#shifting = state.shifting as number | null;
    this.#inbox = [...state.inbox as number[]];
    this.#inboxHead = 0;
    this.#interrupt = state.interrupt as boolean;
  }

  get #fifosEnabled(): boolean {
    return (this.#fcr & FCR.enable) !== 0;
  }

  get #thrEmpty(): boolean {
    return this.#transmitter.length === 0;
  }

  /** Nanoseconds that `characters` take on the line, start, parity and stop bits included. */
  #characterNs(characters: number) {
    const bits = 1 + 5 + (this.#lcr & LCR.wordLength) + (this.#lcr & LCR.parity ? 1 : 0) +
      (this.#lcr & LCR.stopBits ? 2 : 1);
    return nanoseconds(Math.round((characters * bits * 1e9) / this.baud));
  }

  #readData(): number {
    const entry = this.#receiver.shift() ?? 0;
    this.#timeoutPending = false;
    this.#restartTimeout();
    this.#exposeTop();
    this.#pumpInput();
    this.#update();
    return entry & 0xff;
  }

  #readIir(): number {
    const source = this.#interruptSource();
    if (source === IIR.thrEmpty) {
      this.#thrEmptyPending = false;
      this.#update();
    }
    return source | (this.#fifosEnabled ? IIR.fifosEnabled : 0);
  }

  #readLsr(): number {
    let value = this.#lineErrors;
    if (this.#receiver.length > 0) value |= LSR.dr;
    if (this.#thrEmpty) value |= LSR.thre;
    if (this.#thrEmpty && this.#shifting === null) value |= LSR.temt;
    if (this.#fifosEnabled && this.#receiver.some((entry) => entry > 0xff)) value |= LSR.fifoError;
    this.#lineErrors = 0;
    if (this.#receiver.length > 0) this.#receiver[0] &= 0xff;
    this.#update();
    return value;
  }

  #readMsr(): number {
    const value = this.#msr;
    this.#msr &= ~MSR.deltas;
    this.#update();
    return value;
  }

  #writeData(value: number): void {
    this.#thrEmptyPending = false;
    if (this.#paced) {
      this.#queueTransmit(value);
    } else {
      this.#sendOut(value);
      const wanted = (this.#ier & IER.etbei) !== 0;
      if (wanted && this.#transmitTimer.deadline === null) {
        this.#transmitTimer.armIn(this.#characterNs(1));
      }
    }
    this.#update();
  }

  /** A byte into THR or its FIFO; what does not fit is lost. */
  #queueTransmit(value: number): void {
    if (this.#shifting === null) {
      this.#shifting = value;
      this.#thrEmptyPending = true;
      this.#transmitTimer.armIn(this.#characterNs(1));
    } else if (!this.#fifosEnabled) {
      this.#transmitter = [value];
    } else if (this.#transmitter.length < FIFO_BYTES) {
      this.#transmitter.push(value);
    }
  }

  /** Paced: the shift register is empty. Immediate: it is time for the THRE interrupt. */
  #characterSent(): void {
    if (this.#shifting === null) {
      this.#thrEmptyPending = this.#thrEmpty;
    } else {
      this.#sendOut(this.#shifting);
      this.#shifting = this.#transmitter.shift() ?? null;
      if (this.#shifting !== null) {
        this.#transmitTimer.armIn(this.#characterNs(1));
        if (this.#thrEmpty) this.#thrEmptyPending = true;
      }
    }
    this.#update();
  }

  #sendOut(byte: number): void {
    if (this.#mcr & MCR.loop) this.#accept(byte & this.#wordMask());
    else this.#ports.transmit(byte & this.#wordMask());
  }

  #wordMask(): number {
    return 0xff >> (3 - (this.#lcr & LCR.wordLength));
  }

  #writeIer(value: number): void {
    const rises = value & ~this.#ier;
    this.#ier = value & IER.all;
    // Linux relies on this: enabling the interrupt while THR is empty raises it again.
    if (rises & IER.etbei && this.#thrEmpty) this.#thrEmptyPending = true;
    this.#update();
  }

  #writeFcr(value: number): void {
    const toggled = (value ^ this.#fcr) & FCR.enable;
    this.#fcr = value & FCR.enable ? value & (0xc0 | FCR.enable) : 0;
    if (toggled || value & FCR.resetReceiver) {
      this.#receiver = [];
      this.#timeoutPending = false;
      this.#timeoutTimer.disarm();
    }
    if (toggled || value & FCR.resetTransmitter) {
      if (!this.#thrEmpty) this.#thrEmptyPending = true;
      this.#transmitter = [];
    }
    this.#pumpInput();
    this.#update();
  }

  /** MSR's levels follow the modem, or in loop-back MCR; changes set the delta bits. */
  #followModem(): void {
    const mcr = this.#mcr;
    const levels = mcr & MCR.loop
      ? (mcr & MCR.rts ? MSR.cts : 0) | (mcr & MCR.dtr ? MSR.dsr : 0) |
        (mcr & MCR.out1 ? MSR.ri : 0) | (mcr & MCR.out2 ? MSR.dcd : 0)
      : this.#modem;
    const before = this.#msr & ~MSR.deltas;
    const changed = (levels ^ before) & (MSR.cts | MSR.dsr | MSR.dcd);
    const ringEnds = before & ~levels & MSR.ri ? MSR.teri : 0;
    this.#msr = levels | (this.#msr & MSR.deltas) | (changed >> 4) | ringEnds;
  }

  /** Starts the next character on its way in, if one waits and could be taken. */
  #pumpInput(): void {
    if (this.waiting === 0 || this.#receiveTimer.deadline !== null || !this.#hasRoom()) return;
    this.#receiveTimer.armIn(this.#characterNs(1));
  }

  #hasRoom(): boolean {
    const capacity = this.#fifosEnabled ? FIFO_BYTES : 1;
    if (this.#mcr & MCR.loop || (this.#rtsFlow && !this.rts)) return false;
    return this.#receiver.length < capacity;
  }

  #characterArrives(): void {
    if (!this.#hasRoom() || this.waiting === 0) return;
    const entry = this.#inbox[this.#inboxHead++];
    if (this.#inboxHead >= 4096 || this.waiting === 0) {
      this.#inbox = this.#inbox.slice(this.#inboxHead);
      this.#inboxHead = 0;
    }
    this.#accept(entry);
    this.#pumpInput();
    this.#update();
  }

  /** An entry into RBR or its FIFO. */
  #accept(entry: number): void {
    const capacity = this.#fifosEnabled ? FIFO_BYTES : 1;
    if (this.#receiver.length >= capacity) {
      this.#lineErrors |= LSR.oe;
      // Without FIFOs the new character destroys the old one; with them it is the one that is lost.
      if (!this.#fifosEnabled) this.#receiver[0] = entry;
    } else {
      this.#receiver.push(entry);
    }
    if (this.#receiver.length === 1) this.#exposeTop();
    this.#restartTimeout();
  }

  #exposeTop(): void {
    if (this.#receiver.length > 0) this.#lineErrors |= this.#receiver[0] >> ENTRY_ERRORS_SHIFT;
  }

  #restartTimeout(): void {
    if (this.#fifosEnabled && this.#receiver.length > 0) {
      this.#timeoutTimer.armIn(this.#characterNs(TIMEOUT_CHARACTERS));
    } else {
      this.#timeoutTimer.disarm();
    }
  }

  #characterTimeout(): void {
    this.#timeoutPending = this.#receiver.length > 0;
    this.#update();
  }

  /** The source of highest priority that is enabled and pending ("Interrupt Control Functions"). */
  #interruptSource(): number {
    const trigger = this.#fifosEnabled ? TRIGGER_LEVELS[this.#fcr >> 6] : 1;
    if (this.#ier & IER.elsi && this.#lineErrors & LSR.interrupting) return IIR.lineStatus;
    if (this.#ier & IER.erbfi && this.#receiver.length >= trigger) return IIR.dataAvailable;
    if (this.#ier & IER.erbfi && this.#timeoutPending) return IIR.timeout;
    if (this.#ier & IER.etbei && this.#thrEmptyPending) return IIR.thrEmpty;
    if (this.#ier & IER.edssi && this.#msr & MSR.deltas) return IIR.modemStatus;
    return IIR.none;
  }

  #update(outputsChanged = false): void {
    const interrupt = this.#interruptSource() !== IIR.none;
    if (interrupt === this.#interrupt && !outputsChanged) return;
    this.#interrupt = interrupt;
    this.#ports.pinsChanged();
  }
}
