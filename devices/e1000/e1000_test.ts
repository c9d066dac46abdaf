import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { formatMac, macAt, macBytes } from "../net/addresses.ts";
import { E1000Fixture, MAC } from "./e1000_fixture_test.ts";
import { EECD } from "./eeprom.ts";
import { REGISTER, STATISTIC } from "./registers.ts";

/** Reads a word through the Microwire pins: READ is 110b, six address bits, sixteen data bits. */
function microwireRead(fixture: E1000Fixture, address: number): number {
  const { EECD: eecd } = REGISTER;
  const clock = (dataIn: boolean) => {
    const pins = EECD.REQ | EECD.CS | (dataIn ? EECD.DI : 0);
    fixture.write(eecd, pins);
    fixture.write(eecd, pins | EECD.SK);
    const dataOut = (fixture.read(eecd) & EECD.DO) !== 0;
    fixture.write(eecd, pins);
    return dataOut;
  };
  for (let bit = 8; bit >= 0; bit--) clock((((0b110 << 6) | address) >> bit & 1) !== 0);
  let word = 0;
  for (let bit = 0; bit < 16; bit++) word = (word << 1) | Number(clock(false));
  fixture.write(eecd, EECD.REQ);
  return word;
}

test("the EEPROM reads the same by EERD and by Microwire, and its words add up to BABAh", () => {
  const fixture = new E1000Fixture();
  fixture.write(REGISTER.EECD, EECD.REQ);
  assertEquals(fixture.read(REGISTER.EECD) & (EECD.GNT | EECD.PRES), EECD.GNT | EECD.PRES);
  const words: number[] = [];
  for (let address = 0; address < 64; address++) {
    fixture.write(REGISTER.EERD, (address << 8) | 1);
    const value = fixture.read(REGISTER.EERD);
    assertEquals(value & 0x10, 0x10);
    words.push(value >>> 16);
    assertEquals(microwireRead(fixture, address), words[address], `word ${address}`);
  }
  assertEquals(words.reduce((sum, word) => (sum + word) & 0xffff), 0xbaba);
  const bytes = new Uint8Array(new Uint16Array(words.slice(0, 3)).buffer);
  assertEquals(formatMac(macAt(bytes, 0)), "52:54:00:12:34:56");
  assertEquals(words.slice(0x0b, 0x0f), [0x001e, 0x8086, 0x100e, 0x8086]);
});

/** MDIC command and what MDIC reads afterwards (section 13.4.7). */
const MDIC_TRANSCRIPT: readonly [string, write: number, read: number][] = [
  ["PHY identifier, high", 0x08220000, 0x18220141],
  ["PHY identifier, low", 0x08230000, 0x18230c20],
  ["status: link up, negotiated", 0x08210000, 0x1821796d],
  ["M88E1000 status: 1000, full duplex", 0x08310000, 0x1831ac00],
  ["another PHY does not answer", 0x08420000, 0x58420000],
  ["advertisement, written", 0x042401e1, 0x142401e1],
  ["advertisement, read back", 0x08240000, 0x182401e1],
  ["reset", 0x04209140, 0x14209140],
  ["control, after the reset", 0x08200000, 0x18201140],
  ["advertisement, after the reset", 0x08240000, 0x18240de1],
];

test("MDIC reaches an M88E1000 at address 1", () => {
  const fixture = new E1000Fixture();
  for (const [claim, write, read] of MDIC_TRANSCRIPT) {
    fixture.write(REGISTER.MDIC, write);
    assertEquals(fixture.read(REGISTER.MDIC), read, claim);
  }
});

test("a pulled cable shows in STATUS and PHY, and raises LSC", () => {
  const fixture = new E1000Fixture();
  fixture.write(REGISTER.IMS, 0x04);
  assertEquals(fixture.read(REGISTER.STATUS), 0x283);
  fixture.nic.linkUp = false;
  assertEquals([fixture.read(REGISTER.STATUS), fixture.irq], [0x281, true]);
  assertEquals(fixture.read(REGISTER.ICR), 0x04);
  fixture.nic.linkUp = true;
  const status = () => {
    fixture.write(REGISTER.MDIC, 0x08210000);
    return fixture.read(REGISTER.MDIC) & 0x24;
  };
  assertEquals([status(), status()], [0x20, 0x24]); // the link bit latches a loss
});

/** Interrupt registers: write or read, register, value, and the wire afterwards (section 13.4.17 to 13.4.22). */
const INTERRUPT_TRANSCRIPT: readonly ["w" | "r", keyof typeof REGISTER, number, boolean][] = [
  ["w", "ICS", 0x81, false],
  ["w", "IMS", 0x80, true],
  ["w", "IMS", 0x04, true],
  ["r", "IMS", 0x84, true],
  ["w", "IMC", 0x80, false],
  ["r", "ICR", 0x81, false],
  ["r", "ICR", 0x00, false],
  ["w", "ICS", 0x04, true],
  ["w", "ICR", 0x04, false],
  ["w", "ICS", 0x04, true],
  ["r", "ICR", 0x04, false],
];

test("causes and masks drive the interrupt, and reading ICR clears it", () => {
  const fixture = new E1000Fixture();
  for (const [direction, name, value, wire] of INTERRUPT_TRANSCRIPT) {
    if (direction === "w") fixture.write(REGISTER[name], value);
    else assertEquals(fixture.read(REGISTER[name]), value, name);
    assertEquals(fixture.irq, wire, `${direction} ${name} ${value.toString(16)}`);
  }
});

test("ITR spaces interrupts by its value in units of 256 ns", () => {
  const fixture = new E1000Fixture();
  fixture.write(REGISTER.ITR, 195); // 49,920 ns
  fixture.write(REGISTER.IMS, 0x80);
  fixture.write(REGISTER.ICS, 0x80);
  assertEquals(fixture.irq, true);
  fixture.read(REGISTER.ICR);
  fixture.write(REGISTER.ICS, 0x80);
  assertEquals(fixture.irq, false);
  fixture.settle();
  assertEquals([fixture.irq, fixture.clock.nowNs], [true, 49_920]);
});

test("a reset through the I/O window leaves the EEPROM's address in RAL0 and RAH0", () => {
  const fixture = new E1000Fixture();
  fixture.start();
  fixture.write(REGISTER.IMS, 0xff);
  fixture.write(REGISTER.RAL, 0);
  fixture.nic.ioPorts.writePort(0, 4, REGISTER.CTRL);
  fixture.nic.ioPorts.writePort(4, 4, fixture.read(REGISTER.CTRL) | (1 << 26));
  assertEquals(fixture.read(REGISTER.CTRL), 0x241);
  assertEquals([fixture.read(REGISTER.RCTL), fixture.read(REGISTER.IMS)], [0, 0]);
  const [low, high] = [fixture.read(REGISTER.RAL), fixture.read(REGISTER.RAH)];
  const bytes = new Uint8Array(new Uint32Array([low, high]).buffer).subarray(0, 6);
  assertEquals([bytes, high >>> 31], [macBytes(MAC), 1]);
  fixture.nic.ioPorts.writePort(0, 4, REGISTER.RAH);
  assertEquals(fixture.nic.ioPorts.readPort(4, 4), high);
});

/** Register, value written, value read back. */
const STORAGE: readonly [number, number, number][] = [
  [REGISTER.RDBAL, 0xffffffff, 0xfffffff0],
  [REGISTER.RDLEN, 0xffffffff, 0x000fff80],
  [REGISTER.VET, 0xffffffff, 0x0000ffff],
  [REGISTER.MTA + 4 * 127, 0x12345678, 0x12345678],
  [REGISTER.RAH + 8 * 15, 0xffffffff, 0x8003ffff],
  [STATISTIC.GPRC, 5, 0],
  [0x1fffc, 5, 0],
];

test("registers keep their writable bits only", () => {
  const fixture = new E1000Fixture();
  for (const [register, written, expected] of STORAGE) {
    fixture.write(register, written);
    assertEquals(fixture.read(register), expected, register.toString(16));
  }
});
