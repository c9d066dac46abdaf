/**
 * Serial ports: the NS16550A chip, and the adapter that makes it COM1 or COM2. Not here: terminals.
 *
 * ```ts ignore
 * const com1 = new SerialPort({ ...COM1, clock, transmit: (byte) => log.push(byte) }, ports, isaIrq(4));
 * com1.receive([0x0d]);
 * ```
 */

export { type ModemLines, Uart16550, type UartOptions, type UartPorts } from "./uart16550.ts";
export { UART_REGISTER } from "./uart_registers.ts";
export { COM1, COM2, SerialPort, type SerialPortOptions } from "./serial_port.ts";
