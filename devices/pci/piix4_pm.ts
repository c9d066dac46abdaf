/**
 * The PIIX4's power management function (82371AB, function 3) as a PCI function: it tells where the
 * ACPI register block is. The block itself is another chip (`devices/acpi`).
 *
 * Wiring: `bus.plug(1, 3, new Piix4Pm({ setPmBase }))`. The SCI is ISA interrupt 9, driven by the
 * register block, not through this function's pin. The SMBus registers read back and decode nothing.
 *
 * Source: 82371AB (PIIX4) data sheet, "Power Management PCI Configuration Registers (Function 3)".
 */

import type { PciRegister } from "./config_space.ts";
import { PCI_COMMAND, PciFunction } from "./pci_function.ts";

/** Where PMBA is: bits 15 to 6 are the base of a block of 64 ports. */
export const PMBA = 0x40;
/** Where PMREGMISC is: bit 0 (PMIOSE) enables the block. */
export const PMREGMISC = 0x80;
/** DEVACTB's bit APMC_EN: writes to the APM control port raise an SMI. */
const APMC_EN = 1 << 25;

/** What the function drives. */
export interface Piix4PmPorts {
  /** The register block is at ports `base` to `base + 63` if `enabled`; called when either changes. */
  setPmBase(base: number, enabled: boolean): void;
}

/** Options of {@link Piix4Pm}. */
export interface Piix4PmOptions extends Piix4PmPorts {
  /**
   * Whether the machine has system management mode; default false. Without it APMC_EN is set from
   * the start, from which SeaBIOS sees that SMM is not there to set up.
   */
  readonly smm?: boolean;
}

function registers(smm: boolean): readonly PciRegister[] {
  return [
    { offset: 0x40, sizeBytes: 4, name: "PMBA", reset: 0x00000001, writable: 0x0000ffc0 },
    { offset: 0x44, sizeBytes: 4, name: "CNTA", reset: 0, writable: 0xffffffff },
    { offset: 0x48, sizeBytes: 4, name: "CNTB", reset: 0, writable: 0x003fffff },
    { offset: 0x4c, sizeBytes: 4, name: "GPICTL", reset: 0, writable: 0xffffffff },
    { offset: 0x50, sizeBytes: 4, name: "DEVRESD", reset: 0, writable: 0x0000ffff },
    { offset: 0x54, sizeBytes: 4, name: "DEVACTA", reset: 0, writable: 0xffffffff },
    {
      offset: 0x58,
      sizeBytes: 4,
      name: "DEVACTB",
      reset: smm ? 0 : APMC_EN,
      writable: 0x03ffffff,
    },
    { offset: 0x5c, sizeBytes: 4, name: "DEVRESA", reset: 0x10000000, writable: 0xffffffff },
    { offset: 0x60, sizeBytes: 4, name: "DEVRESB", reset: 0x60000000, writable: 0xffffffff },
    { offset: 0x64, sizeBytes: 4, name: "DEVRESC", reset: 0x98000000, writable: 0xffffffff },
    { offset: 0x68, sizeBytes: 4, name: "DEVRESE", reset: 0, writable: 0xffffffff },
    { offset: 0x6c, sizeBytes: 4, name: "DEVRESF", reset: 0, writable: 0xffffffff },
    { offset: 0x70, sizeBytes: 4, name: "DEVRESG", reset: 0, writable: 0xffffffff },
    { offset: 0x80, sizeBytes: 1, name: "PMREGMISC", reset: 0, writable: 0x01 },
    { offset: 0x90, sizeBytes: 4, name: "SMBBA", reset: 0x00000001, writable: 0x0000fff0 },
    { offset: 0xd2, sizeBytes: 1, name: "SMBHSTCFG", reset: 0, writable: 0x0f },
    { offset: 0xd3, sizeBytes: 1, name: "SMBSLVC", reset: 0, writable: 0xff },
    { offset: 0xd4, sizeBytes: 1, name: "SMBSHDW1", reset: 0, writable: 0xff },
    { offset: 0xd5, sizeBytes: 1, name: "SMBSHDW2", reset: 0, writable: 0xff },
    { offset: 0xd6, sizeBytes: 1, name: "SMBREV", reset: 0 },
  ];
}

/** The PIIX4's power management function, 8086:7113, for function 3 of slot 1. */
export class Piix4Pm extends PciFunction {
  readonly #machine: Piix4PmPorts;
  #base = 0;
  #enabled = false;

  constructor(options: Piix4PmOptions) {
    super({
      name: "piix4-pm",
      vendorId: 0x8086,
      deviceId: 0x7113,
      classCode: 0x068000,
      revisionId: 0x03,
      interruptPin: 1,
      commandWritable: PCI_COMMAND.ioSpace | PCI_COMMAND.serrEnable,
      statusReset: 0x0280,
      registers: registers(options.smm ?? false),
    });
    this.#machine = options;
  }

  /** The first port of the register block; 0 until software chose one. */
  get pmBase(): number {
    return this.#base;
  }

  /** Whether the register block answers. */
  get pmEnabled(): boolean {
    return this.#enabled;
  }

  protected override configWritten(): void {
    const base = this.config.read(PMBA, 4) & 0xffc0;
    const enabled = (this.config.read(PMREGMISC, 1) & 1) !== 0;
    if (base === this.#base && enabled === this.#enabled) return;
    this.#base = base;
    this.#enabled = enabled;
    this.#machine.setPmBase(base, enabled);
  }
}
