/**
 * The local APIC of one CPU: the two faces of its registers (a memory page, or MSRs) and the modes
 * that IA32_APIC_BASE switches between. It knows its CPU and the interrupt network as ports only.
 *
 * Source: Intel SDM vol. 3, "Local APIC", "Extended XAPIC (x2APIC)".
 */

import type { MmioDevice, MmioSize } from "../../memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../lib/snapshot.ts";
import { APIC_BASE, APIC_DEFAULT_PAGE, modeOf, nextMode } from "./apic_base.ts";
import { ApicCore, type LocalApicOptions } from "./apic_core.ts";
import { DELIVERY } from "./messages.ts";
import { APIC_REGISTERS, type ApicRegister, ESR, REG, REGISTER_COUNT, SVR } from "./registers.ts";

/** MSR numbers that belong to the local APIC. */
export const APIC_MSR = {
  APIC_BASE: 0x1b,
  TSC_DEADLINE: 0x6e0,
  X2APIC_FIRST: 0x800,
  X2APIC_LAST: 0x8ff,
} as const;

/** A 64-bit value in halves, both unsigned. */
export interface MsrValue {
  readonly low: number;
  readonly high: number;
}

/** One CPU's local APIC. */
export class LocalApic extends ApicCore implements MmioDevice, Snapshot {
  readonly #options: LocalApicOptions;
  #baseLow = 0;
  #baseHigh = 0;

  constructor(options: LocalApicOptions) {
    super(options);
    this.#options = options;
    this.#resetBase();
  }

  /** The physical address of the register page, or -1 when there is none. */
  get page(): number {
    if (this.mode !== "xapic") return -1;
    return this.#baseHigh * 2 ** 32 + ((this.#baseLow & APIC_BASE.PAGE) >>> 0);
  }

  /** Power-on or RESET: the page is where it was, BSP as built, and everything else as after reset. */
  reset(): void {
    this.#resetBase();
    this.resetRegisters();
    this.#options.cpu.apicPageChanged();
  }

  /**
   * What firmware leaves behind on the bootstrap processor: enabled, LINT0 as ExtINT, LINT1 as NMI
   * (MultiProcessor Specification 1.4, "Virtual Wire Mode"). For kernels that are started without firmware.
   */
  setVirtualWireMode(): void {
    this.writeRegister(REG.SVR, SVR.ENABLE | SVR.VECTOR);
    this.writeRegister(REG.LVT_LINT0, DELIVERY.EXT_INT << 8);
    this.writeRegister(REG.LVT_LINT1, DELIVERY.NMI << 8);
  }

  /** A read of the register page; only for accesses that fall on {@link page}. */
  readMmio(offset: number, size: MmioSize): number {
    const index = offset >> 4;
    const register = APIC_REGISTERS[index];
    if (!register || register.xapic === "none") {
      this.noteError(ESR.ILLEGAL_REGISTER_ADDRESS);
      return 0;
    }
    // Registers are the first four of sixteen bytes.
    if (register.xapic === "write" || (offset & 12) !== 0) return 0;
    const value = this.readRegister(index) >>> (8 * (offset & 3));
    return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
  }

  /** A write to the register page: aligned 32-bit accesses only, as the manual requires. */
  writeMmio(offset: number, size: MmioSize, value: number): void {
    const index = offset >> 4;
    const register = APIC_REGISTERS[index];
    if (!register || register.xapic === "none") {
      this.noteError(ESR.ILLEGAL_REGISTER_ADDRESS);
      return;
    }
    if (register.xapic === "read" || (offset & 15) !== 0 || size !== 4) return;
    this.writeRegister(index, value & this.writableBits(index));
  }

  /** RDMSR of one of the {@link APIC_MSR}; `null` is #GP(0). */
  readMsr(msr: number): MsrValue | null {
    if (msr === APIC_MSR.APIC_BASE) return { low: this.#baseLow, high: this.#baseHigh };
    if (msr === APIC_MSR.TSC_DEADLINE) {
      if (!this.#hasTscDeadline) return null;
      return { low: this.timer.deadlineLow, high: this.timer.deadlineHigh };
    }
    const register = this.#x2apicRegister(msr);
    if (!register || register.x2apic === "none" || register.x2apic === "write") return null;
    const low = this.readRegister(register.index);
    const high = register.index === REG.ICR_LOW ? this.readRegister(REG.ICR_HIGH) : 0;
    return { low, high };
  }

  /** WRMSR of one of the {@link APIC_MSR}; `false` is #GP(0), with nothing changed. */
  writeMsr(msr: number, low: number, high: number): boolean {
    if (msr === APIC_MSR.APIC_BASE) return this.#writeBase(low >>> 0, high >>> 0);
    if (msr === APIC_MSR.TSC_DEADLINE) {
      if (this.#hasTscDeadline) this.timer.writeDeadline(low >>> 0, high >>> 0);
      return this.#hasTscDeadline;
    }
    const register = this.#x2apicRegister(msr);
    if (!register || register.x2apic === "none" || register.x2apic === "read") return false;
    const { index } = register;
    if ((low & ~(this.writableBits(index) | register.ignored)) !== 0) return false;
    if (index === REG.ICR_LOW) this.writeRegister(REG.ICR_HIGH, high);
    else if (high !== 0) return false;
    this.writeRegister(index, low & this.writableBits(index));
    return true;
  }

  save(): SnapshotRecord {
    return {
      kind: "local-apic",
      version: 1,
      state: { baseLow: this.#baseLow, baseHigh: this.#baseHigh, ...this.saveCore() },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "local-apic", 1);
    this.#baseLow = state.baseLow as number;
    this.#baseHigh = state.baseHigh as number;
    this.restoreCore(modeOf(this.#baseLow) ?? "disabled", state);
    this.#options.cpu.apicPageChanged();
  }

  get #hasTscDeadline(): boolean {
    return this.#options.tscDeadline ?? true;
  }

  #x2apicRegister(msr: number): ApicRegister | undefined {
    const index = msr - APIC_MSR.X2APIC_FIRST;
    if (this.mode !== "x2apic" || index < 0 || index >= REGISTER_COUNT) return undefined;
    return APIC_REGISTERS[index];
  }

  #resetBase(): void {
    const bsp = this.#options.bsp ? APIC_BASE.BSP : 0;
    this.#baseLow = (APIC_DEFAULT_PAGE | APIC_BASE.EN | bsp) >>> 0;
    this.#baseHigh = 0;
    this.setMode("xapic");
  }

  #writeBase(low: number, high: number): boolean {
    const bits = this.#options.physicalAddressBits ?? 40;
    const mode = nextMode(this.mode, low, high, bits, this.#options.x2apic ?? true);
    if (mode === null) return false;
    this.#baseLow = low;
    this.#baseHigh = high;
    this.setMode(mode);
    this.#options.cpu.apicPageChanged();
    return true;
  }
}
