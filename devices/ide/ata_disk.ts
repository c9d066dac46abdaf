/**
 * An ATA disk: CHS, 28-bit and 48-bit addresses, PIO in single and multiple blocks, DMA
 * (ATA/ATAPI-6, T13/1410D). The SMART, security and host-protected-area feature sets are neither
 * advertised nor answered: their commands abort.
 */

import type { SnapshotRecord, SnapshotValue } from "../../core/lib/snapshot.ts";
import { type DiskImage, SECTOR_BYTES } from "../disk/disk_image.ts";
import { ATA_SIGNATURE, COMMAND, DEVICE, ERROR, STATUS } from "./ata_registers.ts";
import {
  defaultGeometry,
  type DriveNames,
  expectNames,
  type Geometry,
  identifyDisk,
  MAX_MULTIPLE_SECTORS,
  TRANSFER_MODE,
} from "./identify.ts";
import { type DriveStep, nested, TaskFileDrive } from "./task_file_drive.ts";

/** How the sector range of a command is given. */
type Addressing = "28" | "48";
/** How the data of a command moves. */
type Transfer = "pio" | "multiple" | "dma";

interface TransferCommand {
  readonly addressing: Addressing;
  readonly transfer: Transfer;
  readonly write: boolean;
}

const transferCommand = (
  addressing: Addressing,
  transfer: Transfer,
  write: boolean,
): TransferCommand => ({ addressing, transfer, write });

/** The commands that move sectors. */
const TRANSFER_COMMANDS: ReadonlyMap<number, TransferCommand> = new Map(
  [
    [COMMAND.READ_SECTORS, transferCommand("28", "pio", false)],
    [COMMAND.READ_SECTORS_NO_RETRY, transferCommand("28", "pio", false)],
    [COMMAND.READ_SECTORS_EXT, transferCommand("48", "pio", false)],
    [COMMAND.READ_MULTIPLE, transferCommand("28", "multiple", false)],
    [COMMAND.READ_MULTIPLE_EXT, transferCommand("48", "multiple", false)],
    [COMMAND.READ_DMA, transferCommand("28", "dma", false)],
    [COMMAND.READ_DMA_NO_RETRY, transferCommand("28", "dma", false)],
    [COMMAND.READ_DMA_EXT, transferCommand("48", "dma", false)],
    [COMMAND.WRITE_SECTORS, transferCommand("28", "pio", true)],
    [COMMAND.WRITE_SECTORS_NO_RETRY, transferCommand("28", "pio", true)],
    [COMMAND.WRITE_SECTORS_EXT, transferCommand("48", "pio", true)],
    [COMMAND.WRITE_MULTIPLE, transferCommand("28", "multiple", true)],
    [COMMAND.WRITE_MULTIPLE_EXT, transferCommand("48", "multiple", true)],
    [COMMAND.WRITE_DMA, transferCommand("28", "dma", true)],
    [COMMAND.WRITE_DMA_NO_RETRY, transferCommand("28", "dma", true)],
    [COMMAND.WRITE_DMA_EXT, transferCommand("48", "dma", true)],
  ] as const,
);

/** Subcommands of SET FEATURES that a disk here accepts (ATA/ATAPI-6, section 8.46). */
const FEATURE = {
  WRITE_CACHE_ON: 0x02,
  TRANSFER_MODE: 0x03,
  LOOK_AHEAD_OFF: 0x55,
  KEEP_DEFAULTS: 0x66,
  WRITE_CACHE_OFF: 0x82,
  LOOK_AHEAD_ON: 0xaa,
  REVERT_TO_DEFAULTS: 0xcc,
} as const;

/** The most bytes that move between two looks at the bus master. */
const DMA_CHUNK_BYTES = 64 * 1024;
/** CHECK POWER MODE's answer: active or idle. */
const POWER_ACTIVE = 0xff;

const DEFAULT_NAMES: DriveNames = {
  model: "XENARIUM HARDDISK",
  serial: "XD00000001",
  firmware: "1.0",
};

/** A fixed disk on an ATA channel; its snapshot holds the overlay of its image. */
export class AtaDisk extends TaskFileDrive {
  readonly signature = ATA_SIGNATURE;
  protected readonly idleStatus = STATUS.DRDY | STATUS.DSC;
  readonly #names: DriveNames;
  readonly #geometry: Geometry;
  #current: Geometry;
  #multipleSectors = MAX_MULTIPLE_SECTORS;
  #transferMode: number = TRANSFER_MODE.MULTIWORD_DMA | 2;
  #writeCache = true;
  #lookAhead = true;
  /** The next sector, and how many are left, of the command in flight. */
  #sector = 0;
  #remaining = 0;
  #blockSectors = 1;
  /** Bytes at the end of `buffer` that the bus master has not taken yet. */
  #pendingBytes = 0;

  /** Throws `RangeError` if a name does not fit its field of IDENTIFY. */
  constructor(readonly image: DiskImage, names: Partial<DriveNames> = {}) {
    super();
    this.#names = { ...DEFAULT_NAMES, ...names };
    expectNames(this.#names);
    this.#geometry = defaultGeometry(image.sectorCount);
    this.#current = this.#geometry;
  }

  protected execute(command: number): void {
    const transfer = TRANSFER_COMMANDS.get(command);
    if (transfer) return this.#startTransfer(transfer);
    switch (command) {
      case COMMAND.IDENTIFY_DEVICE:
        this.#remaining = 0;
        return this.later("readBlock", this.host.delays.commandNs);
      case COMMAND.READ_VERIFY_SECTORS:
      case COMMAND.READ_VERIFY_SECTORS_NO_RETRY:
        return this.#verify("28");
      case COMMAND.READ_VERIFY_SECTORS_EXT:
        return this.#verify("48");
      case COMMAND.SEEK:
        return this.completeLater(this.#address("28") < this.image.sectorCount ? 0 : ERROR.IDNF);
      case COMMAND.READ_NATIVE_MAX_ADDRESS:
        this.#setAddress("28", Math.min(this.image.sectorCount, 0xfffffff) - 1);
        return this.completeLater();
      case COMMAND.READ_NATIVE_MAX_ADDRESS_EXT:
        this.#setAddress("48", this.image.sectorCount - 1);
        return this.completeLater();
      case COMMAND.INITIALIZE_DEVICE_PARAMETERS:
        return this.#initializeParameters();
      case COMMAND.SET_MULTIPLE_MODE:
        return this.#setMultipleMode(this.sectorCount & 0xff);
      case COMMAND.SET_FEATURES:
        return this.completeLater(this.#setFeatures(this.features & 0xff) ? 0 : ERROR.ABRT);
      case COMMAND.EXECUTE_DEVICE_DIAGNOSTIC:
        this.diagnose();
        return this.completeLater(this.error);
      case COMMAND.CHECK_POWER_MODE:
        this.sectorCount = POWER_ACTIVE;
        return this.completeLater();
      case COMMAND.RECALIBRATE:
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.STANDBY:
      case COMMAND.IDLE:
      case COMMAND.SLEEP:
      case COMMAND.FLUSH_CACHE:
      case COMMAND.FLUSH_CACHE_EXT:
        return this.completeLater();
      default:
        return this.abort();
    }
  }

  protected advance(step: Exclude<DriveStep, "reset" | "complete">): void {
    switch (step) {
      case "readBlock":
        return this.#readBlock();
      case "writeBlock":
        return this.#writeBlock();
      case "dma":
        return this.#runDma();
      case "packet":
        return;
    }
  }

  protected dataInDone(): void {
    if (this.#remaining > 0) this.later("readBlock", this.host.delays.blockNs);
    else this.status = STATUS.DRDY | STATUS.DSC;
  }

  protected dataOutDone(): void {
    this.later("writeBlock", this.host.delays.blockNs);
  }

  protected resetState(): void {
    this.#remaining = 0;
    this.#pendingBytes = 0;
    this.#current = this.#geometry;
    this.#multipleSectors = MAX_MULTIPLE_SECTORS;
  }

  #startTransfer({ addressing, transfer, write }: TransferCommand): void {
    if (transfer === "multiple" && this.#multipleSectors === 0) return this.abort();
    if (!this.#takeRange(addressing)) return;
    this.#blockSectors = transfer === "multiple" ? this.#multipleSectors : 1;
    this.#pendingBytes = 0;
    if (transfer === "dma") return this.later("dma", this.host.delays.commandNs);
    if (!write) return this.later("readBlock", this.host.delays.commandNs);
    this.status |= STATUS.DSC;
    this.request(this.#nextBlockSectors() * SECTOR_BYTES, false);
  }

  /** Takes address and count from the task file; on a range outside the disk ends the command with IDNF. */
  #takeRange(addressing: Addressing): boolean {
    const address = this.#address(addressing);
    const count = addressing === "48"
      ? this.sectorCount || 0x10000
      : this.sectorCount & 0xff || 256;
    if (address < 0 || address + count > this.image.sectorCount) {
      this.#remaining = 0;
      this.completeLater(ERROR.IDNF);
      return false;
    }
    this.#sector = address;
    this.#remaining = count;
    return true;
  }

  #verify(addressing: Addressing): void {
    if (!this.#takeRange(addressing)) return;
    this.#setAddress(addressing, this.#sector + this.#remaining - 1);
    this.#remaining = 0;
    this.completeLater();
  }

  /** The addressed sector; -1 when a CHS address names a sector or head that there is not. */
  #address(addressing: Addressing): number {
    const { lbaLow: low, lbaMid: mid, lbaHigh: high } = this;
    if (addressing === "48") {
      const previous = (low >> 8) | (mid & 0xff00) | ((high & 0xff00) << 8);
      const recent = (low & 0xff) | ((mid & 0xff) << 8) | ((high & 0xff) << 16);
      return previous * 0x1000000 + recent;
    }
    const top = this.device & 0x0f;
    if (this.device & DEVICE.LBA) {
      return (low & 0xff) | ((mid & 0xff) << 8) | ((high & 0xff) << 16) | (top << 24);
    }
    const { heads, sectorsPerTrack, cylinders } = this.#current;
    const cylinder = (mid & 0xff) | ((high & 0xff) << 8);
    const sector = low & 0xff;
    if (sector < 1 || sector > sectorsPerTrack || top >= heads || cylinder >= cylinders) return -1;
    return (cylinder * heads + top) * sectorsPerTrack + sector - 1;
  }

  /** Puts `sector` into the task file, as commands that report an address do. */
  #setAddress(addressing: Addressing, sector: number): void {
    const recent = sector % 0x1000000;
    const rest = Math.floor(sector / 0x1000000);
    const byte = (value: number, index: number) => (value >>> (8 * index)) & 0xff;
    if (addressing === "48") {
      this.lbaLow = byte(recent, 0) | (byte(rest, 0) << 8);
      this.lbaMid = byte(recent, 1) | (byte(rest, 1) << 8);
      this.lbaHigh = byte(recent, 2) | (byte(rest, 2) << 8);
    } else if (this.device & DEVICE.LBA) {
      this.lbaLow = byte(recent, 0);
      this.lbaMid = byte(recent, 1);
      this.lbaHigh = byte(recent, 2);
      this.device = (this.device & 0xf0) | (rest & 0x0f);
    } else {
      const { heads, sectorsPerTrack } = this.#current;
      const track = Math.floor(sector / sectorsPerTrack);
      const cylinder = Math.floor(track / heads);
      this.lbaLow = (sector % sectorsPerTrack) + 1;
      this.lbaMid = byte(cylinder, 0);
      this.lbaHigh = byte(cylinder, 1);
      this.device = (this.device & 0xf0) | (track % heads);
    }
  }

  #nextBlockSectors(): number {
    return Math.min(this.#blockSectors, this.#remaining);
  }

  #readBlock(): void {
    if (this.command === COMMAND.IDENTIFY_DEVICE) return this.offer(this.#identify(), true);
    const bytes = this.#readSectors(this.#nextBlockSectors());
    this.status |= STATUS.DSC;
    this.offer(bytes, true);
  }

  #writeBlock(): void {
    this.#writeSectors(this.buffer);
    if (this.#remaining === 0) return this.complete(0);
    this.request(this.#nextBlockSectors() * SECTOR_BYTES, true);
  }

  #readSectors(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count * SECTOR_BYTES);
    this.image.read(this.#sector * SECTOR_BYTES, bytes);
    this.#sector += count;
    this.#remaining -= count;
    return bytes;
  }

  #writeSectors(bytes: Uint8Array): void {
    this.image.write(this.#sector * SECTOR_BYTES, bytes);
    this.#sector += bytes.length / SECTOR_BYTES;
    this.#remaining -= bytes.length / SECTOR_BYTES;
  }

  /**
   * Moves sectors until the command is done (at most 65,536 sectors) or the bus master has no more
   * room; then the drive goes on asking, as DMARQ does, until it is started again.
   */
  #runDma(): void {
    const write = TRANSFER_COMMANDS.get(this.command)?.write ?? false;
    const { dma } = this.host;
    while (dma.running(!write)) {
      if (this.#pendingBytes === 0) {
        if (this.#remaining === 0) return this.complete(0);
        this.#nextDmaChunk(write);
      }
      const rest = this.buffer.subarray(this.buffer.length - this.#pendingBytes);
      const moved = write ? dma.fromMemory(rest) : dma.toMemory(rest);
      this.#pendingBytes -= moved;
      if (this.#pendingBytes > 0) break;
      if (write) this.#writeSectors(this.buffer);
      if (this.#remaining === 0) return this.complete(0);
    }
    this.phase = "dmaWait";
    this.status |= STATUS.DRQ | STATUS.DRDY;
  }

  #nextDmaChunk(write: boolean): void {
    const sectors = Math.min(this.#remaining, DMA_CHUNK_BYTES / SECTOR_BYTES);
    this.buffer = write ? new Uint8Array(sectors * SECTOR_BYTES) : this.#readSectors(sectors);
    this.#pendingBytes = this.buffer.length;
  }

  #identify(): Uint8Array<ArrayBuffer> {
    return identifyDisk({
      names: this.#names,
      sectors: this.image.sectorCount,
      geometry: this.#geometry,
      currentGeometry: this.#current,
      multipleSectors: this.#multipleSectors,
      transferMode: this.#transferMode,
      writeCache: this.#writeCache,
      lookAhead: this.#lookAhead,
    });
  }

  #initializeParameters(): void {
    const sectorsPerTrack = this.sectorCount & 0xff;
    const heads = (this.device & 0x0f) + 1;
    if (sectorsPerTrack === 0) return this.abort();
    const cylinders = Math.floor(this.image.sectorCount / (heads * sectorsPerTrack));
    this.#current = { cylinders: Math.min(65535, cylinders), heads, sectorsPerTrack };
    this.completeLater();
  }

  #setMultipleMode(sectors: number): void {
    const isPowerOfTwo = (sectors & (sectors - 1)) === 0;
    if (sectors > MAX_MULTIPLE_SECTORS || !isPowerOfTwo) return this.abort();
    this.#multipleSectors = sectors;
    this.completeLater();
  }

  /** Whether `feature` is known and its parameters are good. */
  #setFeatures(feature: number): boolean {
    switch (feature) {
      case FEATURE.TRANSFER_MODE:
        return this.#setTransferMode(this.sectorCount & 0xff);
      case FEATURE.WRITE_CACHE_ON:
      case FEATURE.WRITE_CACHE_OFF:
        this.#writeCache = feature === FEATURE.WRITE_CACHE_ON;
        return true;
      case FEATURE.LOOK_AHEAD_ON:
      case FEATURE.LOOK_AHEAD_OFF:
        this.#lookAhead = feature === FEATURE.LOOK_AHEAD_ON;
        return true;
      case FEATURE.KEEP_DEFAULTS:
      case FEATURE.REVERT_TO_DEFAULTS:
        return true;
      default:
        return false;
    }
  }

  #setTransferMode(mode: number): boolean {
    if (!isTransferMode(mode)) return false;
    if (mode & (TRANSFER_MODE.MULTIWORD_DMA | TRANSFER_MODE.ULTRA_DMA)) this.#transferMode = mode;
    return true;
  }

  protected saveState(): { [field: string]: SnapshotValue } {
    return {
      image: nested(this.image.save()),
      geometry: { ...this.#current },
      multipleSectors: this.#multipleSectors,
      transferMode: this.#transferMode,
      writeCache: this.#writeCache,
      lookAhead: this.#lookAhead,
      sector: this.#sector,
      remaining: this.#remaining,
      blockSectors: this.#blockSectors,
      pendingBytes: this.#pendingBytes,
    };
  }

  protected restoreState(state: { readonly [field: string]: SnapshotValue }): void {
    this.image.restore(state.image as unknown as SnapshotRecord);
    this.#current = state.geometry as unknown as Geometry;
    this.#multipleSectors = state.multipleSectors as number;
    this.#transferMode = state.transferMode as number;
    this.#writeCache = state.writeCache as boolean;
    this.#lookAhead = state.lookAhead as boolean;
    this.#sector = state.sector as number;
    this.#remaining = state.remaining as number;
    this.#blockSectors = state.blockSectors as number;
    this.#pendingBytes = state.pendingBytes as number;
  }
}

/** Whether SET FEATURES may choose `mode`: PIO default, PIO 0-4, multiword DMA 0-2, Ultra DMA 0-5. */
export function isTransferMode(mode: number): boolean {
  const number = mode & TRANSFER_MODE.MODE;
  switch (mode & TRANSFER_MODE.KIND) {
    case 0x00:
      return number <= 1;
    case 0x08:
      return number <= 4;
    case TRANSFER_MODE.MULTIWORD_DMA:
      return number <= 2;
    case TRANSFER_MODE.ULTRA_DMA:
      return number <= 5;
    default:
      return false;
  }
}
