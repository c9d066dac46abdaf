/**
 * What a local APIC does whichever way its registers are reached: requests and priorities, the local
 * vector table, IPIs, errors, the timer. `local_apic.ts` adds the page, the MSRs and the modes.
 *
 * Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)"; the sections
 * meant are named where they matter.
 */

import type { Clock } from "../../clock/clock.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import type { ApicMode } from "./apic_base.ts";
import { ApicTimer } from "./apic_timer.ts";
import { isAddressed, x2apicLogicalId } from "./destination.ts";
import { type LintPin, LocalVectorTable, LVT_ENTRIES } from "./local_vector_table.ts";
import { decodeIcr, DELIVERY, type InterruptMessage } from "./messages.ts";
import type { ApicMember, ApicNetwork, LocalApicPort } from "./ports.ts";
import { arbitrationPriority, deliverableVector, processorPriority } from "./priority.ts";
import { RegisterFile } from "./register_file.ts";
import { APIC_REGISTERS, ESR, LVT, REG, SVR } from "./registers.ts";

/** Version 0x14 (an integrated APIC), highest LVT entry 5 (six of them, no CMCI). */
const VERSION = (5 << 16) | 0x14;
/** In the version register: EOI-broadcast suppression is there. */
const VERSION_SUPPRESS_EOI = 1 << 24;

/** Vectors below this one are illegal in messages and in the LVT. */
const FIRST_LEGAL_VECTOR = 16;

/** What a local APIC is built with. */
export interface LocalApicOptions {
  /** The APIC id: below 255, or 32 bits if it is to be used in x2APIC mode only. */
  readonly id: number;
  /** Whether this is the bootstrap processor. */
  readonly bsp: boolean;
  readonly clock: Clock;
  readonly cpu: LocalApicPort;
  readonly network: ApicNetwork;
  /** Prefix of the timer's name; `cpu<id>.apic` if not given. */
  readonly name?: string;
  /** Ticks per second of the timer before its divider; 1 GHz if not given. */
  readonly timerHz?: number;
  /** Whether CPUID advertises x2APIC; true if not given. */
  readonly x2apic?: boolean;
  /** Whether CPUID advertises TSC-deadline mode; true if not given. */
  readonly tscDeadline?: boolean;
  /** Whether the version register advertises EOI-broadcast suppression; false if not given. */
  readonly eoiBroadcastSuppression?: boolean;
  /** MAXPHYADDR; 40 if not given. */
  readonly physicalAddressBits?: number;
}

/** The state of {@link ApicCore}, for a snapshot. */
type CoreState = { readonly [field: string]: SnapshotValue };

/** The part of a local APIC that does not depend on how its registers are reached. */
export class ApicCore implements ApicMember {
  readonly id: number;
  readonly #options: LocalApicOptions;
  readonly #cpu: LocalApicPort;
  readonly #network: ApicNetwork;
  readonly #timer: ApicTimer;
  readonly #registers = new RegisterFile();
  readonly #lvt: LocalVectorTable;
  /** Bits that software may change, by register number: the table's, less what is not advertised. */
  readonly #writable: readonly number[];
  #mode: ApicMode = "xapic";
  /** Errors since the last write to ESR, which makes them visible. */
  #errors = 0;
  /** An ExtINT message that no INTA cycle has answered. */
  #extIntMessage = false;
  /** The level that the CPU was told. */
  #pending = false;

  constructor(options: LocalApicOptions) {
    this.id = options.id;
    this.#options = options;
    this.#cpu = options.cpu;
    this.#network = options.network;
    this.#lvt = new LocalVectorTable(this.#registers, {
      accept: (vector, level) => this.#accept(vector, level),
      nmi: () => this.#cpu.nmi(),
      init: () => this.#init(),
    });
    this.#timer = new ApicTimer({
      clock: options.clock,
      name: `${options.name ?? `cpu${options.id}.apic`}.timer`,
      frequencyHz: options.timerHz ?? 1_000_000_000,
      cycleOfTsc: (tsc) => this.#cpu.cycleOfTsc(tsc),
      fire: () => this.#lvt.deliver(REG.LVT_TIMER),
    });
    this.#writable = APIC_REGISTERS.map((register) =>
      (register?.writable ?? 0) | this.#optionalBits(register?.index ?? 0)
    );
    this.resetRegisters();
  }

  /** Whether the APIC is off, a memory page, or a set of MSRs. CPUID.1:EDX.APIC follows it. */
  get mode(): ApicMode {
    return this.#mode;
  }

  /** CR8: the task-priority class, bits 7 to 4 of TPR. */
  get cr8(): number {
    return this.#registers.get(REG.TPR) >> 4;
  }

  set cr8(value: number) {
    this.#registers.set(REG.TPR, (value & 15) << 4);
    this.#update();
  }

  get acceptsInterrupts(): boolean {
    return this.#mode !== "disabled" && (this.#registers.get(REG.SVR) & SVR.ENABLE) !== 0;
  }

  get arbitrationPriority(): number {
    return arbitrationPriority(this.#registers);
  }

  /** The requested vector that PPR lets through, or -1. ExtINT has no vector before its acknowledge. */
  pendingVector(): number {
    return deliverableVector(this.#registers);
  }

  /** Whether the CPU has an interrupt to take: a vector of its own, or the 8259s' request. */
  get interruptPending(): boolean {
    return this.pendingVector() >= 0 || this.#externalRequest;
  }

  /** Whether the 8259s' INTR wire would be an NMI or INIT here, which the CPU cannot mask. */
  get takesUnmaskable(): boolean {
    return this.#mode !== "disabled" && this.#lvt.opensUnmaskable;
  }

  /**
   * Takes the pending interrupt and returns its vector: the local APIC's own first, then the 8259s'.
   * With nothing pending it is the spurious vector, with nothing in service (SDM, "Spurious Interrupt").
   */
  acknowledge(): number {
    const vector = this.pendingVector();
    if (vector >= 0) {
      this.#registers.remove(REG.IRR, vector);
      this.#registers.add(REG.ISR, vector);
      this.#update();
      return vector;
    }
    if (!this.#externalRequest) return this.#registers.get(REG.SVR) & SVR.VECTOR;
    this.#extIntMessage = false;
    const external = this.#network.acknowledgeExternal();
    this.#update();
    return external;
  }

  /** Drives the pin LINT0 or LINT1 (INTR and NMI while the APIC is globally disabled). */
  setLint(pin: LintPin, high: boolean): void {
    if (this.#lvt.level(pin) === high) return;
    if (this.#mode !== "disabled") {
      this.#lvt.drive(pin, high);
    } else {
      this.#lvt.noteLevel(pin, high);
      if (pin === 1 && high) this.#cpu.nmi();
    }
    this.#update();
  }

  isAddressedBy(message: InterruptMessage): boolean {
    if (this.#mode === "disabled") return false;
    const x2apic = this.#mode === "x2apic";
    return isAddressed({
      id: x2apic ? this.id : this.id & 0xff,
      x2apic,
      ldr: this.#ldr,
      dfr: this.#registers.get(REG.DFR),
    }, message);
  }

  receive(message: InterruptMessage): void {
    switch (message.deliveryMode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY:
        if (this.acceptsInterrupts) this.#accept(message.vector, message.level);
        break;
      case DELIVERY.NMI:
        this.#cpu.nmi();
        break;
      case DELIVERY.INIT:
        this.#init();
        break;
      case DELIVERY.START_UP:
        this.#cpu.sipi(message.vector);
        break;
      case DELIVERY.EXT_INT:
        this.#extIntMessage = true;
        this.#update();
        break;
      default:
        break;
    }
  }

  /** A performance counter overflowed: delivers the LVT entry and masks it, as processors do. */
  signalPerformance(): void {
    this.#lvt.deliver(REG.LVT_PERFORMANCE);
    this.#registers.set(
      REG.LVT_PERFORMANCE,
      this.#registers.get(REG.LVT_PERFORMANCE) | LVT.MASK,
    );
  }

  /** The thermal sensor tripped. */
  signalThermal(): void {
    this.#lvt.deliver(REG.LVT_THERMAL);
  }

  /** The relation of the CPU's TSC to the clock has changed. */
  tscChanged(): void {
    this.#timer.tscChanged();
  }

  /** Changes the mode. Turning the APIC off loses its state: enabled again, it is as after reset. */
  protected setMode(mode: ApicMode): void {
    const turnedOff = mode === "disabled" && this.#mode !== "disabled";
    this.#mode = mode;
    if (turnedOff) this.resetRegisters();
    this.#update();
  }

  /** Bits of register `index` that software may change. */
  protected writableBits(index: number): number {
    return this.#writable[index];
  }

  protected get timer(): ApicTimer {
    return this.#timer;
  }

  protected saveCore(): CoreState {
    return {
      errors: this.#errors,
      lint0: this.#lvt.level(0),
      lint1: this.#lvt.level(1),
      extIntMessage: this.#extIntMessage,
      registers: this.#registers.save(),
      timer: this.#timer.save(),
    };
  }

  /** Replaces the state, and tells the CPU the level of its interrupt request. */
  protected restoreCore(mode: ApicMode, state: CoreState): void {
    this.#mode = mode;
    this.#errors = state.errors as number;
    this.#lvt.noteLevel(0, state.lint0 as boolean);
    this.#lvt.noteLevel(1, state.lint1 as boolean);
    this.#extIntMessage = state.extIntMessage as boolean;
    this.#registers.restore(state.registers as CoreState);
    this.#timer.restore(state.timer as CoreState);
    this.#pending = this.interruptPending;
    this.#cpu.setInterruptPending(this.#pending);
  }

  get #ldr(): number {
    return this.#mode === "x2apic" ? x2apicLogicalId(this.id) : this.#registers.get(REG.LDR);
  }

  /** Writable bits that depend on what is advertised. */
  #optionalBits(index: number): number {
    if (index === REG.SVR && this.#options.eoiBroadcastSuppression) return SVR.SUPPRESS_EOI;
    return index === REG.LVT_TIMER && (this.#options.tscDeadline ?? true)
      ? LVT.TIMER_TSC_DEADLINE
      : 0;
  }

  /** SDM, "Local APIC State After Power-Up or Reset"; INIT keeps id and mode. */
  protected resetRegisters(): void {
    this.#registers.reset();
    this.#timer.reset();
    this.#errors = 0;
    this.#extIntMessage = false;
    this.#update();
  }

  /** The value of register `index`, unsigned. */
  protected readRegister(index: number): number {
    switch (index) {
      case REG.ID:
        return this.#mode === "x2apic" ? this.id >>> 0 : (this.id << 24) >>> 0;
      case REG.VERSION:
        return this.#options.eoiBroadcastSuppression ? VERSION | VERSION_SUPPRESS_EOI : VERSION;
      case REG.APR:
        return arbitrationPriority(this.#registers);
      case REG.PPR:
        return processorPriority(this.#registers);
      case REG.LDR:
        return this.#ldr;
      case REG.INITIAL_COUNT:
        return this.#timer.initialCount;
      case REG.CURRENT_COUNT:
        return this.#timer.currentCount;
      default:
        return this.#registers.get(index);
    }
  }

  /** Writes register `index`; `value` has writable bits only. */
  protected writeRegister(index: number, value: number): void {
    switch (index) {
      case REG.EOI:
        this.#eoi();
        return;
      case REG.DFR:
        this.#registers.set(index, value | 0x0fffffff);
        return;
      case REG.SVR:
        this.#writeSvr(value);
        return;
      case REG.ESR:
        this.#registers.set(index, this.#errors);
        this.#errors = 0;
        return;
      case REG.ICR_LOW:
        this.#registers.set(index, value);
        this.#sendIpi(value);
        return;
      case REG.LVT_TIMER:
      case REG.LVT_THERMAL:
      case REG.LVT_PERFORMANCE:
      case REG.LVT_LINT0:
      case REG.LVT_LINT1:
      case REG.LVT_ERROR:
        this.#lvt.write(index, value, this.#timer);
        this.#update();
        return;
      case REG.INITIAL_COUNT:
        this.#timer.writeInitialCount(value >>> 0);
        return;
      case REG.DIVIDE:
        this.#registers.set(index, value);
        this.#timer.setDivide(value);
        return;
      case REG.SELF_IPI:
        this.#sendSelf(value);
        return;
      default:
        this.#registers.set(index, value);
        this.#update();
        return;
    }
  }

  /** Disabling by software masks the whole LVT. SDM, "Local APIC State After It Has Been Software Disabled". */
  #writeSvr(value: number): void {
    this.#registers.set(REG.SVR, value);
    if (value & SVR.ENABLE) return;
    for (const entry of LVT_ENTRIES) {
      this.#lvt.write(entry, this.#registers.get(entry) & this.#writable[entry], this.#timer);
    }
    this.#update();
  }

  /** SDM, "Signaling Interrupt Servicing Completion". */
  #eoi(): void {
    const vector = this.#registers.highest(REG.ISR);
    if (vector < 0) return;
    this.#registers.remove(REG.ISR, vector);
    if (this.#registers.has(REG.TMR, vector)) {
      this.#lvt.endOfInterrupt(vector);
      if ((this.#registers.get(REG.SVR) & SVR.SUPPRESS_EOI) === 0) this.#network.eoi(vector);
    }
    this.#update();
  }

  #sendIpi(low: number): void {
    const high = this.#registers.get(REG.ICR_HIGH);
    const wide = this.#mode === "x2apic";
    const command = decodeIcr(low, wide ? high : high >>> 24, wide);
    if (!command) return;
    const { shorthand, message } = command;
    if (isFixed(message) && message.vector < FIRST_LEGAL_VECTOR) {
      this.noteError(ESR.SEND_ILLEGAL_VECTOR);
      return;
    }
    switch (shorthand) {
      case "none":
        return this.#network.send(message);
      case "self":
        return this.receive(message);
      case "all-including-self":
        return this.#network.broadcast(message, null);
      case "all-excluding-self":
        return this.#network.broadcast(message, this);
    }
  }

  #sendSelf(vector: number): void {
    if (vector < FIRST_LEGAL_VECTOR) this.noteError(ESR.SEND_ILLEGAL_VECTOR);
    else if (this.acceptsInterrupts) this.#accept(vector, false);
  }

  /** Requests `vector`; a second request while the first one waits is the same one. */
  #accept(vector: number, level: boolean): void {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.noteError(ESR.RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    this.#registers.add(REG.IRR, vector);
    if (level) this.#registers.add(REG.TMR, vector);
    else this.#registers.remove(REG.TMR, vector);
    this.#update();
  }

  /** Notes an error and tells the CPU through the LVT's error entry, unless that is itself in error. */
  protected noteError(bit: number): void {
    this.#errors |= bit;
    const vector = this.#registers.get(REG.LVT_ERROR) & LVT.VECTOR;
    if (vector >= FIRST_LEGAL_VECTOR) this.#lvt.deliver(REG.LVT_ERROR);
  }

  /** Whether the 8259s ask for the CPU, through LINT0 or past a disabled APIC. */
  get #externalRequest(): boolean {
    if (this.#mode === "disabled") return this.#lvt.level(0);
    return this.#extIntMessage || this.#lvt.externalRequest;
  }

  #init(): void {
    this.resetRegisters();
    this.#cpu.init();
  }

  /** Tells the CPU when the level of its interrupt request changes. */
  #update(): void {
    const pending = this.interruptPending;
    if (pending === this.#pending) return;
    this.#pending = pending;
    this.#cpu.setInterruptPending(pending);
  }
}

function isFixed(message: InterruptMessage): boolean {
  return message.deliveryMode <= DELIVERY.LOWEST_PRIORITY;
}
