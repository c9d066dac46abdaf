/**
 * The DSDT's contents: what of a PC an operating system cannot find out by itself.
 *
 * Source: ACPI Specification 6.4, chapters 5.7 "Predefined Objects" to 7.4 "OEM Supplied System-Level Control
 * Methods", 6.2.13 "_PRT".
 */

import {
  type Aml,
  amlPackage,
  device,
  eisaId,
  integer,
  method,
  name,
  nameString,
  returns,
  scope,
  string,
} from "./aml.ts";
import {
  busNumbers,
  ioPorts,
  ioWindow,
  irqNoFlags,
  levelInterrupt,
  memory32Fixed,
  memoryWindow,
  resourceTemplate,
} from "./aml_resources.ts";

/** What the DSDT describes. */
export interface DsdtOptions {
  /** ACPI processor UIDs, as in the MADT. */
  readonly processorUids: readonly number[];
  /** SLP_TYP of soft-off. */
  readonly s5SleepType: number;
  /** The range of PCI memory below 4 GiB, first and last byte. */
  readonly pciMemory: readonly [number, number];
  /** The interrupts (ISA number and GSI alike) to which firmware routes PIRQA to PIRQD. */
  readonly pirqGsis: readonly [number, number, number, number];
  /** Slot `s`, pin `p` (INTA# = 0) pulls PIRQ `pirqOf(s, p)`. */
  readonly pirqOf: (slot: number, pin: number) => number;
  /** The second serial port is there. */
  readonly com2: boolean;
  /** The HPET's base, or `null`. */
  readonly hpetBase: number | null;
}

const linkNames = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
const pciSlots = 32;
const pinsPerSlot = 4;
/** _STA of a device that works but is not shown in a user interface: present, enabled, functioning. */
const presentAndHidden = 0x0b;
const noOp: Aml = [];

/** The AML of the DSDT, without the table header. */
export function dsdtBody(options: DsdtOptions): Aml {
  const { s5SleepType } = options;
  const soft = integer(s5SleepType);
  return [
    ...name("\\_S5", amlPackage([soft, soft, integer(0), integer(0)])),
    ...scope(
      "\\_SB",
      ...options.processorUids.map(processor),
      ...options.pirqGsis.map(linkDevice),
      pciRoot(options),
      options.hpetBase === null ? noOp : hpet(options.hpetBase),
    ),
  ];
}

function processor(uid: number): Aml {
  const hex = uid.toString(16).toUpperCase().padStart(3, "0");
  return device(`C${hex}`, name("_HID", string("ACPI0007")), name("_UID", integer(uid)));
}

/**
 * A PCI interrupt link whose interrupt is what firmware programmed: the only possible setting is the
 * current one. It is level triggered and active high on the PIC and on the I/O APIC.
 */
function linkDevice(gsi: number, pirq: number): Aml {
  const setting = resourceTemplate(levelInterrupt(gsi));
  return device(
    linkNames[pirq],
    name("_HID", eisaId("PNP0C0F")),
    name("_UID", integer(pirq)),
    name("_STA", integer(presentAndHidden)),
    name("_PRS", setting),
    name("_CRS", setting),
    method("_SRS", 1),
    method("_DIS", 0),
  );
}

function pciRoot(options: DsdtOptions): Aml {
  return device(
    "PCI0",
    name("_HID", eisaId("PNP0A03")),
    name("_UID", integer(0)),
    name(
      "_CRS",
      resourceTemplate(
        busNumbers(0, 0xff),
        ioPorts(0xcf8, 8),
        ioWindow(0, 0xcf7),
        ioWindow(0xd00, 0xffff),
        memoryWindow(0xa0000, 0xbffff),
        memoryWindow(...options.pciMemory),
      ),
    ),
    name("PRTA", routingTable(options)),
    method("_PRT", 0, returns(nameString("PRTA"))),
    isaBridge(options.com2),
  );
}

/** Each entry: slot and any function, pin, link, index 0. */
function routingTable({ pirqOf }: DsdtOptions): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < pciSlots; slot++) {
    for (let pin = 0; pin < pinsPerSlot; pin++) {
      entries.push(amlPackage([
        integer(slot * 0x10000 + 0xffff),
        integer(pin),
        nameString(linkNames[pirqOf(slot, pin)]),
        integer(0),
      ]));
    }
  }
  return amlPackage(entries);
}

function isaBridge(com2: boolean): Aml {
  return device(
    "ISA",
    name("_ADR", integer(0x0001_0000)),
    isaDevice("KBD", "PNP0303", 0, ioPorts(0x60, 1), ioPorts(0x64, 1), irqNoFlags(1)),
    isaDevice("MOU", "PNP0F13", 0, irqNoFlags(12)),
    isaDevice("RTC", "PNP0B00", 0, ioPorts(0x70, 2), irqNoFlags(8)),
    isaDevice("COM1", "PNP0501", 1, ioPorts(0x3f8, 8), irqNoFlags(4)),
    com2 ? isaDevice("COM2", "PNP0501", 2, ioPorts(0x2f8, 8), irqNoFlags(3)) : noOp,
  );
}

function isaDevice(path: string, hid: string, uid: number, ...resources: readonly Aml[]): Aml {
  return device(
    path,
    name("_HID", eisaId(hid)),
    name("_UID", integer(uid)),
    name("_CRS", resourceTemplate(...resources)),
  );
}

function hpet(base: number): Aml {
  return device(
    "HPET",
    name("_HID", eisaId("PNP0103")),
    name("_UID", integer(0)),
    name("_CRS", resourceTemplate(memory32Fixed(base, 0x400, false))),
  );
}
