/**
 * The task file of an ATA channel and its commands, by the names of ATA/ATAPI-6 (T13/1410D).
 *
 * Sections: "I/O register descriptions", "Command descriptions", "Signature and persistence".
 */

/** Offsets in the command block (ports 1F0h-1F7h and 170h-177h). */
export const COMMAND_BLOCK = {
  DATA: 0,
  /** Read: Error; write: Features. */
  ERROR: 1,
  /** For packet devices on read: the interrupt reason. */
  SECTOR_COUNT: 2,
  LBA_LOW: 3,
  /** For packet devices: byte count low. */
  LBA_MID: 4,
  /** For packet devices: byte count high. */
  LBA_HIGH: 5,
  DEVICE: 6,
  /** Read: Status; write: Command. */
  STATUS: 7,
} as const;

/** Bits of the Status register. */
export const STATUS = {
  /** Error; for packet devices CHK. */
  ERR: 0x01,
  DRQ: 0x08,
  /** Drive seek complete (ATA-3 name); later "command specific". */
  DSC: 0x10,
  /** Device fault. */
  DF: 0x20,
  DRDY: 0x40,
  BSY: 0x80,
} as const;

/** Bits of the Error register. */
export const ERROR = {
  /** Command aborted. */
  ABRT: 0x04,
  /** Address not found. */
  IDNF: 0x10,
  /** Uncorrectable data. */
  UNC: 0x40,
} as const;

/** Bits of the Device Control register (ports 3F6h and 376h, write). */
export const DEVICE_CONTROL = {
  /** Interrupts off. */
  nIEN: 0x02,
  /** Software reset. */
  SRST: 0x04,
  /** Read the previous content of the two-deep LBA48 registers. */
  HOB: 0x80,
} as const;

/** Bits of the Device register. */
export const DEVICE = {
  /** The selected device. */
  DEV: 0x10,
  /** LBA, not CHS. */
  LBA: 0x40,
  /** Bits 5 and 7, which older devices want set. */
  OBSOLETE: 0xa0,
} as const;

/** Bits of the interrupt reason of a packet device. */
export const INTERRUPT_REASON = {
  /** The transfer is a command packet, or the command is complete. */
  CD: 0x01,
  /** To the host. */
  IO: 0x02,
} as const;

/** Command codes that a disk or a CD drive here answers; every other code is aborted. */
export const COMMAND = {
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ_SECTORS: 0x20,
  READ_SECTORS_NO_RETRY: 0x21,
  READ_SECTORS_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_NATIVE_MAX_ADDRESS_EXT: 0x27,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_NO_RETRY: 0x31,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  WRITE_MULTIPLE_EXT: 0x39,
  READ_VERIFY_SECTORS: 0x40,
  READ_VERIFY_SECTORS_NO_RETRY: 0x41,
  READ_VERIFY_SECTORS_EXT: 0x42,
  SEEK: 0x70,
  EXECUTE_DEVICE_DIAGNOSTIC: 0x90,
  INITIALIZE_DEVICE_PARAMETERS: 0x91,
  PACKET: 0xa0,
  IDENTIFY_PACKET_DEVICE: 0xa1,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE_MODE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_NO_RETRY: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_NO_RETRY: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  CHECK_POWER_MODE: 0xe5,
  SLEEP: 0xe6,
  FLUSH_CACHE: 0xe7,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY_DEVICE: 0xec,
  SET_FEATURES: 0xef,
  READ_NATIVE_MAX_ADDRESS: 0xf8,
} as const;

/** What a drive leaves in its task file after a reset, a diagnostic or a refused IDENTIFY. */
export interface Signature {
  readonly sectorCount: number;
  readonly lbaLow: number;
  readonly lbaMid: number;
  readonly lbaHigh: number;
}

/** Signature of a device without the PACKET feature set. */
export const ATA_SIGNATURE: Signature = { sectorCount: 1, lbaLow: 1, lbaMid: 0, lbaHigh: 0 };
/** Signature of a device with the PACKET feature set. */
export const PACKET_SIGNATURE: Signature = {
  sectorCount: 1,
  lbaLow: 1,
  lbaMid: 0x14,
  lbaHigh: 0xeb,
};
