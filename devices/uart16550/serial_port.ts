/**
 * A PC's serial port: an NS16550A on eight I/O ports, whose INTR reaches the interrupt controller
 * while OUT2 is active.
 *
 * Wiring: `new SerialPort({ ...COM1, clock, transmit: (byte) => … }, ports, isaIrq(4))`.
 */

import type { IrqLine, PortBus } from "../../core/memory/ports.ts";
import type { Snapshot, SnapshotRecord } from "../../core/lib/snapshot.ts";
import { bytePorts } from "../byte_ports.ts";
import { Uart16550, type UartOptions } from "./uart16550.ts";

/** The first two serial ports of a PC: base port and ISA interrupt. */
export const COM1 = { name: "com1", base: 0x3f8, irq: 4 } as const;
export const COM2 = { name: "com2", base: 0x2f8, irq: 3 } as const;

/** How a serial port is set up. */
export interface SerialPortOptions extends UartOptions {
  /** The first of eight I/O ports. */
  readonly base: number;
  /** Where the bytes go that the guest sends. */
  transmit(byte: number): void;
}

/** A UART on the port bus; attaches itself, and throws `RangeError` if its ports are taken. */
export class SerialPort implements Snapshot {
  readonly uart: Uart16550;
  readonly #irq: IrqLine;
  #level = false;

  constructor(options: SerialPortOptions, ports: PortBus, irq: IrqLine) {
    this.#irq = irq;
    this.uart = new Uart16550(options, {
      transmit: (byte) => options.transmit(byte),
      pinsChanged: () => this.#driveIrq(),
    });
    const { base, name } = options;
    const device = bytePorts({
      readByte: (port) => this.uart.read(port - base),
      writeByte: (port, value) => this.uart.write(port - base, value),
    });
    ports.attachPorts(base, base + 7, name, device);
  }

  /** Queues input for the guest; returns how many bytes were accepted, see {@link Uart16550.receive}. */
  receive(bytes: Iterable<number>): number {
    return this.uart.receive(bytes);
  }

  reset(): void {
    this.uart.reset();
  }

  save(): SnapshotRecord {
    return this.uart.save();
  }

  restore(record: SnapshotRecord): void {
    this.uart.restore(record);
    this.#level = this.uart.interrupt && this.uart.out2;
  }

  #driveIrq(): void {
    const level = this.uart.interrupt && this.uart.out2;
    if (level === this.#level) return;
    this.#level = level;
    this.#irq.setLevel(level);
  }
}
