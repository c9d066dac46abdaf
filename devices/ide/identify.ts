/** The 256 words that IDENTIFY DEVICE and IDENTIFY PACKET DEVICE return (ATA/ATAPI-6, sections 8.15, 8.16). */

/** What a drive calls itself. */
export interface DriveNames {
  /** Up to 40 ASCII characters. */
  readonly model: string;
  /** Up to 20 ASCII characters. */
  readonly serial: string;
  /** Up to 8 ASCII characters. */
  readonly firmware: string;
}

/** Cylinders, heads and sectors per track. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** The transfer mode that SET FEATURES chose: bits 7:3 the kind, bits 2:0 the mode. */
export type TransferMode = number;

/** Kinds of transfer mode (ATA/ATAPI-6, table "Transfer mode values"). */
export const TRANSFER_MODE = { MULTIWORD_DMA: 0x20, ULTRA_DMA: 0x40, KIND: 0xf8, MODE: 7 } as const;

/** The most sectors per block of READ MULTIPLE and WRITE MULTIPLE. */
export const MAX_MULTIPLE_SECTORS = 16;

/** The largest number of sectors that a 28-bit command can address. */
const LBA28_SECTORS = 0xfffffff;
/** Below this the CHS translation reaches the whole disk; above, it says 16383/16/63. */
const MAX_CYLINDERS = 16383;

/** The translation that a disk of `sectors` sectors starts with. */
export function defaultGeometry(sectors: number): Geometry {
  const cylinders = Math.floor(sectors / (16 * 63));
  return {
    cylinders: Math.max(1, Math.min(MAX_CYLINDERS, cylinders)),
    heads: 16,
    sectorsPerTrack: 63,
  };
}

/** What IDENTIFY DEVICE depends on. */
export interface DiskIdentity {
  readonly names: DriveNames;
  readonly sectors: number;
  readonly geometry: Geometry;
  /** As INITIALIZE DEVICE PARAMETERS set it. */
  readonly currentGeometry: Geometry;
  /** As SET MULTIPLE MODE set it; 0 is off. */
  readonly multipleSectors: number;
  readonly transferMode: TransferMode;
  readonly writeCache: boolean;
  readonly lookAhead: boolean;
}

/** The data of IDENTIFY DEVICE. */
export function identifyDisk(disk: DiskIdentity): Uint8Array<ArrayBuffer> {
  const { geometry, currentGeometry: current, sectors } = disk;
  const words = new Words();
  words.set(0, 0x0040); // ATA device, fixed
  words.set(1, geometry.cylinders);
  words.set(3, geometry.heads);
  words.set(6, geometry.sectorsPerTrack);
  words.names(disk.names);
  words.set(47, 0x8000 | MAX_MULTIPLE_SECTORS);
  words.set(49, 0x0f00); // IORDY (may be disabled), LBA, DMA
  words.set(50, 0x4000);
  words.set(53, 0x0007); // words 54-58, 64-70 and 88 are valid
  words.set(54, current.cylinders);
  words.set(55, current.heads);
  words.set(56, current.sectorsPerTrack);
  words.set32(57, current.cylinders * current.heads * current.sectorsPerTrack);
  words.set(59, disk.multipleSectors ? 0x0100 | disk.multipleSectors : 0);
  words.set32(60, Math.min(sectors, LBA28_SECTORS));
  words.transferModes(disk.transferMode);
  words.set(80, 0x007e); // ATA-1 to ATA/ATAPI-6
  words.set(82, 0x4060); // NOP, look-ahead, write cache
  words.set(83, 0x7400); // FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses
  words.set(84, 0x4000);
  words.set(85, 0x4000 | (disk.lookAhead ? 0x40 : 0) | (disk.writeCache ? 0x20 : 0));
  words.set(86, 0x3400);
  words.set(87, 0x4000);
  words.set(93, 0x6001); // hardware reset result: device 0, 80-conductor cable seen
  words.set32(100, sectors % 2 ** 32);
  words.set32(102, Math.floor(sectors / 2 ** 32));
  return words.bytes;
}

/** The data of IDENTIFY PACKET DEVICE for a removable CD-ROM drive with 12-byte packets. */
export function identifyCdrom(
  names: DriveNames,
  transferMode: TransferMode,
): Uint8Array<ArrayBuffer> {
  const words = new Words();
  words.set(0, 0x85c0); // packet device, CD-ROM, removable, DRQ within 50 us, 12-byte packets
  words.names(names);
  words.set(49, 0x0f00);
  words.set(53, 0x0006);
  words.transferModes(transferMode);
  words.set(73, 0); // no version
  words.set(80, 0x007e);
  words.set(82, 0x4210); // NOP, DEVICE RESET, PACKET
  words.set(83, 0x4000);
  words.set(84, 0x4000);
  words.set(85, 0x4210);
  words.set(87, 0x4000);
  words.set(93, 0x6001);
  return words.bytes;
}

class Words {
  readonly bytes = new Uint8Array(512);

  set(word: number, value: number): void {
    this.bytes[2 * word] = value;
    this.bytes[2 * word + 1] = value >>> 8;
  }

  set32(word: number, value: number): void {
    this.set(word, value % 0x10000);
    this.set(word + 1, Math.floor(value / 0x10000));
  }

  /** ATA strings have the first character of each pair in the high byte and are padded with spaces. */
  string(word: number, words: number, text: string): void {
    for (let index = 0; index < 2 * words; index++) {
      const code = index < text.length ? text.charCodeAt(index) & 0x7f : 0x20;
      this.bytes[2 * word + (index ^ 1)] = code;
    }
  }

  names({ model, serial, firmware }: DriveNames): void {
    this.string(10, 10, serial);
    this.string(23, 4, firmware);
    this.string(27, 20, model);
  }

  /** PIO 3 and 4, multiword DMA 0-2, Ultra DMA 0-5, and which of them is chosen. */
  transferModes(mode: TransferMode): void {
    const kind = mode & TRANSFER_MODE.KIND;
    const chosen = 1 << ((mode & TRANSFER_MODE.MODE) + 8);
    this.set(63, 0x0007 | (kind === TRANSFER_MODE.MULTIWORD_DMA ? chosen : 0));
    this.set(64, 0x0003);
    for (const cycleTime of [65, 66, 67, 68]) this.set(cycleTime, 120);
    this.set(88, 0x003f | (kind === TRANSFER_MODE.ULTRA_DMA ? chosen : 0));
  }
}

/** The longest text that an IDENTIFY string field takes, by field. */
export const NAME_LIMITS = { model: 40, serial: 20, firmware: 8 } as const;

/** Throws `RangeError` unless the names fit and are printable ASCII. */
export function expectNames(names: DriveNames): void {
  for (const field of ["model", "serial", "firmware"] as const) {
    const text = names[field];
    if (text.length > NAME_LIMITS[field] || !/^[\x20-\x7e]*$/.test(text)) {
      throw new RangeError(
        `a drive's ${field} must be up to ${
          NAME_LIMITS[field]
        } printable ASCII characters, found "${text}"`,
      );
    }
  }
}
