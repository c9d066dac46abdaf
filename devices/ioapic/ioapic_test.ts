/** Claims of the 82093AA data sheet, and how Linux looks at an I/O APIC. */

import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { IoApic, IOAPIC_PINS } from "./mod.ts";

type Message = readonly [address: number, data: number];

function setUp() {
  const sent: Message[] = [];
  const ioapic = new IoApic({ sendMessage: (address, data) => sent.push([address, data]) });
  const read = (register: number) => {
    ioapic.writeMmio(0x00, 4, register);
    return ioapic.readMmio(0x10, 4);
  };
  const write = (register: number, value: number) => {
    ioapic.writeMmio(0x00, 4, register);
    ioapic.writeMmio(0x10, 4, value);
  };
  const route = (pin: number, low: number, destination = 0) => {
    write(0x11 + 2 * pin, (destination << 24) >>> 0);
    write(0x10 + 2 * pin, low);
  };
  /** What was sent since the last call. */
  const taken = () => sent.splice(0);
  return { ioapic, read, write, route, taken };
}

const MASK = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const ACTIVE_LOW = 0x2000;

test("IOAPICVER says version 0x20 with 24 entries", () => {
  assertEquals(setUp().read(1), 0x00170020);
});

test("after reset every entry is masked and clear", () => {
  const { read } = setUp();
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    assertEquals([read(0x10 + 2 * pin), read(0x11 + 2 * pin)], [MASK, 0]);
  }
});

const READ_BACK: [name: string, register: number, written: number, read: number][] = [
  ["IOAPICID keeps bits 27 to 24", 0x00, 0xffffffff, 0x0f000000],
  ["IOAPICVER is read-only", 0x01, 0xffffffff, 0x00170020],
  ["an entry's status bits and reserved bits are read-only", 0x10, 0xffffffff, 0x0001afff],
  ["an entry's high half keeps the destination", 0x11, 0xffffffff, 0xff000000],
  ["the last entry is 23", 0x3f, 0xffffffff, 0xff000000],
  ["beyond the table is nothing", 0x40, 0xffffffff, 0],
  ["between the registers is nothing", 0x05, 0xffffffff, 0],
];
for (const [name, register, written, expected] of READ_BACK) {
  test(name, () => {
    const { read, write } = setUp();
    write(register, written);
    assertEquals(read(register) >>> 0, expected);
  });
}

test("IOAPICARB follows IOAPICID", () => {
  const { read, write } = setUp();
  write(0, 0x05000000);
  assertEquals(read(2), 0x05000000);
});

const MESSAGES: [name: string, low: number, destination: number, message: Message][] = [
  ["fixed, edge, physical", 0x30, 1, [0xfee01000, 0x4030]],
  ["lowest priority, edge, logical", 0x931, 0xff, [0xfeeff004, 0x4131]],
  ["fixed, level", 0x41 | LEVEL, 3, [0xfee03000, 0xc041]],
  ["NMI is an edge whatever the trigger bit says", 0x400 | LEVEL, 2, [0xfee02000, 0x4400]],
  ["ExtINT", 0x700, 0, [0xfee00000, 0x4700]],
];
for (const [name, low, destination, message] of MESSAGES) {
  test(`a rising pin sends: ${name}`, () => {
    const { ioapic, route, taken } = setUp();
    route(2, low, destination);
    ioapic.line(2).setLevel(true);
    assertEquals(taken(), [message]);
  });
}

test("Trigger Mode: an edge-triggered pin sends once per edge", () => {
  const { ioapic, route, taken } = setUp();
  route(2, 0x30);
  for (const high of [true, true, false, false, true]) ioapic.line(2).setLevel(high);
  assertEquals(taken().length, 2);
});

test("Interrupt Mask: an edge on a masked pin is lost, a level is not", () => {
  const { ioapic, route, taken } = setUp();
  route(2, 0x30 | MASK);
  route(3, 0x31 | MASK | LEVEL);
  ioapic.line(2).setLevel(true);
  ioapic.line(3).setLevel(true);
  route(2, 0x30);
  route(3, 0x31 | LEVEL);
  assertEquals(taken(), [[0xfee00000, 0xc031]]);
});

test("Interrupt Input Pin Polarity: active low turns the pin round", () => {
  const { ioapic, route, taken } = setUp();
  ioapic.line(5).setLevel(true);
  route(5, 0x50 | ACTIVE_LOW);
  assertEquals(taken(), []);
  ioapic.line(5).setLevel(false);
  assertEquals(taken().length, 1);
});

test("Remote IRR: a level sends once, and again after EOI while the pin is active", () => {
  const { ioapic, read, route, taken } = setUp();
  route(10, 0x61 | LEVEL);
  ioapic.line(10).setLevel(true);
  assertEquals(taken().length, 1);
  assertEquals(read(0x24), 0x61 | LEVEL | REMOTE_IRR);
  ioapic.line(10).setLevel(false);
  ioapic.line(10).setLevel(true);
  ioapic.eoi(0x60);
  assertEquals(taken().length, 0, "still in service");
  ioapic.eoi(0x61);
  assertEquals(taken().length, 1, "the pin is active, so it sends again");
  ioapic.line(10).setLevel(false);
  ioapic.eoi(0x61);
  assertEquals([taken().length, read(0x24)], [0, 0x61 | LEVEL]);
});

test("the EOI register ends every entry with the vector (Linux on version 0x20)", () => {
  const { ioapic, read, route } = setUp();
  for (const pin of [10, 11]) {
    route(pin, 0x61 | LEVEL);
    ioapic.line(pin).setLevel(true);
    ioapic.line(pin).setLevel(false);
  }
  ioapic.writeMmio(0x40, 4, 0x61);
  assertEquals([read(0x24), read(0x26)], [0x61 | LEVEL, 0x61 | LEVEL]);
});

test("turning a masked entry to edge and back clears its remote IRR (Linux before version 0x20)", () => {
  const { ioapic, read, route } = setUp();
  route(10, 0x61 | LEVEL);
  ioapic.line(10).setLevel(true);
  route(10, 0x61 | MASK);
  route(10, 0x61 | MASK | LEVEL);
  assertEquals(read(0x24), 0x61 | MASK | LEVEL);
});

test("IOREGSEL takes bytes, IOWIN takes 32 bits only, and both read in bytes", () => {
  const { ioapic, read } = setUp();
  ioapic.writeMmio(0x00, 1, 0x10);
  ioapic.writeMmio(0x10, 1, 0x55);
  assertEquals(read(0x10), MASK);
  assertEquals(ioapic.readMmio(0x12, 1), 1);
  assertEquals(ioapic.readMmio(0x12, 2), 1);
  assertEquals(ioapic.readMmio(0x20, 4), 0);
});

test("pins beyond 23 do not exist", () => {
  assertThrows(() => setUp().ioapic.line(24), RangeError, "found 24");
});

test("a restored I/O APIC reads the same and sends nothing by itself", () => {
  const from = setUp();
  from.write(0, 0x02000000);
  from.route(10, 0x61 | LEVEL, 3);
  from.ioapic.line(10).setLevel(true);
  const to = setUp();
  to.ioapic.restore(from.ioapic.save());
  assertEquals(to.taken(), []);
  assertEquals(to.ioapic.save(), from.ioapic.save());
  assertEquals(to.ioapic.entry(10), {
    vector: 0x61,
    deliveryMode: 0,
    logical: false,
    activeLow: false,
    remoteIrr: true,
    level: true,
    masked: false,
    destination: 3,
  });
  to.ioapic.eoi(0x61);
  assertEquals(to.taken(), [[0xfee03000, 0xc061]]);
});
