import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { physical } from "../../core/lib/brand.ts";
import { type AcpiOptions, buildAcpiTables } from "./acpi_tables.ts";
import { placeTables } from "./place_tables.ts";

/** The tables as an operating system finds them: from the RSDP through the XSDT. */
function find(options: AcpiOptions) {
  const placement = { rsdp: physical(0xf_5a00), tables: physical(0x7ff_0000) };
  const { parts } = placeTables(buildAcpiTables(options), placement);
  const [rsdp, blob] = parts.map(({ bytes }) => bytes);
  const at = (address: number) => {
    const start = address - placement.tables;
    const length = new DataView(blob.buffer).getUint32(start + 4, true);
    return blob.slice(start, start + length);
  };
  const rsdpView = new DataView(rsdp.buffer);
  const xsdt = at(Number(rsdpView.getBigUint64(24, true)));
  const rsdt = at(rsdpView.getUint32(16, true));
  const tables = new Map<string, Uint8Array>([["XSDT", xsdt], ["RSDT", rsdt]]);
  for (let entry = 36; entry < xsdt.length; entry += 8) {
    const address = Number(new DataView(xsdt.buffer).getBigUint64(entry, true));
    assertEquals(new DataView(rsdt.buffer).getUint32(36 + (entry - 36) / 2, true), address);
    tables.set(signature(at(address)), at(address));
  }
  const fadt = new DataView(tables.get("FACP")!.buffer);
  assertEquals(fadt.getUint32(40, true), Number(fadt.getBigUint64(140, true)));
  tables.set("DSDT", at(fadt.getUint32(40, true)));
  tables.set("FACS", at(fadt.getUint32(36, true)));
  return { rsdp, tables, facsAddress: fadt.getUint32(36, true) };
}

function signature(table: Uint8Array): string {
  return String.fromCharCode(...table.subarray(0, 4));
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

const twoProcessors: AcpiOptions = { processors: [{ apicId: 0 }, { apicId: 2 }] };

test("ACPI tables are found through the RSDP and sum up to zero", () => {
  const { rsdp, tables, facsAddress } = find(twoProcessors);
  assertEquals(String.fromCharCode(...rsdp.subarray(0, 8)), "RSD PTR ");
  assertEquals([rsdp[15], sum(rsdp.subarray(0, 20)), sum(rsdp)], [2, 0, 0]);
  assertEquals([...tables.keys()], ["XSDT", "RSDT", "FACP", "APIC", "HPET", "DSDT", "FACS"]);
  for (const [name, table] of tables) {
    assertEquals(signature(table), name);
    if (name !== "FACS") assertEquals(sum(table), 0, name);
  }
  assertEquals(facsAddress % 64, 0);
});

/** Fields of the FADT with the default options: offset, size, value (ACPI 6.4, table 5.9). */
const fadtFields: readonly (readonly [string, number, 1 | 2 | 4, number])[] = [
  ["revision", 8, 1, 3],
  ["SCI_INT", 46, 2, 9],
  ["SMI_CMD", 48, 4, 0xb2],
  ["ACPI_ENABLE", 52, 1, 0xf1],
  ["PM1a_EVT_BLK", 56, 4, 0x600],
  ["PM1a_CNT_BLK", 64, 4, 0x604],
  ["PM_TMR_BLK", 76, 4, 0x608],
  ["GPE0_BLK", 80, 4, 0x60c],
  ["CENTURY", 108, 1, 0x32],
  ["IAPC_BOOT_ARCH", 109, 2, 3],
  ["flags", 112, 4, 0x425],
  ["RESET_REG space", 116, 1, 1],
  ["RESET_REG address", 120, 4, 0xcf9],
  ["RESET_VALUE", 128, 1, 6],
  ["X_FIRMWARE_CTRL", 132, 4, 0],
  ["X_PM1a_EVT_BLK width", 149, 1, 32],
  ["X_PM1a_CNT_BLK address", 176, 4, 0x604],
  ["X_PM_TMR_BLK access", 211, 1, 3],
  ["X_GPE0_BLK address", 224, 4, 0x60c],
];

test("FADT names the ports of the PIIX4 and the reset register", () => {
  const fadt = find(twoProcessors).tables.get("FACP")!;
  const view = new DataView(fadt.buffer);
  assertEquals(fadt.length, 244);
  for (const [name, offset, size, expected] of fadtFields) {
    const value = size === 1
      ? view.getUint8(offset)
      : size === 2
      ? view.getUint16(offset, true)
      : view.getUint32(offset, true);
    assertEquals(value, expected, name);
  }
});

/** Splits the MADT into its structures, as hex. */
function madtEntries(options: AcpiOptions): string[] {
  const madt = find(options).tables.get("APIC")!;
  const entries: string[] = [];
  for (let offset = 44; offset < madt.length; offset += madt[offset + 1]) {
    const bytes = madt.subarray(offset, offset + madt[offset + 1]);
    entries.push([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "));
  }
  return entries;
}

test("MADT lists processors, I/O APIC, overrides and the NMI pin", () => {
  assertEquals(madtEntries(twoProcessors), [
    "00 08 00 00 01 00 00 00",
    "00 08 01 02 01 00 00 00",
    "01 0c 00 00 00 00 c0 fe 00 00 00 00",
    "02 0a 00 00 02 00 00 00 00 00", // IRQ 0 is GSI 2
    "02 0a 00 09 09 00 00 00 0d 00", // SCI: level, active high
    "02 0a 00 0a 0a 00 00 00 0d 00",
    "02 0a 00 0b 0b 00 00 00 0d 00",
    "04 06 ff 00 00 01", // NMI on LINT1 of all
  ]);
});

test("MADT describes APIC ids above 254 by x2APIC structures", () => {
  assertEquals(madtEntries({ processors: [{ apicId: 0 }, { apicId: 300, uid: 7 }] }).slice(1, 3), [
    "09 10 00 00 2c 01 00 00 01 00 00 00 07 00 00 00",
    "01 0c 00 00 00 00 c0 fe 00 00 00 00",
  ]);
});

test("ACPI tables leave the HPET out when there is none", () => {
  const { tables } = find({ ...twoProcessors, hpet: null });
  assertEquals(tables.has("HPET"), false);
});

test("ACPI tables refuse a machine without processors and a misaligned place", () => {
  assertThrows(() => buildAcpiTables({ processors: [] }), RangeError, "at least one processor");
  assertThrows(
    () =>
      placeTables(buildAcpiTables(twoProcessors), {
        rsdp: physical(0xe0000),
        tables: physical(0xe0030),
      }),
    RangeError,
    "multiple of 64",
  );
});
