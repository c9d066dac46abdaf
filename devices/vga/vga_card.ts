/**
 * The display card: a VGA on its ports and its memory window, and as a PCI function.
 *
 * Wiring: `const vga = new VgaCard({ clock, ports, mmio })`, then `bus.plug(2, 0, vga.pciFunction(rom))` with the
 * bytes of `vgabios-stdvga.bin` for firmware, or without a ROM. Ports and window answer whatever the
 * command register says; only the linear frame buffer (BAR 0) and the ROM are mapped by PCI.
 */

import type { Clock } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import type { Snapshot, SnapshotRecord } from "../../core/lib/snapshot.ts";
import { floatingBus } from "../../core/memory/io_space.ts";
import type { MmioBus, MmioDevice, PortBus, PortDevice } from "../../core/memory/ports.ts";
import { bytePorts } from "../byte_ports.ts";
import { PciFunction } from "../pci/pci_function.ts";
import type { FrameBuffer } from "./frame_buffer.ts";
import type { TextScreen } from "./text_screen.ts";
import { VgaChip } from "./vga_chip.ts";

const WINDOW = { base: 0xa0000, sizeBytes: 0x20000 } as const;
/** Port ranges of the VGA; 3BCh to 3BFh between them are the printer's. */
const PORT_RANGES = [[0x3b0, 0x3bb], [0x3c0, 0x3df]] as const;
/** Bochs's extension: the index, the data, and the data again at an even port. */
const DISPI_PORTS = { index: 0x1ce, data: 0x1cf, evenData: 0x1d0, last: 0x1d1 } as const;

/** What a display card needs of its machine. */
export interface VgaCardOptions {
  readonly clock: Clock;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** Display memory: a power of two from 256 KiB; default 16 MiB. */
  readonly memoryBytes?: number;
}

/** A display card. */
export class VgaCard implements Snapshot {
  readonly chip: VgaChip;

  /** Attaches ports and window; throws `RangeError` if they are taken. */
  constructor(options: VgaCardOptions) {
    this.chip = new VgaChip(options);
    const vgaPorts = bytePorts(this.chip);
    for (const [first, last] of PORT_RANGES) {
      options.ports.attachPorts(first, last, "VGA", vgaPorts);
    }
    const { index, last } = DISPI_PORTS;
    options.ports.attachPorts(index, last, "Bochs display", this.#dispiPorts());
    const { base, sizeBytes } = WINDOW;
    options.mmio.attachMmio(physical(base), sizeBytes, "VGA window", this.#window());
  }

  /** The rows of the text screen, each as wide as the screen; none in a graphics mode. */
  screen(): string[] {
    return [...(this.chip.textScreen?.text ?? [])];
  }

  /** The text screen with attributes and cursor, or `null` in a graphics mode. */
  get textScreen(): TextScreen | null {
    return this.chip.textScreen;
  }

  /** The card as PCI function 1234:1111, with `rom` as its option ROM. */
  pciFunction(rom?: Uint8Array): PciFunction {
    const { buffer } = this.chip.memory;
    return new PciFunction({
      name: "vga",
      vendorId: 0x1234,
      deviceId: 0x1111,
      revisionId: 0x02,
      classCode: 0x030000,
      bars: [{
        index: 0,
        kind: "memory",
        prefetchable: true,
        sizeBytes: buffer.bytes.length,
        name: "VGA frame buffer",
        device: linearMemory(buffer),
      }],
      ...(rom ? { rom } : {}),
    });
  }

  reset(): void {
    this.chip.reset();
  }

  save(): SnapshotRecord {
    return this.chip.save();
  }

  restore(record: SnapshotRecord): void {
    this.chip.restore(record);
  }

  #window(): MmioDevice {
    const { chip } = this;
    return {
      readMmio: (offset, size) =>
        chip.memoryEnabled ? chip.memory.read(offset, size) : floatingBus(size),
      writeMmio: (offset, size, value) => {
        if (chip.memoryEnabled) chip.memory.write(offset, size, value);
      },
    };
  }

  /** Registers are 16 bits wide; other widths see nothing. */
  #dispiPorts(): PortDevice {
    const { dispi } = this.chip;
    return {
      readPort(port, size) {
        if (size !== 2) return floatingBus(size);
        return port === DISPI_PORTS.index ? dispi.index : dispi.read();
      },
      writePort(port, size, value) {
        if (size !== 2) return;
        if (port === DISPI_PORTS.index) dispi.index = value;
        else dispi.write(value);
      },
    };
  }
}

function linearMemory(buffer: FrameBuffer): MmioDevice {
  return {
    readMmio(offset, size) {
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= buffer.bytes[offset + byte] << (8 * byte);
      return value >>> 0;
    },
    writeMmio(offset, size, value) {
      for (let byte = 0; byte < size; byte++) buffer.store(offset + byte, value >>> (8 * byte));
    },
  };
}
