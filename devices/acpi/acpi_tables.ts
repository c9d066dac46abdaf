/**
 * The ACPI tables of a PC: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET and DSDT, as relocatable blobs.
 *
 * Layouts are tables of (offset, size, value) with the specification's field names as comments.
 * Source: ACPI Specification 6.4, section 5.2 "ACPI System Description Tables"; Intel "IA-PC HPET
 * Specification" 1.0a, section 3.2.4.
 */

import type { FirmwareTables, TableChecksum, TablePointer } from "../firmware_tables.ts";
import { ascii, littleEndian } from "./aml.ts";
import { dsdtBody } from "./dsdt.ts";

/** A processor as the MADT lists it. */
export interface AcpiProcessor {
  readonly apicId: number;
  /** ACPI processor UID; its index in the list if not given. */
  readonly uid?: number;
}

/** What the tables say about the machine; defaults are those of a 440FX board. */
export interface AcpiOptions {
  readonly processors: readonly AcpiProcessor[];
  /** The I/O APIC's id (default 0, what its register holds after reset) and base (default 0xFEC00000). */
  readonly ioApic?: { readonly id?: number; readonly base?: number };
  /** Base of the power management ports; default 0x600, where SeaBIOS puts them. */
  readonly pmBase?: number;
  /** Whether the PM timer has 32 bits; default false (24, as on the PIIX4). */
  readonly pmTimer32?: boolean;
  /** SLP_TYP of soft-off; default 0 (PIIX4). */
  readonly s5SleepType?: number;
  /** The HPET, or `null` for none; default at 0xFED00000. */
  readonly hpet?: { readonly base: number; readonly blockId: number } | null;
  /** PCI memory below 4 GiB, first and last byte; default 0xC0000000 to 0xFEBFFFFF. */
  readonly pciMemory?: readonly [number, number];
  /** Where firmware routes PIRQA to PIRQD; default 10, 10, 11, 11 (SeaBIOS). */
  readonly pirqGsis?: readonly [number, number, number, number];
  /** Which PIRQ a slot's pin pulls; default (slot + pin - 1) & 3. */
  readonly pirqOf?: (slot: number, pin: number) => number;
  /** The second serial port is there; default true. */
  readonly com2?: boolean;
}

/** The interrupt of system control, level triggered and active high. */
export const sciIrq = 9;
/** The SMI command port and its two commands (the values that QEMU's firmware uses). */
export const smiCommand = { port: 0xb2, acpiEnable: 0xf1, acpiDisable: 0xf0 } as const;
/** The PIIX3's reset control register and the value that resets the whole board. */
export const resetRegister = { port: 0xcf9, value: 0x06 } as const;
/** Offsets of the power management registers from their base (PIIX4). */
export const pmOffset = { event: 0x00, control: 0x04, timer: 0x08, gpe0: 0x0c } as const;

const oemId = "XENARI";
const oemTableId = "XENARIUM";
const creatorId = "XNRM";
const localApicBase = 0xfee0_0000;
const headerBytes = 36;
const checksumOffset = 9;
const cmosCentury = 0x32;

/** MPS INTI flags: polarity and trigger mode ("MPS INTI Flags"). */
const IntiFlags = { conforming: 0, activeHighLevel: 0x0d } as const;
/** APIC ids from here on need x2APIC structures. */
const firstX2ApicId = 255;

/** A field of a layout: offset, size in bytes, value. */
type Field = readonly [offset: number, size: number, value: number];

/** A table with its pointers, as offsets of fields that hold the name of another table. */
interface Table {
  readonly signature: string;
  readonly bytes: Uint8Array;
  readonly pointers: readonly { offset: number; sizeBytes: 4 | 8; to: string }[];
  readonly align: number;
}

/** Builds the tables; throws `RangeError` when the processor list is empty. */
export function buildAcpiTables(options: AcpiOptions): FirmwareTables {
  if (options.processors.length === 0) throw new RangeError("ACPI needs at least one processor");
  const hpet = options.hpet === undefined
    ? { base: 0xfed0_0000, blockId: 0x8086_a201 }
    : options.hpet;
  const listed = [fadt(options), madt(options), ...(hpet ? [hpetTable(hpet)] : [])];
  const roots = [rootTable("RSDT", 4, listed), rootTable("XSDT", 8, listed)];
  return link([facs(), dsdt(options, hpet?.base ?? null), ...listed, ...roots]);
}

function dsdt(options: AcpiOptions, hpetBase: number | null): Table {
  const body = dsdtBody({
    processorUids: options.processors.map(({ uid }, index) => uid ?? index),
    s5SleepType: options.s5SleepType ?? 0,
    pciMemory: options.pciMemory ?? [0xc000_0000, 0xfebf_ffff],
    pirqGsis: options.pirqGsis ?? [10, 10, 11, 11],
    pirqOf: options.pirqOf ?? ((slot, pin) => (slot + pin - 1) & 3),
    com2: options.com2 ?? true,
    hpetBase,
  });
  return table("DSDT", 2, body);
}

/** FADT flags ("Fixed ACPI Description Table Fixed Feature Flags"). */
const FadtFlag = {
  wbinvd: 1 << 0,
  procC1: 1 << 2,
  /** There is no fixed sleep button. */
  slpButton: 1 << 5,
  tmrValExt: 1 << 8,
  resetRegSup: 1 << 10,
} as const;
/** IAPC_BOOT_ARCH: ISA devices and an 8042 are there; VGA may be probed. */
const bootArchitecture = (1 << 0) | (1 << 1);
/** Latencies that say that C2 and C3 are not supported (above 100 and 1000 microseconds). */
const noCState = 0x0fff;
const desktopProfile = 1;

const AddressSpace = { memory: 0, io: 1 } as const;
/** Access sizes of a generic address. */
const Access = { byte: 1, word: 2, dword: 3 } as const;

/** A generic address structure at `offset`. */
function genericAddress(
  offset: number,
  space: number,
  bits: number,
  access: number,
  address: number,
): Field[] {
  return [
    [offset, 1, space],
    [offset + 1, 1, bits],
    [offset + 2, 1, 0],
    [offset + 3, 1, access],
    [offset + 4, 8, address],
  ];
}

function fadt(options: AcpiOptions): Table {
  const pm = options.pmBase ?? 0x600;
  const flags = FadtFlag.wbinvd | FadtFlag.procC1 | FadtFlag.slpButton | FadtFlag.resetRegSup |
    (options.pmTimer32 ? FadtFlag.tmrValExt : 0);
  const fields: Field[] = [
    [45, 1, desktopProfile], // PREFERRED_PM_PROFILE
    [46, 2, sciIrq], // SCI_INT
    [48, 4, smiCommand.port], // SMI_CMD
    [52, 1, smiCommand.acpiEnable], // ACPI_ENABLE
    [53, 1, smiCommand.acpiDisable], // ACPI_DISABLE
    [56, 4, pm + pmOffset.event], // PM1a_EVT_BLK
    [64, 4, pm + pmOffset.control], // PM1a_CNT_BLK
    [76, 4, pm + pmOffset.timer], // PM_TMR_BLK
    [80, 4, pm + pmOffset.gpe0], // GPE0_BLK
    [88, 1, 4], // PM1_EVT_LEN
    [89, 1, 2], // PM1_CNT_LEN
    [91, 1, 4], // PM_TMR_LEN
    [92, 1, 4], // GPE0_BLK_LEN
    [96, 2, noCState], // P_LVL2_LAT
    [98, 2, noCState], // P_LVL3_LAT
    [108, 1, cmosCentury], // CENTURY
    [109, 2, bootArchitecture], // IAPC_BOOT_ARCH
    [112, 4, flags], // Flags
    ...genericAddress(116, AddressSpace.io, 8, Access.byte, resetRegister.port), // RESET_REG
    [128, 1, resetRegister.value], // RESET_VALUE
    ...genericAddress(148, AddressSpace.io, 32, Access.word, pm + pmOffset.event), // X_PM1a_EVT_BLK
    ...genericAddress(172, AddressSpace.io, 16, Access.word, pm + pmOffset.control), // X_PM1a_CNT_BLK
    ...genericAddress(208, AddressSpace.io, 32, Access.dword, pm + pmOffset.timer), // X_PM_TMR_BLK
    ...genericAddress(220, AddressSpace.io, 32, Access.byte, pm + pmOffset.gpe0), // X_GPE0_BLK
  ];
  const fadtBytes = 244;
  // Only one of FIRMWARE_CTRL and X_FIRMWARE_CTRL may be set; DSDT and X_DSDT agree.
  return {
    ...table("FACP", 3, layout(fadtBytes - headerBytes, headerBytes, fields)),
    pointers: [
      { offset: 36, sizeBytes: 4, to: "FACS" }, // FIRMWARE_CTRL
      { offset: 40, sizeBytes: 4, to: "DSDT" }, // DSDT
      { offset: 140, sizeBytes: 8, to: "DSDT" }, // X_DSDT
    ],
  };
}

/** The FACS has no checksum and a header of its own. */
function facs(): Table {
  const bytes = new Uint8Array(64);
  bytes.set(ascii("FACS"));
  bytes.set(littleEndian(64, 4), 4); // Length
  bytes[32] = 1; // Version
  return { signature: "FACS", bytes, pointers: [], align: 64 };
}

function madt(options: AcpiOptions): Table {
  const processors = options.processors.map(({ apicId, uid }, index) => ({
    apicId,
    uid: uid ?? index,
  }));
  const pirqs = [...new Set(options.pirqGsis ?? [10, 10, 11, 11])];
  const levels = [...new Set([sciIrq, ...pirqs.filter((gsi) => gsi < 16)])].sort((a, b) => a - b);
  const pcatCompatible = 1;
  return table("APIC", 3, [
    ...littleEndian(localApicBase, 4),
    ...littleEndian(pcatCompatible, 4),
    ...processors.flatMap(({ apicId, uid }) => localApic(apicId, uid)),
    // I/O APIC: type 1, id, address, first GSI.
    ...[1, 12, options.ioApic?.id ?? 0, 0],
    ...littleEndian(options.ioApic?.base ?? 0xfec0_0000, 4),
    ...littleEndian(0, 4),
    ...sourceOverride(0, 2, IntiFlags.conforming),
    ...levels.flatMap((irq) => sourceOverride(irq, irq, IntiFlags.activeHighLevel)),
    // Local APIC NMI: type 4, all processors, conforming, LINT1.
    ...[4, 6, 0xff, 0, 0, 1],
    ...(processors.some(({ apicId }) => apicId >= firstX2ApicId) ? x2ApicNmi() : []),
  ]);
}

/** Processor local APIC (type 0), or local x2APIC (type 9) where the id needs it; enabled. */
function localApic(apicId: number, uid: number): number[] {
  const enabled = littleEndian(1, 4);
  if (apicId < firstX2ApicId && uid < 255) return [0, 8, uid, apicId, ...enabled];
  return [9, 16, 0, 0, ...littleEndian(apicId, 4), ...enabled, ...littleEndian(uid, 4)];
}

/** Local x2APIC NMI (type 10): conforming, all processors, LINT1. */
function x2ApicNmi(): number[] {
  return [10, 12, 0, 0, ...littleEndian(0xffff_ffff, 4), 1, 0, 0, 0];
}

/** Interrupt source override (type 2) of an ISA interrupt. */
function sourceOverride(irq: number, gsi: number, flags: number): number[] {
  return [2, 10, 0, irq, ...littleEndian(gsi, 4), ...littleEndian(flags, 2)];
}

function hpetTable(hpet: { base: number; blockId: number }): Table {
  const minimumTick = 0x80;
  return table(
    "HPET",
    1,
    layout(20, headerBytes, [
      [36, 4, hpet.blockId], // Event Timer Block ID
      ...genericAddress(40, AddressSpace.memory, 64, 0, hpet.base), // BASE_ADDRESS
      [53, 2, minimumTick], // Main Counter Minimum Clock_tick in Periodic Mode
    ]),
  );
}

function rootTable(signature: "RSDT" | "XSDT", sizeBytes: 4 | 8, listed: readonly Table[]): Table {
  return {
    ...table(signature, 1, new Array(listed.length * sizeBytes).fill(0)),
    pointers: listed.map(({ signature: to }, index) => ({
      offset: headerBytes + index * sizeBytes,
      sizeBytes,
      to,
    })),
  };
}

/** A table with the standard header ("System Description Table Header"); its checksum comes last. */
function table(signature: string, revision: number, body: readonly number[]): Table {
  const bytes = Uint8Array.from([
    ...ascii(signature),
    ...littleEndian(headerBytes + body.length, 4),
    revision,
    0,
    ...ascii(oemId),
    ...ascii(oemTableId),
    ...littleEndian(1, 4),
    ...ascii(creatorId),
    ...littleEndian(1, 4),
    ...body,
  ]);
  return { signature, bytes, pointers: [], align: 16 };
}

/** `size` bytes that start at `origin` of a table, with `fields` filled in. */
function layout(size: number, origin: number, fields: readonly Field[]): number[] {
  const bytes = new Array<number>(size).fill(0);
  for (const [offset, width, value] of fields) {
    littleEndian(value, width).forEach((byte, index) => bytes[offset - origin + index] = byte);
  }
  return bytes;
}

const rsdpBytes = 36;
const rsdpV1Bytes = 20;

/** Puts the tables one after another and lists what depends on their address. */
function link(tables: readonly Table[]): FirmwareTables {
  const offsets = new Map<string, number>();
  let size = 0;
  for (const { signature, bytes, align } of tables) {
    const offset = Math.ceil(size / align) * align;
    offsets.set(signature, offset);
    size = offset + bytes.length;
  }
  const blob = new Uint8Array(size);
  const pointers: TablePointer[] = [];
  const checksums: TableChecksum[] = [];
  for (const { signature, bytes, pointers: own } of tables) {
    const start = offsets.get(signature)!;
    blob.set(bytes, start);
    for (const { offset, sizeBytes, to } of own) {
      blob.set(littleEndian(offsets.get(to)!, sizeBytes), start + offset);
      pointers.push({ blob: "tables", offset: start + offset, sizeBytes });
    }
    if (signature === "FACS") continue;
    const length = bytes.length;
    checksums.push({ blob: "tables", offset: start + checksumOffset, start, length });
  }
  return {
    rsdp: rsdp(offsets.get("RSDT")!, offsets.get("XSDT")!),
    tables: blob,
    pointers: [
      ...pointers,
      { blob: "rsdp", offset: 16, sizeBytes: 4 },
      { blob: "rsdp", offset: 24, sizeBytes: 8 },
    ],
    checksums: [
      ...checksums,
      { blob: "rsdp", offset: 8, start: 0, length: rsdpV1Bytes },
      { blob: "rsdp", offset: 32, start: 0, length: rsdpBytes },
    ],
  };
}

/** Root system description pointer, revision 2. */
function rsdp(rsdtOffset: number, xsdtOffset: number): Uint8Array {
  return Uint8Array.from([
    ...ascii("RSD PTR "),
    0, // Checksum
    ...ascii(oemId),
    2, // Revision
    ...littleEndian(rsdtOffset, 4), // RsdtAddress
    ...littleEndian(rsdpBytes, 4), // Length
    ...littleEndian(xsdtOffset, 8), // XsdtAddress
    ...[0, 0, 0, 0], // Extended Checksum, Reserved
  ]);
}
