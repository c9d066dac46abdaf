/**
 * The 440FX host bridge (82441FX PMC) as a PCI function: who decodes C0000h to FFFFFh, and SMRAM.
 *
 * Wiring: `bus.plug(0, 0, new I440fx({ setPam, setSmram }))`. After reset every region reads ROM and
 * drops writes; SeaBIOS opens them, and without firmware `configurePci` does.
 *
 * Source: 82441FX (PMC) data sheet, "PAM: Programmable Attribute Map Registers" and "SMRAM".
 */

import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PciRegister } from "./config_space.ts";
import { PCI_COMMAND, PciFunction } from "./pci_function.ts";

/** A part of C0000h to FFFFFh whose reads and writes go to DRAM or past it (to ROM, to the bus). */
export interface PamRegion {
  /** Position of its register in configuration space. */
  readonly register: number;
  /** Lowest bit of its attribute field: RE, then WE. */
  readonly shift: 0 | 4;
  /** First byte, guest-physical. */
  readonly base: number;
  readonly sizeBytes: number;
}

/** The thirteen regions, in the order of their fields. */
export const PAM_REGIONS: readonly PamRegion[] = [
  { register: 0x59, shift: 4, base: 0xf0000, sizeBytes: 0x10000 },
  { register: 0x5a, shift: 0, base: 0xc0000, sizeBytes: 0x4000 },
  { register: 0x5a, shift: 4, base: 0xc4000, sizeBytes: 0x4000 },
  { register: 0x5b, shift: 0, base: 0xc8000, sizeBytes: 0x4000 },
  { register: 0x5b, shift: 4, base: 0xcc000, sizeBytes: 0x4000 },
  { register: 0x5c, shift: 0, base: 0xd0000, sizeBytes: 0x4000 },
  { register: 0x5c, shift: 4, base: 0xd4000, sizeBytes: 0x4000 },
  { register: 0x5d, shift: 0, base: 0xd8000, sizeBytes: 0x4000 },
  { register: 0x5d, shift: 4, base: 0xdc000, sizeBytes: 0x4000 },
  { register: 0x5e, shift: 0, base: 0xe0000, sizeBytes: 0x4000 },
  { register: 0x5e, shift: 4, base: 0xe4000, sizeBytes: 0x4000 },
  { register: 0x5f, shift: 0, base: 0xe8000, sizeBytes: 0x4000 },
  { register: 0x5f, shift: 4, base: 0xec000, sizeBytes: 0x4000 },
];

const PAM_READ_ENABLE = 1 << 0;
const PAM_WRITE_ENABLE = 1 << 1;

/** Bits of the SMRAM register. */
const SMRAM = { register: 0x72, open: 1 << 6, closed: 1 << 5, locked: 1 << 4, enabled: 1 << 3 };
const SMRAM_RESET = 0x02;
const SMRAM_WRITABLE = SMRAM.open | SMRAM.closed | SMRAM.locked | SMRAM.enabled;

/** How A0000h to BFFFFh behaves for system management mode. */
export interface SmramState {
  /** Visible outside SMM (D_OPEN). */
  readonly open: boolean;
  /** Data accesses in SMM pass it by (D_CLS). */
  readonly closed: boolean;
  /** SMRAM exists at all (SMRAME). */
  readonly enabled: boolean;
}

/** What the bridge drives. */
export interface I440fxPorts {
  /** `read`: reads come from DRAM; `write`: writes go to DRAM. Called when a region's attributes change. */
  setPam(region: PamRegion, read: boolean, write: boolean): void;
  /** Called when SMRAM's bits change; leave it out if there is no SMM. */
  setSmram?(state: SmramState): void;
}

/** Registers from the data sheet that nothing here acts on, but software reads back. */
const REGISTERS: readonly PciRegister[] = [
  { offset: 0x50, sizeBytes: 2, name: "PMCCFG", reset: 0, writable: 0xffff },
  { offset: 0x52, sizeBytes: 1, name: "DETURBO", reset: 0, writable: 0xff },
  { offset: 0x53, sizeBytes: 1, name: "DBC", reset: 0x80, writable: 0xff },
  { offset: 0x54, sizeBytes: 1, name: "AXC", reset: 0, writable: 0xff },
  { offset: 0x55, sizeBytes: 2, name: "DRT", reset: 0, writable: 0xffff },
  { offset: 0x57, sizeBytes: 1, name: "DRAMC", reset: 0x01, writable: 0xff },
  { offset: 0x58, sizeBytes: 1, name: "DRAMT", reset: 0x10, writable: 0xff },
  { offset: 0x59, sizeBytes: 1, name: "PAM0", reset: 0, writable: 0x30 },
  { offset: 0x5a, sizeBytes: 1, name: "PAM1", reset: 0, writable: 0x33 },
  { offset: 0x5b, sizeBytes: 1, name: "PAM2", reset: 0, writable: 0x33 },
  { offset: 0x5c, sizeBytes: 1, name: "PAM3", reset: 0, writable: 0x33 },
  { offset: 0x5d, sizeBytes: 1, name: "PAM4", reset: 0, writable: 0x33 },
  { offset: 0x5e, sizeBytes: 1, name: "PAM5", reset: 0, writable: 0x33 },
  { offset: 0x5f, sizeBytes: 1, name: "PAM6", reset: 0, writable: 0x33 },
  { offset: 0x60, sizeBytes: 4, name: "DRB0-3", reset: 0x01010101, writable: 0xffffffff },
  { offset: 0x64, sizeBytes: 4, name: "DRB4-7", reset: 0x01010101, writable: 0xffffffff },
  { offset: 0x68, sizeBytes: 1, name: "FDHC", reset: 0, writable: 0xc0 },
  { offset: 0x70, sizeBytes: 1, name: "MTT", reset: 0x20, writable: 0xf8 },
  { offset: 0x71, sizeBytes: 1, name: "CLT", reset: 0x10, writable: 0xff },
  { offset: 0x72, sizeBytes: 1, name: "SMRAM", reset: SMRAM_RESET, writable: SMRAM_WRITABLE },
  { offset: 0x90, sizeBytes: 1, name: "ERRCMD", reset: 0, writable: 0x1b },
  { offset: 0x91, sizeBytes: 1, name: "ERRSTS", reset: 0, clearedByOne: 0x11 },
];

/** The 440FX host bridge, 8086:1237, for slot 0. */
export class I440fx extends PciFunction {
  readonly #machine: I440fxPorts;
  /** Attributes last reported for each region. */
  readonly #pam: number[] = new Array(PAM_REGIONS.length).fill(0);
  /** The SMRAM register as last reported. */
  #smram = SMRAM_RESET;

  constructor(machine: I440fxPorts) {
    super({
      name: "i440fx",
      vendorId: 0x8086,
      deviceId: 0x1237,
      classCode: 0x060000,
      revisionId: 0x02,
      commandReset: PCI_COMMAND.memorySpace | PCI_COMMAND.busMaster,
      commandWritable: PCI_COMMAND.serrEnable | PCI_COMMAND.parityErrorResponse,
      registers: REGISTERS,
    });
    this.#machine = machine;
  }

  override reset(): void {
    this.#smram = SMRAM_RESET;
    super.reset();
  }

  override restore(record: SnapshotRecord): void {
    this.#smram = SMRAM_RESET;
    super.restore(record);
  }

  protected override configWritten(): void {
    PAM_REGIONS.forEach((region, index) => {
      const attributes = (this.config.read(region.register, 1) >> region.shift) & 3;
      if (attributes === this.#pam[index]) return;
      this.#pam[index] = attributes;
      const read = (attributes & PAM_READ_ENABLE) !== 0;
      this.#machine.setPam(region, read, (attributes & PAM_WRITE_ENABLE) !== 0);
    });
    this.#followSmram();
  }

  /** D_LCK, once set, freezes the register with D_OPEN clear until reset. */
  #followSmram(): void {
    const before = this.#smram;
    let value = this.config.read(SMRAM.register, 1);
    if (before & SMRAM.locked) value = before;
    else if (value & SMRAM.locked) value &= ~SMRAM.open;
    this.config.poke(SMRAM.register, 1, value);
    this.#smram = value;
    if (value === before) return;
    this.#machine.setSmram?.({
      open: (value & SMRAM.open) !== 0,
      closed: (value & SMRAM.closed) !== 0,
      enabled: (value & SMRAM.enabled) !== 0,
    });
  }
}
