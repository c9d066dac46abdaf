/**
 * PCI bus 0 and configuration mechanism 1, the ports through which software reaches it.
 *
 * Wiring: `const bus = new PciBus({ ports, mmio, router, resetMachine })`, plug functions in (the host
 * bridge into slot 0), then `bus.attach()` claims ports 0CF8h to 0CFFh. Port 0CF9h is the PIIX3's
 * reset control register, which lives in the same range.
 *
 * Sources: PCI Local Bus Specification 3.0, section 3.2.2.3.2, "Software Generation of Configuration
 * Transactions"; 82441FX data sheet, "CONFADD" and "CONFDATA"; 82371SB data sheet, "RC: Reset Control Register".
 */

import type { MmioBus, PortBus, PortDevice, PortSize } from "../../core/memory/ports.ts";
import { floatingBus } from "../../core/memory/io_space.ts";
import {
  expectRecord,
  type Snapshot,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import type { PciFunction } from "./pci_function.ts";
import type { PciInterruptRouter } from "./interrupt_router.ts";

/** What a PCI bus needs of its machine. */
export interface PciBusPorts {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly router: PciInterruptRouter;
  /** The reset control register asks for a reset of the machine; `hard` resets every device too. */
  resetMachine(hard: boolean): void;
}

/** Where a function sits. */
export interface PciSlot {
  /** Device number, 0 to 31. */
  readonly slot: number;
  /** Function number, 0 to 7. */
  readonly func: number;
  readonly function: PciFunction;
}

const CONFADD = 0xcf8;
const RESET_CONTROL = 0xcf9;
const CONFDATA = 0xcfc;
const CONFADD_ENABLE = 0x8000_0000;
/** Bits of CONFADD that can be written: enable, bus, device, function, register. */
const CONFADD_WRITABLE = 0x80ff_fffc;
const SYSTEM_RESET = 1 << 1;
const RESET_CPU = 1 << 2;

/** Bus 0 with its functions, CONFADD and the reset control register; its snapshot holds them all. */
export class PciBus implements PortDevice, Snapshot {
  readonly #functions = new Map<number, PciSlot>();
  readonly #machine: PciBusPorts;
  #address = 0;
  #resetControl = 0;

  constructor(machine: PciBusPorts) {
    this.#machine = machine;
  }

  /** Claims ports 0CF8h to 0CFFh; throws `RangeError` if they are taken. */
  attach(): void {
    this.#machine.ports.attachPorts(CONFADD, CONFADD + 7, "PCI configuration", this);
  }

  /** Plugs `pciFunction` in; throws `RangeError` if there is no such place or it is taken. */
  plug(slot: number, func: number, pciFunction: PciFunction): void {
    if (!(slot >= 0 && slot < 32 && func >= 0 && func < 8)) {
      throw new RangeError(`no PCI place ${slot}.${func}; slots are 0 to 31, functions 0 to 7`);
    }
    const key = slot * 8 + func;
    const other = this.#functions.get(key);
    if (other) {
      throw new RangeError(
        `${pciFunction.name}: PCI place ${slot}.${func} holds ${other.function.name} already`,
      );
    }
    this.#functions.set(key, { slot, func, function: pciFunction });
    const { ports, mmio, router } = this.#machine;
    const pin = pciFunction.interruptPin - 1;
    pciFunction.connect({
      ports,
      mmio,
      setInterrupt: (high) => {
        if (pin >= 0) router.setPin(slot, func, pin, high);
      },
      released: () => this.#remap(),
    });
  }

  /** The functions in order of slot and function number. */
  get functions(): readonly PciSlot[] {
    return [...this.#functions.entries()].sort(([a], [b]) => a - b).map(([, place]) => place);
  }

  /** The function at a place, or `undefined`. */
  functionAt(slot: number, func: number): PciFunction | undefined {
    return this.#functions.get(slot * 8 + func)?.function;
  }

  /** Puts bus and functions into their state after a reset. */
  reset(): void {
    this.#address = 0;
    this.#resetControl = 0;
    for (const { function: pciFunction } of this.#functions.values()) pciFunction.reset();
  }

  readPort(port: number, size: PortSize): number {
    if (port === CONFADD && size === 4) return this.#address;
    if (port === RESET_CONTROL && size === 1) return this.#resetControl;
    if (port < CONFDATA) return floatingBus(size);
    const offset = (this.#address & 0xfc) | (port & 3);
    if (!staysInDword(port, size)) return this.#readBytes(port, size);
    const target = this.#target();
    return target ? target.readConfig(offset, size) : floatingBus(size);
  }

  writePort(port: number, size: PortSize, value: number): void {
    if (port === CONFADD && size === 4) {
      this.#address = (value & CONFADD_WRITABLE) >>> 0;
    } else if (port === RESET_CONTROL && size === 1) {
      this.#writeResetControl(value);
    } else if (port >= CONFDATA && staysInDword(port, size)) {
      this.#target()?.writeConfig((this.#address & 0xfc) | (port & 3), size, value);
    } else if (port >= CONFDATA) {
      for (let byte = 0; byte < size; byte++) {
        this.writePort(port + byte, 1, (value >>> (8 * byte)) & 0xff);
      }
    }
  }

  save(): SnapshotRecord {
    const functions: Record<string, SnapshotValue> = {};
    for (const { slot, func, function: pciFunction } of this.functions) {
      functions[`${slot}.${func}`] = { ...pciFunction.save() };
    }
    return {
      kind: "pci.bus",
      version: 1,
      state: {
        address: this.#address,
        resetControl: this.#resetControl,
        router: { ...this.#machine.router.save() },
        functions,
      },
    };
  }

  /**
   * Restores bus, router and functions; drives no interrupt wire, because whoever listens restores its
   * own inputs. Throws `SnapshotError` if a function is missing or does not fit.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "pci.bus", 1);
    this.#address = state.address as number;
    this.#resetControl = state.resetControl as number;
    const records = state.functions as unknown as Record<string, SnapshotRecord | undefined>;
    this.#machine.router.restore(state.router as unknown as SnapshotRecord);
    for (const { function: pciFunction } of this.functions) pciFunction.unmapAll();
    for (const { slot, func, function: pciFunction } of this.functions) {
      const saved = records[`${slot}.${func}`];
      if (!saved) throw new SnapshotError(`no PCI function ${slot}.${func} in the snapshot`);
      pciFunction.restore(saved);
    }
    this.#remap();
  }

  /** The function that CONFADD selects. */
  #target(): PciFunction | undefined {
    if (!(this.#address & CONFADD_ENABLE) || (this.#address & 0x00ff_0000) !== 0) return undefined;
    return this.#functions.get((this.#address >>> 8) & 0xff)?.function;
  }

  #readBytes(port: number, size: PortSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.readPort(port + byte, 1) << (8 * byte);
    return value >>> 0;
  }

  /** A rise of RCPU resets: the processor alone, or with SRST set the whole board. */
  #writeResetControl(value: number): void {
    const rises = (value & RESET_CPU) !== 0 && (this.#resetControl & RESET_CPU) === 0;
    this.#resetControl = value & (SYSTEM_RESET | RESET_CPU);
    if (rises) this.#machine.resetMachine((value & SYSTEM_RESET) !== 0);
  }

  /** Gives every function another try at ranges that were taken. Releases nothing, so it ends. */
  #remap(): void {
    for (const { function: pciFunction } of this.functions) pciFunction.updateMappings();
  }
}

function staysInDword(port: number, size: PortSize): boolean {
  return (port & 3) + size <= 4;
}
