/**
 * The registers of the NS16550A and their bits, by the data sheet's names.
 *
 * Source: National Semiconductor PC16550D data sheet, "Summary of Registers".
 */

/** Registers by offset; 0 and 1 are the divisor latch while LCR.DLAB is set. */
export const UART_REGISTER = {
  /** RBR on reads, THR on writes. */
  data: 0,
  ier: 1,
  /** IIR on reads, FCR on writes. */
  iirFcr: 2,
  lcr: 3,
  mcr: 4,
  lsr: 5,
  msr: 6,
  scr: 7,
} as const;

/** Interrupt Enable Register. */
export const IER = { erbfi: 1, etbei: 2, elsi: 4, edssi: 8, all: 0x0f } as const;
/** Interrupt Identification Register, by falling priority. */
export const IIR = {
  lineStatus: 0x06,
  dataAvailable: 0x04,
  timeout: 0x0c,
  thrEmpty: 0x02,
  modemStatus: 0x00,
  none: 0x01,
  fifosEnabled: 0xc0,
} as const;
/** FIFO Control Register; bits 7 and 6 are the receiver's trigger level. */
export const FCR = { enable: 1, resetReceiver: 2, resetTransmitter: 4 } as const;
/** Entries that make data available, by FCR bits 7 and 6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Line Control Register. */
export const LCR = { wordLength: 0x03, stopBits: 0x04, parity: 0x08, dlab: 0x80 } as const;
/** Modem Control Register. */
export const MCR = { dtr: 1, rts: 2, out1: 4, out2: 8, loop: 0x10, all: 0x1f } as const;
/** Line Status Register. */
export const LSR = {
  dr: 0x01,
  oe: 0x02,
  pe: 0x04,
  fe: 0x08,
  bi: 0x10,
  thre: 0x20,
  temt: 0x40,
  fifoError: 0x80,
  interrupting: 0x1e,
} as const;
/** Modem Status Register: levels above, what changed since the last read below. */
export const MSR = { teri: 0x04, deltas: 0x0f, cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80 } as const;
