import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import type { MmioBus, MmioDevice, PortDevice, PortSize } from "../../core/memory/ports.ts";
import {
  configurePci,
  I440fx,
  PCI_COMMAND,
  PciBus,
  PciFunction,
  PciInterruptRouter,
  pciRoutingTable,
  Piix3Isa,
  Piix4Pm,
  pirqOf,
} from "./mod.ts";

/** A board with every function of this folder and one card in slot 3. */
class Board {
  readonly log: string[] = [];
  readonly io = new IoSpace();
  readonly mmio = new Map<number, { sizeBytes: number; name: string; device: MmioDevice }>();
  readonly router = new PciInterruptRouter((irq) => ({
    setLevel: (high) => void this.log.push(`irq${irq}=${high ? 1 : 0}`),
  }));
  readonly bus: PciBus;
  readonly card = new PciFunction({
    name: "card",
    vendorId: 0x1022,
    deviceId: 0x2000,
    classCode: 0x020000,
    interruptPin: 1,
    bars: [
      { index: 0, kind: "io", sizeBytes: 32, name: "card io", device: echoPorts },
      { index: 1, kind: "memory", sizeBytes: 4096, name: "card memory", device: echoMmio },
    ],
    rom: Uint8Array.of(0x55, 0xaa, 0x04),
  });

  constructor() {
    const mmio: MmioBus = {
      attachMmio: (base, sizeBytes, name, device) => {
        for (const [at, other] of this.mmio) {
          if (base < at + other.sizeBytes && at < base + sizeBytes) throw new RangeError("overlap");
        }
        this.mmio.set(base, { sizeBytes, name, device });
      },
      detachMmio: (base) => void this.mmio.delete(base),
    };
    this.bus = new PciBus({
      ports: this.io,
      mmio,
      router: this.router,
      resetMachine: (hard) => this.log.push(hard ? "hard reset" : "cpu reset"),
    });
    this.bus.attach();
    this.bus.plug(
      0,
      0,
      new I440fx({
        setPam: ({ base }, read, write) =>
          this.log.push(`pam ${base.toString(16)} r=${read ? 1 : 0} w=${write ? 1 : 0}`),
        setSmram: ({ open, enabled }) =>
          this.log.push(`smram open=${open ? 1 : 0} enabled=${enabled ? 1 : 0}`),
      }),
    );
    this.bus.plug(1, 0, new Piix3Isa(this.router));
    this.bus.plug(
      1,
      3,
      new Piix4Pm({
        setPmBase: (base, enabled) => this.log.push(`pm ${base.toString(16)} ${enabled}`),
      }),
    );
    this.bus.plug(3, 0, this.card);
  }

  read(slot: number, func: number, offset: number, size: PortSize): number {
    this.select(slot, func, offset);
    return this.io.read(0xcfc + (offset & 3), size);
  }

  write(slot: number, func: number, offset: number, size: PortSize, value: number): void {
    this.select(slot, func, offset);
    this.io.write(0xcfc + (offset & 3), size, value);
  }

  private select(slot: number, func: number, offset: number): void {
    this.io.write(0xcf8, 4, 0x8000_0000 + (slot << 11) + (func << 8) + (offset & 0xfc));
  }

  takeLog(): string[] {
    return this.log.splice(0);
  }
}

const echoPorts: PortDevice = { readPort: (port) => 0x40 + port, writePort() {} };
const echoMmio: MmioDevice = { readMmio: (offset) => offset, writeMmio() {} };

test("configuration mechanism 1 is found as Linux looks for it", () => {
  const { io } = new Board();
  io.write(0xcfb, 1, 0x01);
  assertEquals(io.read(0xcf8, 4), 0);
  io.write(0xcf8, 4, 0x8000_0000);
  assertEquals(io.read(0xcf8, 4), 0x8000_0000);
  assertEquals(io.read(0xcfc, 4), 0x1237_8086);
});

test("header fields read as the board's data sheets say, in every width", () => {
  const board = new Board();
  // slot, function, offset, size, expected, what
  const cases: [number, number, number, PortSize, number, string][] = [
    [0, 0, 0x00, 2, 0x8086, "440FX vendor"],
    [0, 0, 0x02, 2, 0x1237, "440FX device"],
    [0, 0, 0x0a, 2, 0x0600, "host bridge class"],
    [0, 0, 0x2c, 4, 0x1100_1af4, "subsystem by which SeaBIOS knows the board"],
    [0, 0, 0x04, 2, 0x0006, "440FX command"],
    [1, 0, 0x00, 4, 0x7000_8086, "PIIX3"],
    [1, 0, 0x0e, 1, 0x80, "PIIX3 has several functions"],
    [1, 0, 0x0b, 1, 0x06, "PIIX3 base class"],
    [1, 0, 0x60, 4, 0x8080_8080, "PIRQs are disconnected"],
    [1, 3, 0x00, 4, 0x7113_8086, "PIIX4 PM"],
    [1, 3, 0x3d, 1, 0x01, "PIIX4 PM pin"],
    [1, 3, 0x5b, 1, 0x02, "APMC_EN tells SeaBIOS that there is no SMM to set up"],
    [3, 0, 0x3d, 1, 0x01, "card pin"],
    [4, 0, 0x00, 4, 0xffff_ffff, "no card in slot 4"],
    [3, 1, 0x00, 2, 0xffff, "no function 1"],
  ];
  for (const [slot, func, offset, size, expected, what] of cases) {
    assertEquals(board.read(slot, func, offset, size), expected, what);
  }
});

test("another bus, and a disabled CONFADD, read all-ones", () => {
  const { io } = new Board();
  for (const address of [0x8001_0000, 0x0000_0000]) {
    io.write(0xcf8, 4, address);
    assertEquals(io.read(0xcfc, 4), 0xffff_ffff);
  }
});

test("BARs tell their size and map when the command register enables them", () => {
  const board = new Board();
  for (const [offset, size] of [[0x10, 0xffff_ffe1], [0x14, 0xffff_f000], [0x30, 0xffff_f001]]) {
    board.write(3, 0, offset, 4, 0xffff_ffff);
    assertEquals(board.read(3, 0, offset, 4), size);
  }
  board.write(3, 0, 0x10, 4, 0xc100);
  board.write(3, 0, 0x14, 4, 0xfebf_0000);
  board.write(3, 0, 0x30, 4, 0xfebe_0001);
  assertEquals(board.io.read(0xc104, 1), 0xff);
  board.write(3, 0, 0x04, 2, PCI_COMMAND.ioSpace | PCI_COMMAND.memorySpace);
  assertEquals(board.io.read(0xc104, 1), 0x44);
  assertEquals(board.mmio.get(0xfebf_0000)?.name, "card memory");
  assertEquals(board.mmio.get(0xfebe_0000)?.device.readMmio(0, 4), 0xff04_aa55);
  board.write(3, 0, 0x10, 4, 0xc200);
  assertEquals([board.io.read(0xc104, 1), board.io.read(0xc21f, 1)], [0xff, 0x5f]);
  board.write(3, 0, 0x04, 2, 0);
  assertEquals([board.io.read(0xc21f, 1), board.mmio.size], [0xff, 0]);
});

test("a BAR that collides stays unmapped until the range is free", () => {
  const board = new Board();
  board.io.attachPorts(0xc100, 0xc10f, "other", echoPorts);
  board.write(3, 0, 0x04, 2, PCI_COMMAND.ioSpace);
  board.write(3, 0, 0x10, 4, 0xc100);
  assertEquals(board.io.read(0xc110, 1), 0xff);
  board.io.detachPorts(0xc100);
  board.write(3, 0, 0x04, 2, PCI_COMMAND.ioSpace);
  assertEquals(board.io.read(0xc110, 1), 0x50);
});

test("status error bits clear by one, and the rest of the status is read-only", () => {
  const board = new Board();
  board.card.config.poke(0x06, 2, 0xf200);
  board.write(3, 0, 0x06, 2, 0x3000);
  assertEquals(board.read(3, 0, 0x06, 2), 0xc200);
});

test("slots and pins reach PIRQs by (slot + pin - 1) & 3", () => {
  assertEquals([pirqOf(1, 0), pirqOf(2, 0), pirqOf(3, 0), pirqOf(3, 3), pirqOf(4, 1)], [
    0,
    1,
    2,
    1,
    0,
  ]);
  assertEquals(pciRoutingTable(4).slice(12), [
    { slot: 3, pin: 0, pirq: 2, gsi: 11 },
    { slot: 3, pin: 1, pirq: 3, gsi: 11 },
    { slot: 3, pin: 2, pirq: 0, gsi: 10 },
    { slot: 3, pin: 3, pirq: 1, gsi: 10 },
  ]);
});

test("INTx levels follow route registers, interrupt disable, and are a wired OR", () => {
  const board = new Board();
  const steps: [() => void, string[], string][] = [
    [() => board.card.setInterrupt(true), [], "not routed yet"],
    [() => board.write(1, 0, 0x62, 1, 11), ["irq11=1"], "PIRQC to 11"],
    [() => board.write(1, 0, 0x62, 1, 5), ["irq5=1", "irq11=0"], "PIRQC to 5"],
    [() => board.router.setPin(7, 0, 0, true), [], "slot 7 shares PIRQC"],
    [() => board.card.setInterrupt(false), [], "slot 7 still pulls"],
    [() => board.router.setPin(7, 0, 0, false), ["irq5=0"], "nobody pulls"],
    [() => board.card.setInterrupt(true), ["irq5=1"], "again"],
    [() => board.write(3, 0, 0x04, 2, 0x0400), ["irq5=0"], "interrupt disable"],
    [() => board.write(3, 0, 0x04, 2, 0), ["irq5=1"], "enabled"],
    [() => board.write(1, 0, 0x62, 1, 8), ["irq5=0"], "8 is reserved"],
  ];
  for (const [act, expected, what] of steps) {
    act();
    assertEquals(board.takeLog(), expected, what);
  }
  assertEquals(board.read(3, 0, 0x06, 1) & 8, 8, "interrupt status");
});

test("PAM writes report the region whose attributes changed", () => {
  const board = new Board();
  board.write(0, 0, 0x59, 1, 0x30);
  board.write(0, 0, 0x58, 4, 0x0021_1010);
  assertEquals(board.takeLog(), [
    "pam f0000 r=1 w=1",
    "pam f0000 r=1 w=0",
    "pam c0000 r=1 w=0",
    "pam c4000 r=0 w=1",
  ]);
  board.bus.reset();
  assertEquals(board.takeLog(), [
    "pam f0000 r=0 w=0",
    "pam c0000 r=0 w=0",
    "pam c4000 r=0 w=0",
  ]);
});

test("SMRAM's lock clears D_OPEN and freezes the register until reset", () => {
  const board = new Board();
  board.write(0, 0, 0x72, 1, 0x4a);
  assertEquals(board.read(0, 0, 0x72, 1), 0x4a);
  board.write(0, 0, 0x72, 1, 0x5a);
  assertEquals(board.read(0, 0, 0x72, 1), 0x1a);
  board.write(0, 0, 0x72, 1, 0x42);
  assertEquals(board.read(0, 0, 0x72, 1), 0x1a);
  assertEquals(board.takeLog(), ["smram open=1 enabled=1", "smram open=0 enabled=1"]);
  board.bus.reset();
  assertEquals(board.read(0, 0, 0x72, 1), 0x02);
});

test("PIIX4 PM tells where the register block is", () => {
  const board = new Board();
  board.write(1, 3, 0x40, 4, 0xb001);
  board.write(1, 3, 0x80, 1, 1);
  assertEquals(board.takeLog(), ["pm b000 false", "pm b000 true"]);
  assertEquals(board.read(1, 3, 0x40, 4), 0xb001);
});

test("the reset control register resets on a rise of RCPU", () => {
  const board = new Board();
  for (const value of [0x02, 0x06, 0x06, 0x00, 0x04]) board.io.write(0xcf9, 1, value);
  assertEquals(board.takeLog(), ["hard reset", "cpu reset"]);
});

test("configurePci leaves what SeaBIOS leaves", () => {
  const board = new Board();
  configurePci(board.bus);
  assertEquals(board.read(1, 0, 0x60, 4), 0x0b0b_0a0a);
  assertEquals(board.read(3, 0, 0x3c, 1), 11);
  assertEquals(board.read(1, 3, 0x3c, 1), 9);
  assertEquals(board.io.read(0xc000, 1), 0x40);
  assertEquals([...board.mmio.keys()], [0xfd00_0000]);
  const log = board.takeLog();
  assertEquals(log.filter((line) => line.startsWith("pam")).length, 13);
  assertEquals(log.at(-1), "pm 600 true");
});

test("a snapshot brings configuration, mappings and levels back without driving a wire", () => {
  const board = new Board();
  configurePci(board.bus);
  board.card.setInterrupt(true);
  const saved = board.bus.save();
  board.bus.reset();
  assertEquals(board.mmio.size, 0);
  board.takeLog();
  board.bus.restore(saved);
  assertEquals(board.takeLog().filter((line) => line.startsWith("irq")), []);
  assertEquals(board.io.read(0xc000, 1), 0x40);
  assertEquals(board.bus.save(), saved);
  board.card.setInterrupt(false);
  assertEquals(board.takeLog(), ["irq11=0"]);
});

test("impossible places and BARs are refused with what was expected", () => {
  const board = new Board();
  assertThrows(() => board.bus.plug(3, 0, board.card), RangeError, "3.0 holds card already");
  assertThrows(() => board.bus.plug(32, 0, board.card), RangeError, "slots are 0 to 31");
  const ids = { name: "bad", vendorId: 1, deviceId: 1, classCode: 0 };
  assertThrows(
    () =>
      new PciFunction({
        ...ids,
        bars: [{ index: 0, kind: "memory", sizeBytes: 32, name: "x", device: echoMmio }],
      }),
    RangeError,
    "power of two from 4096",
  );
});
