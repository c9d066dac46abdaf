/** Wide accesses to devices whose registers are one byte each: the bus splits them, low byte first. */

import type { PortDevice, PortSize } from "../core/memory/ports.ts";

/** A device that only knows single bytes; `port` is the absolute port number. */
export interface ByteDevice {
  readByte(port: number): number;
  writeByte(port: number, value: number): void;
}

/** Makes a {@link ByteDevice} answer to accesses of 1, 2 and 4 bytes, as the ISA bus does. */
export function bytePorts(device: ByteDevice): PortDevice {
  return {
    readPort(port: number, size: PortSize): number {
      let value = 0;
      for (let byte = 0; byte < size; byte++) {
        value |= (device.readByte(port + byte) & 0xff) << (8 * byte);
      }
      return value >>> 0;
    },
    writePort(port: number, size: PortSize, value: number): void {
      for (let byte = 0; byte < size; byte++) {
        device.writeByte(port + byte, (value >>> (8 * byte)) & 0xff);
      }
    },
  };
}
