/**
 * The PIIX3's ISA bridge (82371SB, function 0) as a PCI function: it routes PIRQA# to PIRQD#.
 *
 * Wiring: `bus.plug(1, 0, new Piix3Isa(router))`. ISA devices attach to the port bus on their own;
 * the edge/level control registers (4D0h, 4D1h) belong to the interrupt controllers.
 *
 * Source: 82371FB/82371SB (PIIX/PIIX3) data sheet, "PCI Configuration Registers, Function 0".
 */

import type { PciRegister } from "./config_space.ts";
import { PCI_COMMAND, PciFunction } from "./pci_function.ts";
import { type PciInterruptRouter, PIRQ_DISABLED } from "./interrupt_router.ts";

/** Position of PIRQRCA; B to D follow. */
export const PIRQRC = 0x60;

const REGISTERS: readonly PciRegister[] = [
  { offset: 0x4c, sizeBytes: 1, name: "IORT", reset: 0x4d, writable: 0xff },
  { offset: 0x4e, sizeBytes: 2, name: "XBCS", reset: 0x0003, writable: 0xffff },
  { offset: 0x60, sizeBytes: 1, name: "PIRQRCA", reset: PIRQ_DISABLED, writable: 0x8f },
  { offset: 0x61, sizeBytes: 1, name: "PIRQRCB", reset: PIRQ_DISABLED, writable: 0x8f },
  { offset: 0x62, sizeBytes: 1, name: "PIRQRCC", reset: PIRQ_DISABLED, writable: 0x8f },
  { offset: 0x63, sizeBytes: 1, name: "PIRQRCD", reset: PIRQ_DISABLED, writable: 0x8f },
  { offset: 0x69, sizeBytes: 1, name: "TOM", reset: 0x02, writable: 0xfe },
  { offset: 0x6a, sizeBytes: 2, name: "MSTAT", reset: 0, writable: 0x8080 },
  { offset: 0x70, sizeBytes: 1, name: "MBIRQ0", reset: 0x80, writable: 0xef },
  { offset: 0x76, sizeBytes: 1, name: "MBDMA0", reset: 0x0c, writable: 0x8f },
  { offset: 0x77, sizeBytes: 1, name: "MBDMA1", reset: 0x0c, writable: 0x8f },
  { offset: 0x78, sizeBytes: 2, name: "PCSC", reset: 0x0002, writable: 0xffff },
  { offset: 0x80, sizeBytes: 1, name: "APICBASE", reset: 0, writable: 0x7f },
  { offset: 0x82, sizeBytes: 1, name: "DLC", reset: 0, writable: 0x0f },
  { offset: 0xa0, sizeBytes: 1, name: "SMICNTL", reset: 0x08, writable: 0x1f },
  { offset: 0xa2, sizeBytes: 2, name: "SMIEN", reset: 0, writable: 0x01ff },
  { offset: 0xa4, sizeBytes: 4, name: "SEE", reset: 0, writable: 0xe000ffff },
  { offset: 0xa8, sizeBytes: 1, name: "FTMR", reset: 0x0f, writable: 0xff },
  { offset: 0xaa, sizeBytes: 2, name: "SMIREQ", reset: 0, writable: 0x01ff },
  { offset: 0xac, sizeBytes: 1, name: "CTLTMR", reset: 0, writable: 0xff },
  { offset: 0xae, sizeBytes: 1, name: "CTHTMR", reset: 0, writable: 0xff },
];

/** The PIIX3's ISA bridge, 8086:7000, for function 0 of slot 1. */
export class Piix3Isa extends PciFunction {
  readonly #router: PciInterruptRouter;

  constructor(router: PciInterruptRouter) {
    super({
      name: "piix3",
      vendorId: 0x8086,
      deviceId: 0x7000,
      classCode: 0x060100,
      multifunction: true,
      commandReset: PCI_COMMAND.ioSpace | PCI_COMMAND.memorySpace | PCI_COMMAND.busMaster,
      commandWritable: PCI_COMMAND.serrEnable,
      registers: REGISTERS,
    });
    this.#router = router;
  }

  protected override configWritten(): void {
    for (let pirq = 0; pirq < 4; pirq++) {
      this.#router.setRoute(pirq, this.config.read(PIRQRC + pirq, 1));
    }
  }
}
