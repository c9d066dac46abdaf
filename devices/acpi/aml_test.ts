import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import {
  type Aml,
  amlPackage,
  buffer,
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

/** Terms and the bytes that ACPI 6.4 chapters 20.2 and 6.4 give them. */
const terms: readonly (readonly [string, Aml, string])[] = [
  ["a short name is padded", nameString("PM"), "50 4d 5f 5f"],
  ["a root path of two segments", nameString("\\_SB.PCI0"), "5c 2e 5f 53 42 5f 50 43 49 30"],
  [
    "a parent path of three segments",
    nameString("^A.B.C"),
    "5e 2f 03 41 5f 5f 5f 42 5f 5f 5f 43 5f 5f 5f",
  ],
  ["Zero", integer(0), "00"],
  ["One", integer(1), "01"],
  ["a byte", integer(0xff), "0a ff"],
  ["a word", integer(0x1234), "0b 34 12"],
  ["a double word", integer(0xfedc1234), "0c 34 12 dc fe"],
  ["a quad word", integer(0x1_0000_0002), "0e 02 00 00 00 01 00 00 00"],
  ["a string", string("AB"), "0d 41 42 00"],
  ["EisaId PNP0A03", eisaId("PNP0A03"), "0c 41 d0 0a 03"],
  ["a package", amlPackage([integer(0), integer(5)]), "12 05 02 00 0a 05"],
  ["a buffer", buffer([1, 2]), "11 05 0a 02 01 02"],
  ["a name", name("_UID", integer(1)), "08 5f 55 49 44 01"],
  ["a method that returns", method("M", 2, returns(integer(0))), "14 08 4d 5f 5f 5f 02 a4 00"],
  ["a scope", scope("\\_SB", name("A", integer(0))), "10 0c 5c 5f 53 42 5f 08 41 5f 5f 5f 00"],
  ["a device", device("D", name("A", integer(0))), "5b 82 0b 44 5f 5f 5f 08 41 5f 5f 5f 00"],
  ["I/O ports", ioPorts(0x3f8, 8), "47 01 f8 03 f8 03 01 08"],
  ["an ISA interrupt", irqNoFlags(12), "22 00 10"],
  ["a level interrupt", levelInterrupt(10), "89 06 00 09 01 0a 00 00 00"],
  ["fixed memory", memory32Fixed(0xfed00000, 0x400, false), "86 09 00 00 00 00 d0 fe 00 04 00 00"],
  ["bus numbers", busNumbers(0, 255), "88 0d 00 02 0c 00 00 00 00 00 ff 00 00 00 00 01"],
  ["an I/O window", ioWindow(0xd00, 0xffff), "88 0d 00 01 0c 03 00 00 00 0d ff ff 00 00 00 f3"],
  [
    "a memory window",
    memoryWindow(0xa0000, 0xbffff),
    "87 17 00 00 0c 01 00 00 00 00 00 00 0a 00 ff ff 0b 00 00 00 00 00 00 00 02 00",
  ],
  [
    "a resource template ends in an end tag",
    resourceTemplate(irqNoFlags(1)),
    "11 08 0a 05 22 02 00 79 00",
  ],
];

for (const [claim, bytes, expected] of terms) {
  test(`AML encodes ${claim}`, () => {
    assertEquals(bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" "), expected);
  });
}

test("AML package lengths take one to four bytes", () => {
  const lead = (length: number) => buffer(new Array(length).fill(0)).slice(1, 5);
  assertEquals(lead(60)[0], 63);
  assertEquals(lead(61).slice(0, 2), [0x41, 0x04]);
  assertEquals(lead(5000).slice(0, 3), [0x8e, 0x38, 0x01]);
});

test("AML refuses what has no encoding", () => {
  assertThrows(() => nameString("lower"), SyntaxError, 'found "lower"');
  assertThrows(() => nameString("TOOLONG"), SyntaxError, 'found "TOOLONG"');
  assertThrows(() => eisaId("PNP03"), SyntaxError, 'found "PNP03"');
  assertThrows(() => amlPackage(new Array(256).fill([0])), RangeError, "found 256");
});
