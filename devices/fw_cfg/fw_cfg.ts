/**
 * QEMU's firmware configuration device: numbered items that firmware selects and reads byte by byte.
 *
 * The chip is pure: a selector, an offset, and items that were fixed at power-on.
 * Source: QEMU documentation, docs/specs/fw_cfg.rst.
 *
 * @deviation No item is writable by the guest; a DMA write reports an error.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { FirmwareTables } from "../firmware_tables.ts";
import { tableFile, tableLoaderFile, tableLoaderScript } from "./table_loader.ts";

/** Item numbers. */
export const FwCfgKey = {
  signature: 0x0000,
  id: 0x0001,
  uuid: 0x0002,
  ramSize: 0x0003,
  noGraphic: 0x0004,
  cpus: 0x0005,
  machineId: 0x0006,
  bootMenu: 0x000e,
  maxCpus: 0x000f,
  fileDirectory: 0x0019,
  firstFile: 0x0020,
  /** Items of the PC architecture. */
  irq0Override: 0x8002,
} as const;

/** Bits of the id item. */
export const FwCfgId = { traditional: 1 << 0, dma: 1 << 1 } as const;

/** Bit 14 of the selector asked for the (gone) write channel. */
const writeChannel = 0x4000;
const fileNameBytes = 56;
const directoryEntryBytes = 64;

/** A range of the memory map; types are those of INT 15h E820h (1 RAM, 2 reserved, …). */
export interface E820Range {
  readonly address: number;
  readonly sizeBytes: number;
  readonly type: number;
}

/** What firmware gets to know. */
export interface FwCfgContents {
  /** RAM below and above 4 GiB together. */
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Highest APIC id plus one; default `cpus`. */
  readonly maxCpus?: number;
  readonly memoryMap: readonly E820Range[];
  readonly tables?: FirmwareTables;
  /** Open Firmware style paths, first choice first. */
  readonly bootOrder?: readonly string[];
  /** Further files by name, for example `etc/smbios/smbios-tables`. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** Sixteen bytes that identify the machine; zero if not given. */
  readonly uuid?: Uint8Array;
  /** Whether IRQ 0 arrives at I/O APIC input 2; default true. */
  readonly irq0Override?: boolean;
}

/** The chip. */
export class FwCfg implements Snapshot {
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #selector = 0;
  #offset = 0;

  /** Throws `RangeError` on a file name that is too long. */
  constructor(contents: FwCfgContents, withDma: boolean) {
    this.#items = itemsOf(contents, withDma);
  }

  get selector(): number {
    return this.#selector;
  }

  /** Selects item `selector`, from its first byte. */
  select(selector: number): void {
    this.#selector = selector & ~writeChannel;
    this.#offset = 0;
  }

  /** The next byte; 0 past the end and where there is no item. */
  readByte(): number {
    return this.#items.get(this.#selector)?.[this.#offset++] ?? 0;
  }

  /** Fills `into` with the next bytes. */
  read(into: Uint8Array): void {
    const item = this.#items.get(this.#selector) ?? new Uint8Array(0);
    const part = item.subarray(this.#offset, this.#offset + into.length);
    into.set(part);
    into.fill(0, part.length);
    this.#offset += into.length;
  }

  skip(length: number): void {
    this.#offset += length;
  }

  save(): SnapshotRecord {
    const state = { selector: this.#selector, offset: this.#offset };
    return { kind: "fw_cfg", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "fw_cfg", 1);
    this.#selector = state.selector as number;
    this.#offset = state.offset as number;
  }
}

function itemsOf(contents: FwCfgContents, withDma: boolean): Map<number, Uint8Array> {
  const { cpus, maxCpus = cpus, memoryBytes, uuid = new Uint8Array(16) } = contents;
  const id = FwCfgId.traditional | (withDma ? FwCfgId.dma : 0);
  const files = [...filesOf(contents)].sort(([a], [b]) => (a < b ? -1 : 1));
  const items = new Map<number, Uint8Array>([
    [FwCfgKey.signature, ascii("QEMU")],
    [FwCfgKey.id, number(id, 4)],
    [FwCfgKey.uuid, uuid.slice()],
    [FwCfgKey.ramSize, number(memoryBytes, 8)],
    [FwCfgKey.noGraphic, number(0, 2)],
    [FwCfgKey.cpus, number(cpus, 2)],
    [FwCfgKey.machineId, number(0, 4)],
    [FwCfgKey.bootMenu, number(0, 2)],
    [FwCfgKey.maxCpus, number(maxCpus, 2)],
    [FwCfgKey.irq0Override, number((contents.irq0Override ?? true) ? 1 : 0, 4)],
    [FwCfgKey.fileDirectory, directory(files)],
  ]);
  files.forEach(([, bytes], index) => items.set(FwCfgKey.firstFile + index, bytes));
  return items;
}

function filesOf(contents: FwCfgContents): Map<string, Uint8Array> {
  const files = new Map(contents.files);
  files.set("etc/e820", e820(contents.memoryMap));
  if (contents.tables) {
    files.set(tableFile.rsdp, contents.tables.rsdp.slice());
    files.set(tableFile.tables, contents.tables.tables.slice());
    files.set(tableLoaderFile, tableLoaderScript(contents.tables));
  }
  if (contents.bootOrder) files.set("bootorder", ascii(contents.bootOrder.join("\n") + "\0"));
  return files;
}

/** Number of files, then per file: size, selector, reserved, name; numbers are big-endian. */
function directory(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * directoryEntryBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(([name, file], index) => {
    if (name.length >= fileNameBytes) {
      throw new RangeError(
        `a fw_cfg file name has at most ${fileNameBytes - 1} characters, found "${name}"`,
      );
    }
    const offset = 4 + index * directoryEntryBytes;
    view.setUint32(offset, file.length);
    view.setUint16(offset + 4, FwCfgKey.firstFile + index);
    bytes.set(ascii(name), offset + 8);
  });
  return bytes;
}

/** The memory map: address, length, type, 20 bytes each, little-endian. */
function e820(ranges: readonly E820Range[]): Uint8Array {
  const bytes = new Uint8Array(ranges.length * 20);
  ranges.forEach(({ address, sizeBytes, type }, index) => {
    bytes.set(number(address, 8), index * 20);
    bytes.set(number(sizeBytes, 8), index * 20 + 8);
    bytes.set(number(type, 4), index * 20 + 16);
  });
  return bytes;
}

/** `value` in `sizeBytes` bytes, lowest first. */
function number(value: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let index = 0, rest = value; index < sizeBytes; index++, rest = Math.floor(rest / 256)) {
    bytes[index] = rest % 256;
  }
  return bytes;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
