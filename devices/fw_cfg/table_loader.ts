/**
 * The linker script `etc/table-loader`, by which firmware places and patches ACPI tables.
 *
 * An entry has 128 bytes: a command, then its fields. Source: SeaBIOS, "romfile_loader.h"; QEMU,
 * hw/acpi/bios-linker-loader.c (the interface's two sides).
 */

import type { FirmwareTables, TableBlob } from "../firmware_tables.ts";

/** The names under which the blobs are files. */
export const tableFile: Record<TableBlob, string> = {
  rsdp: "etc/acpi/rsdp",
  tables: "etc/acpi/tables",
};

/** The name of the script itself. */
export const tableLoaderFile = "etc/table-loader";

const Command = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
/** Where a blob is allocated: anywhere in high memory, or in the BIOS segment where it is scanned for. */
const Zone = { high: 1, biosSegment: 2 } as const;

const entryBytes = 128;
const fileNameBytes = 56;

/** The script that links `tables`. */
export function tableLoaderScript(tables: FirmwareTables): Uint8Array {
  const entries = [
    entry(Command.allocate, (at) => {
      at.file(tableFile.rsdp);
      at.u32(16);
      at.u8(Zone.biosSegment);
    }),
    entry(Command.allocate, (at) => {
      at.file(tableFile.tables);
      at.u32(64);
      at.u8(Zone.high);
    }),
    ...tables.pointers.map(({ blob, offset, sizeBytes }) =>
      entry(Command.addPointer, (at) => {
        at.file(tableFile[blob]);
        at.file(tableFile.tables);
        at.u32(offset);
        at.u8(sizeBytes);
      })
    ),
    ...tables.checksums.map(({ blob, offset, start, length }) =>
      entry(Command.addChecksum, (at) => {
        at.file(tableFile[blob]);
        at.u32(offset);
        at.u32(start);
        at.u32(length);
      })
    ),
  ];
  const script = new Uint8Array(entries.length * entryBytes);
  entries.forEach((bytes, index) => script.set(bytes, index * entryBytes));
  return script;
}

/** Writes fields one after another. */
interface FieldWriter {
  file(name: string): void;
  u32(value: number): void;
  u8(value: number): void;
}

function entry(command: number, fill: (at: FieldWriter) => void): Uint8Array {
  const bytes = new Uint8Array(entryBytes);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  const writer: FieldWriter = {
    file(name) {
      for (let index = 0; index < name.length; index++) {
        bytes[offset + index] = name.charCodeAt(index);
      }
      offset += fileNameBytes;
    },
    u32(value) {
      view.setUint32(offset, value, true);
      offset += 4;
    },
    u8(value) {
      bytes[offset++] = value;
    },
  };
  writer.u32(command);
  fill(writer);
  return bytes;
}
