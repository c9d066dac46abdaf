/**
 * An ATAPI CD-ROM drive: the PACKET feature set over PIO and DMA (ATA/ATAPI-6, "PACKET command feature
 * set"; SFF-8020i). What the packets mean is in `packet_commands.ts`.
 *
 * The disc is the host's: a snapshot says whether the tray is open, not what lies in it.
 */

import type { SnapshotValue } from "../../core/lib/snapshot.ts";
import type { ReadonlyBytes } from "../disk/readonly_bytes.ts";
import { COMMAND, ERROR, INTERRUPT_REASON, PACKET_SIGNATURE, STATUS } from "./ata_registers.ts";
import { isTransferMode } from "./ata_disk.ts";
import { type DriveNames, expectNames, identifyCdrom, TRANSFER_MODE } from "./identify.ts";
import {
  CD_SECTOR_BYTES,
  MEDIA_EVENT,
  PACKET_BYTES,
  type PacketReply,
  type PacketUnit,
  runPacket,
  SENSE,
  type Sense,
} from "./packet_commands.ts";
import { type DriveStep, TaskFileDrive } from "./task_file_drive.ts";

const DEFAULT_NAMES: DriveNames = {
  model: "XENARIUM CD-ROM",
  serial: "XC00000001",
  firmware: "1.0",
};

/** SET FEATURES: set the transfer mode. */
const SET_TRANSFER_MODE = 0x03;
/** Bit of Features in PACKET: the data moves by DMA. */
const PACKET_DMA = 0x01;
/** What a byte count limit of zero or 65535 means. */
const MAX_BYTE_COUNT = 0xfffe;
/** The most blocks that are read from the disc at once. */
const CHUNK_BLOCKS = 32;

/** A CD-ROM drive on an ATA channel. */
export class AtapiCdrom extends TaskFileDrive {
  readonly signature = PACKET_SIGNATURE;
  protected readonly idleStatus = 0;
  readonly #names: DriveNames;
  readonly #unit: PacketUnit;
  #disc: ReadonlyBytes | null = null;
  #transferMode: number = TRANSFER_MODE.MULTIWORD_DMA | 2;
  #useDma = false;
  #byteCountLimit = 0;
  /** Data of the command in flight that no DRQ block or DMA has taken: what is here, and what is still on the disc. */
  #data = new Uint8Array(0);
  #dataPosition = 0;
  #nextBlock = 0;
  #blocksLeft = 0;

  /** A drive with `disc` in it, or empty; throws `RangeError` if a name does not fit its field. */
  constructor(disc: ReadonlyBytes | null, names: Partial<DriveNames> = {}) {
    super();
    this.#names = { ...DEFAULT_NAMES, ...names };
    expectNames(this.#names);
    this.#disc = disc;
    const blocks = () => this.#unit.trayOpen ? 0 : discBlocks(this.#disc);
    this.#unit = {
      get blocks() {
        return blocks();
      },
      vendor: "XENARIUM",
      product: "CD-ROM",
      revision: this.#names.firmware,
      sense: SENSE.NO_SENSE,
      attention: null,
      locked: false,
      trayOpen: false,
      mediaEvent: MEDIA_EVENT.NONE,
    };
  }

  /** Whether the guest forbids to open the tray. */
  get locked(): boolean {
    return this.#unit.locked;
  }

  /** Whether the tray is open. */
  get trayOpen(): boolean {
    return this.#unit.trayOpen;
  }

  /** Changes the disc (`null` takes it out) and closes the tray, as a person with a paper clip does. */
  insert(disc: ReadonlyBytes | null): void {
    this.#disc = disc;
    this.#unit.trayOpen = false;
    this.#unit.attention = SENSE.ATTENTION_MEDIUM_CHANGED;
    this.#unit.mediaEvent = disc ? MEDIA_EVENT.NEW_MEDIA : MEDIA_EVENT.MEDIA_REMOVAL;
  }

  protected execute(command: number): void {
    switch (command) {
      case COMMAND.PACKET:
        this.#useDma = (this.features & PACKET_DMA) !== 0;
        this.#byteCountLimit = (this.lbaMid & 0xff) | ((this.lbaHigh & 0xff) << 8);
        this.sectorCount = INTERRUPT_REASON.CD;
        return this.request(PACKET_BYTES, false);
      case COMMAND.IDENTIFY_PACKET_DEVICE:
        return this.later("readBlock", this.host.delays.commandNs);
      case COMMAND.DEVICE_RESET:
        this.host.timer.disarm();
        this.setSignature();
        this.resetState();
        this.phase = "idle";
        this.error = 1;
        this.status = 0;
        return;
      case COMMAND.EXECUTE_DEVICE_DIAGNOSTIC:
        this.diagnose();
        return this.completeLater(this.error);
      case COMMAND.SET_FEATURES:
        return this.completeLater(this.#setFeatures() ? 0 : ERROR.ABRT);
      case COMMAND.CHECK_POWER_MODE:
        this.sectorCount = 0xff;
        return this.completeLater();
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.SLEEP:
        return this.completeLater();
      case COMMAND.IDENTIFY_DEVICE:
      case COMMAND.READ_SECTORS:
        this.setSignature();
        return this.abort();
      default:
        return this.abort();
    }
  }

  protected advance(step: Exclude<DriveStep, "reset" | "complete">): void {
    switch (step) {
      case "readBlock":
        if (this.command === COMMAND.IDENTIFY_PACKET_DEVICE) {
          return this.offer(identifyCdrom(this.#names, this.#transferMode), true);
        }
        return this.#offerBlock();
      case "packet":
        return this.#finish(runPacket(this.buffer, this.#unit));
      case "dma":
        return this.#runDma();
      case "writeBlock":
        return;
    }
  }

  protected dataInDone(): void {
    if (this.command === COMMAND.PACKET) this.later("readBlock", this.host.delays.blockNs);
    else this.status = STATUS.DRDY | STATUS.DSC;
  }

  protected dataOutDone(): void {
    this.later("packet", this.host.delays.commandNs);
  }

  protected resetState(): void {
    this.#data = new Uint8Array(0);
    this.#dataPosition = 0;
    this.#blocksLeft = 0;
    this.#unit.sense = SENSE.NO_SENSE;
    this.#unit.attention = SENSE.ATTENTION_RESET;
    this.#unit.locked = false;
  }

  #finish(result: PacketReply): void {
    this.#data = new Uint8Array(0);
    this.#dataPosition = 0;
    this.#blocksLeft = 0;
    switch (result.kind) {
      case "good":
        return this.#completePacket(0);
      case "check":
        return this.#completePacket((result.sense.key << 4) | ERROR.ABRT);
      case "data":
        this.#data = result.bytes;
        break;
      case "read":
        this.#nextBlock = result.block;
        this.#blocksLeft = result.blocks;
        break;
    }
    if (this.#useDma) this.#runDma();
    else this.#offerBlock();
  }

  /** PIO: offers the next DRQ block, or completes the command. */
  #offerBlock(): void {
    this.#fill();
    const rest = this.#data.length - this.#dataPosition;
    if (rest === 0) return this.#completePacket(0);
    const limit = this.#byteCountLimit === 0
      ? MAX_BYTE_COUNT
      : Math.max(2, Math.min(MAX_BYTE_COUNT, this.#byteCountLimit & ~1));
    const count = Math.min(limit, rest);
    this.sectorCount = INTERRUPT_REASON.IO;
    this.lbaMid = count & 0xff;
    this.lbaHigh = count >> 8;
    const bytes = this.#data.slice(this.#dataPosition, this.#dataPosition + count);
    this.#dataPosition += count;
    this.offer(bytes, true);
  }

  /** DMA: moves until the command is done or the bus master has no more room. */
  #runDma(): void {
    while (this.host.dma.running(true)) {
      this.#fill();
      const rest = this.#data.subarray(this.#dataPosition);
      if (rest.length === 0) return this.#completePacket(0);
      const moved = this.host.dma.toMemory(rest);
      this.#dataPosition += moved;
      if (this.#blocksLeft === 0 && this.#dataPosition >= this.#data.length) {
        return this.#completePacket(0);
      }
      if (moved < rest.length) break;
    }
    this.phase = "dmaWait";
    this.status |= STATUS.DRQ | STATUS.DRDY;
  }

  /** Reads on from the disc when `#data` is used up; blocks past the end of a disc that was changed read zero. */
  #fill(): void {
    if (this.#dataPosition < this.#data.length || this.#blocksLeft === 0) return;
    const blocks = Math.min(this.#blocksLeft, CHUNK_BLOCKS);
    this.#data = new Uint8Array(blocks * CD_SECTOR_BYTES);
    const offset = this.#nextBlock * CD_SECTOR_BYTES;
    const available = Math.min(this.#data.length, (this.#disc?.sizeBytes ?? 0) - offset);
    if (available > 0) this.#disc?.read(offset, this.#data.subarray(0, available));
    this.#dataPosition = 0;
    this.#nextBlock += blocks;
    this.#blocksLeft -= blocks;
  }

  #completePacket(errorBits: number): void {
    this.sectorCount = INTERRUPT_REASON.IO | INTERRUPT_REASON.CD;
    this.complete(errorBits);
  }

  #setFeatures(): boolean {
    if ((this.features & 0xff) !== SET_TRANSFER_MODE) return false;
    const mode = this.sectorCount & 0xff;
    if (!isTransferMode(mode)) return false;
    if (mode & (TRANSFER_MODE.MULTIWORD_DMA | TRANSFER_MODE.ULTRA_DMA)) this.#transferMode = mode;
    return true;
  }

  protected saveState(): { [field: string]: SnapshotValue } {
    const { sense, attention, locked, trayOpen, mediaEvent } = this.#unit;
    return {
      unit: {
        sense: { ...sense },
        attention: attention && { ...attention },
        locked,
        trayOpen,
        mediaEvent,
      },
      transferMode: this.#transferMode,
      useDma: this.#useDma,
      byteCountLimit: this.#byteCountLimit,
      data: this.#data.slice(),
      dataPosition: this.#dataPosition,
      nextBlock: this.#nextBlock,
      blocksLeft: this.#blocksLeft,
    };
  }

  protected restoreState(state: { readonly [field: string]: SnapshotValue }): void {
    const unit = state.unit as unknown as PacketUnit;
    this.#unit.sense = unit.sense;
    this.#unit.attention = unit.attention as Sense | null;
    this.#unit.locked = unit.locked;
    this.#unit.trayOpen = unit.trayOpen;
    this.#unit.mediaEvent = unit.mediaEvent;
    this.#transferMode = state.transferMode as number;
    this.#useDma = state.useDma as boolean;
    this.#byteCountLimit = state.byteCountLimit as number;
    this.#data = (state.data as Uint8Array).slice();
    this.#dataPosition = state.dataPosition as number;
    this.#nextBlock = state.nextBlock as number;
    this.#blocksLeft = state.blocksLeft as number;
  }
}

/** Whole 2048-byte blocks of a disc, the last one padded. */
function discBlocks(disc: ReadonlyBytes | null): number {
  return disc ? Math.ceil(disc.sizeBytes / CD_SECTOR_BYTES) : 0;
}
