import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import type { MmioDevice, MmioSize } from "../../core/memory/ports.ts";
import { PCI_HEADER } from "../pci/mod.ts";
import { CP437, VgaCard } from "./mod.ts";

class Bench {
  readonly clock = new MachineClock();
  readonly io = new IoSpace();
  readonly ranges = new Map<number, MmioDevice>();
  readonly card = new VgaCard({
    clock: this.clock,
    ports: this.io,
    mmio: {
      attachMmio: (base, _size, _name, device) => void this.ranges.set(base, device),
      detachMmio: (base) => void this.ranges.delete(base),
    },
    memoryBytes: 1 << 20,
  });

  /** Writes indexed registers: `[port, index, value]`. */
  set(...registers: [port: number, index: number, value: number][]): void {
    for (const [port, index, value] of registers) this.io.write(port, 2, index | (value << 8));
  }

  get(port: number, index: number): number {
    this.io.write(port, 1, index);
    return this.io.read(port + 1, 1);
  }

  poke(address: number, size: MmioSize, value: number): void {
    this.ranges.get(0xa0000)!.writeMmio(address - 0xa0000, size, value);
  }

  peek(address: number, size: MmioSize): number {
    return this.ranges.get(0xa0000)!.readMmio(address - 0xa0000, size);
  }

  print(row: number, column: number, text: string, attribute = 0x07): void {
    [...text].forEach((character, index) =>
      this.poke(
        0xb8000 + 2 * (80 * row + column + index),
        2,
        CP437.indexOf(character, 1) | (attribute << 8),
      )
    );
  }

  dispi(index: number, value: number): void {
    this.io.write(0x1ce, 2, index);
    this.io.write(0x1cf, 2, value);
  }
}

const SEQ = 0x3c4;
const GC = 0x3ce;
const CRTC = 0x3d4;

test("after reset there is a blank screen of 80 by 25 with a cursor at the top left", () => {
  const { card } = new Bench();
  const screen = card.textScreen!;
  assertEquals([screen.rows, screen.columns], [25, 80]);
  assert(screen.text.every((row) => row === " ".repeat(80)));
  assertEquals(screen.cursor, { row: 0, column: 0, visible: true });
});

test("what is written at B8000h is on the screen, with its attributes, in Unicode", () => {
  const bench = new Bench();
  bench.print(2, 3, "Grüße ▒", 0x1e);
  assertEquals(bench.card.screen()[2].trim(), "Grüße ▒");
  assertEquals(bench.card.textScreen!.attributes[2].slice(2, 5), Uint8Array.of(7, 0x1e, 0x1e));
  assertEquals(bench.peek(0xb8000 + 2 * (80 * 2 + 3), 4), 0x1e72_1e47);
});

test("start address scrolls and the cursor is told relative to it", () => {
  const bench = new Bench();
  bench.print(1, 0, "second row");
  bench.set([CRTC, 0x0c, 0], [CRTC, 0x0d, 80], [CRTC, 0x0e, 0], [CRTC, 0x0f, 90]);
  assertEquals(bench.card.screen()[0].trimEnd(), "second row");
  assertEquals(bench.card.textScreen!.cursor, { row: 0, column: 10, visible: true });
  bench.set([CRTC, 0x0a, 0x2d]);
  assertEquals(bench.card.textScreen!.cursor.visible, false);
});

test("rows follow the height of a character and of the display", () => {
  const bench = new Bench();
  // maximum scan line, vertical display end, rows
  const cases: [number, number, number][] = [[0x4f, 0x8f, 25], [0x47, 0x8f, 50], [0x4d, 0x8f, 28]];
  for (const [scanLine, end, rows] of cases) {
    bench.set([CRTC, 0x09, scanLine], [CRTC, 0x12, end]);
    assertEquals(bench.card.screen().length, rows);
  }
});

test("indexed registers keep the bits that they have", () => {
  // port, index, written, read
  const cases: [number, number, number, number][] = [
    [SEQ, 0x01, 0xff, 0x3d],
    [SEQ, 0x02, 0xff, 0x0f],
    [SEQ, 0x04, 0xff, 0x0e],
    [GC, 0x05, 0xff, 0x7b],
    [GC, 0x08, 0x5a, 0x5a],
    [CRTC, 0x0f, 0xa5, 0xa5],
    [CRTC, 0x14, 0xff, 0x7f],
    [CRTC, 0x30, 0xff, 0x00],
  ];
  const bench = new Bench();
  for (const [port, index, written, read] of cases) {
    bench.set([port, index, written]);
    assertEquals(bench.get(port, index), read, `${port.toString(16)} ${index.toString(16)}`);
  }
});

test("CRTC registers 0 to 7 are protected, but for line compare's bit 8", () => {
  const bench = new Bench();
  bench.set([CRTC, 0x00, 0x11], [CRTC, 0x07, 0x00]);
  assertEquals([bench.get(CRTC, 0x00), bench.get(CRTC, 0x07)], [0x5f, 0x0f]);
  bench.set([CRTC, 0x11, 0x0e], [CRTC, 0x00, 0x11]);
  assertEquals(bench.get(CRTC, 0x00), 0x11);
});

test("the attribute controller's flip-flop is reset by reading input status 1", () => {
  const { io } = new Bench();
  io.read(0x3da, 1);
  io.write(0x3c0, 1, 0x10);
  io.write(0x3c0, 1, 0x2c);
  io.write(0x3c0, 1, 0x30);
  assertEquals(io.read(0x3c1, 1), 0x2c);
  io.read(0x3da, 1);
  assertEquals(io.read(0x3c0, 1), 0x30);
});

test("miscellaneous output moves the CRTC between 3D4h and 3B4h", () => {
  const { io } = new Bench();
  assertEquals(io.read(0x3cc, 1), 0x67);
  assertEquals([io.read(0x3b4, 1), io.read(0x3d4, 1)], [0xff, 0x00]);
  io.write(0x3c2, 1, 0x66);
  assertEquals([io.read(0x3b4, 1), io.read(0x3d4, 1)], [0x00, 0xff]);
});

test("the DAC counts through components and colours", () => {
  const { io, card } = new Bench();
  io.write(0x3c8, 1, 16);
  for (const value of [1, 2, 0xff, 4, 5, 6]) io.write(0x3c9, 1, value);
  assertEquals(io.read(0x3c8, 1), 18);
  io.write(0x3c7, 1, 16);
  assertEquals(io.read(0x3c7, 1), 3);
  const read = Array.from({ length: 6 }, () => io.read(0x3c9, 1));
  assertEquals(read, [1, 2, 0x3f, 4, 5, 6]);
  assertEquals([card.chip.palette.rgb(7), card.chip.palette.rgb(0x14)], [0xaaaaaa, 0xaa5500]);
});

test("input status 1 follows the beam of a 70 Hz frame", () => {
  const { clock, io } = new Bench();
  // dots since the top left corner (900 to a line at 28.322 MHz), status
  const cases: [number, number][] = [
    [0, 0x00],
    [719, 0x00],
    [720, 0x01],
    [900, 0x00],
    [399 * 900, 0x00],
    [400 * 900, 0x01],
    [412 * 900, 0x09],
    [413 * 900 + 899, 0x09],
    [414 * 900, 0x01],
    [448 * 900 + 899, 0x01],
    [449 * 900, 0x00],
  ];
  for (const [dots, status] of cases) {
    clock.advanceTo(clock.cycleOfTick(dots, 28_322_000) as Cycle);
    assertEquals(io.read(0x3da, 1), status, `dot ${dots}`);
  }
});

test("the memory window opens where the graphics controller says", () => {
  // miscellaneous register, address, whether it answers
  const cases: [number, number, boolean][] = [
    [0x01, 0xa0000, true],
    [0x01, 0xbffff, true],
    [0x05, 0xaffff, true],
    [0x05, 0xb0000, false],
    [0x09, 0xb0000, true],
    [0x09, 0xb8000, false],
    [0x0d, 0xb8000, true],
    [0x0d, 0xa0000, false],
  ];
  for (const [misc, address, answers] of cases) {
    const bench = new Bench();
    bench.set([SEQ, 2, 0x0f], [SEQ, 4, 0x06], [GC, 5, 0x00], [GC, 6, misc]);
    bench.poke(address, 1, 0x5a);
    const read = bench.peek(address, 1);
    assertEquals(read, answers ? 0x5a : 0xff, `${misc.toString(16)} ${address.toString(16)}`);
  }
  const bench = new Bench();
  bench.io.write(0x3c2, 1, 0x65);
  assertEquals(bench.peek(0xb8000, 2), 0xffff, "RAM disabled");
});

test("write modes 0 to 3 combine data, set/reset, latches and bit mask", () => {
  type Setup = [port: number, index: number, value: number][];
  // setup, value, planes before, planes after
  const cases: [string, Setup, number, number[], number[]][] = [
    ["mode 0", [], 0x5a, [1, 2, 3, 4], [0x5a, 0x5a, 0x5a, 0x5a]],
    ["map mask", [[SEQ, 2, 0x05]], 0x5a, [1, 2, 3, 4], [0x5a, 2, 0x5a, 4]],
    ["rotate", [[GC, 3, 0x04]], 0xa5, [0, 0, 0, 0], [0x5a, 0x5a, 0x5a, 0x5a]],
    ["set/reset", [[GC, 0, 0x01], [GC, 1, 0x03]], 0x5a, [0, 9, 0, 0], [0xff, 0, 0x5a, 0x5a]],
    ["bit mask", [[GC, 8, 0x0f]], 0xff, [0x10, 0x20, 0x30, 0x40], [0x1f, 0x2f, 0x3f, 0x4f]],
    ["and", [[GC, 3, 0x08]], 0x0f, [0x11, 0x22, 0x33, 0x44], [0x01, 0x02, 0x03, 0x04]],
    ["or", [[GC, 3, 0x10]], 0x0f, [0x11, 0x22, 0x33, 0x44], [0x1f, 0x2f, 0x3f, 0x4f]],
    ["xor", [[GC, 3, 0x18]], 0x0f, [0x11, 0x22, 0x33, 0x44], [0x1e, 0x2d, 0x3c, 0x4b]],
    ["mode 1", [[GC, 5, 1]], 0xff, [1, 2, 3, 4], [1, 2, 3, 4]],
    ["mode 2", [[GC, 5, 2]], 0x0a, [1, 2, 3, 4], [0, 0xff, 0, 0xff]],
    ["mode 3", [[GC, 5, 3], [GC, 0, 0x01], [GC, 8, 0xf0]], 0x3c, [0, 0xff, 0, 0xff], [
      0x30,
      0xcf,
      0x00,
      0xcf,
    ]],
  ];
  for (const [name, setup, value, before, after] of cases) {
    const bench = new Bench();
    const { buffer } = bench.card.chip.memory;
    bench.set([SEQ, 2, 0x0f], [SEQ, 4, 0x06], [GC, 5, 0x00], [GC, 6, 0x05]);
    before.forEach((value, plane) => buffer.store(4 * 0x123 + plane, value));
    bench.set(...setup);
    bench.peek(0xa0123, 1);
    bench.poke(0xa0123, 1, value);
    assertEquals([...buffer.bytes.slice(4 * 0x123, 4 * 0x124)], after, name);
  }
});

test("read mode 1 compares colours in the planes that count", () => {
  const bench = new Bench();
  bench.set([SEQ, 4, 0x06], [GC, 5, 0x08], [GC, 6, 0x05], [GC, 2, 0x05], [GC, 7, 0x07]);
  const { buffer } = bench.card.chip.memory;
  [0xf0, 0x00, 0xff, 0x55].forEach((value, plane) => buffer.store(plane, value));
  assertEquals(bench.peek(0xa0000, 1), 0xf0);
});

test("a font loaded into plane 2 leaves the text alone", () => {
  const bench = new Bench();
  bench.print(0, 0, "text");
  bench.set([SEQ, 2, 0x04], [SEQ, 4, 0x07], [GC, 4, 0x02], [GC, 5, 0x00], [GC, 6, 0x00]);
  bench.poke(0xa0000, 4, 0x44332211);
  assertEquals(bench.peek(0xa0000, 4), 0x44332211);
  bench.set([SEQ, 2, 0x03], [SEQ, 4, 0x02], [GC, 4, 0x00], [GC, 5, 0x10], [GC, 6, 0x0e]);
  assertEquals(bench.card.screen()[0].trimEnd(), "text");
});

test("Bochs's extension is found as vgabios looks for it, and a mode hides the text", () => {
  const bench = new Bench();
  bench.dispi(0, 0xb0c0);
  assertEquals(bench.io.read(0x1cf, 2), 0xb0c0);
  bench.io.write(0x1ce, 2, 0x0a);
  assertEquals(bench.io.read(0x1d0, 2), 16, "64 KiB units");
  for (const [index, value] of [[1, 640], [2, 480], [3, 16], [4, 0x41]]) bench.dispi(index, value);
  assertEquals(bench.card.chip.dispi.mode, {
    width: 640,
    height: 480,
    bitsPerPixel: 16,
    pitchBytes: 1280,
    startByte: 0,
  });
  assertEquals(bench.card.screen(), []);
  bench.set([SEQ, 2, 0x0f], [SEQ, 4, 0x0e], [GC, 6, 0x05]);
  bench.dispi(5, 3);
  bench.poke(0xa0010, 2, 0xbeef);
  const bar = bench.card.pciFunction().bars[0];
  assert(bar.kind === "memory");
  assertEquals(bar.device.readMmio(0x30010, 2), 0xbeef);
  bench.dispi(4, 0);
  bench.set([GC, 6, 0x0e]);
  assertEquals(bench.card.screen().length, 25);
});

test("as a PCI function it is 1234:1111 with a frame buffer and a ROM", () => {
  const { card } = new Bench();
  const pciFunction = card.pciFunction(Uint8Array.of(0x55, 0xaa));
  assertEquals(pciFunction.readConfig(PCI_HEADER.vendorId, 4), 0x1111_1234);
  assertEquals(pciFunction.readConfig(0x0a, 2), 0x0300);
  pciFunction.writeConfig(0x10, 4, 0xffff_ffff);
  assertEquals(pciFunction.readConfig(0x10, 4), 0xfff0_0008);
});

test("code page 437 has 256 characters", () => {
  assertEquals([CP437.length, CP437[0x41], CP437[0xb1], CP437[0xdb]], [256, "A", "▒", "█"]);
});

test("a snapshot brings registers and memory back", () => {
  const bench = new Bench();
  bench.print(0, 0, "before");
  bench.set([CRTC, 0x0f, 6]);
  const saved = bench.card.save();
  bench.card.reset();
  bench.card.restore(saved);
  assertEquals(bench.card.screen()[0].trimEnd(), "before");
  assertEquals(bench.card.save(), saved);
});

test("display memory of an impossible size is refused", () => {
  const { clock, io } = new Bench();
  const mmio = { attachMmio() {}, detachMmio() {} };
  assertThrows(
    () => new VgaCard({ clock, ports: io, mmio, memoryBytes: 1000 }),
    RangeError,
    "power of two from 262144",
  );
});
