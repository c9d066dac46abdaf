/** ACPI: PIIX4-style power management hardware, and the tables that describe a PC to its guest. */

export { AcpiDevice, type AcpiWiring } from "./acpi_device.ts";
export { AcpiPm, Pm1Control, Pm1Event, PmRegister, pmTimerFrequencyHz } from "./acpi_pm.ts";
export {
  type AcpiOptions,
  type AcpiProcessor,
  buildAcpiTables,
  pmOffset,
  resetRegister,
  sciIrq,
  smiCommand,
} from "./acpi_tables.ts";
export {
  biosAreaPlacement,
  type PlacedBytes,
  placeTables,
  type TablePlacement,
} from "./place_tables.ts";
