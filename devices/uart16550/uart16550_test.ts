import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { COM1, SerialPort, type SerialPortOptions } from "./mod.ts";

/** One character of 8 data bits, no parity, one stop bit at 115200 baud. */
const CHARACTER_NS = 86_806;
const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7];

class Bench {
  readonly clock = new MachineClock();
  readonly io = new IoSpace();
  readonly sent: number[] = [];
  readonly levels: number[] = [];
  readonly port: SerialPort;

  constructor(options: Partial<SerialPortOptions> = {}) {
    this.port = new SerialPort(
      { ...COM1, clock: this.clock, transmit: (byte) => this.sent.push(byte), ...options },
      this.io,
      { setLevel: (high) => void this.levels.push(high ? 1 : 0) },
    );
  }

  read(register: number): number {
    return this.io.read(0x3f8 + register, 1);
  }

  write(register: number, value: number): void {
    this.io.write(0x3f8 + register, 1, value);
  }

  /** 115200 8N1, FIFOs with trigger level 8, DTR, RTS and OUT2. */
  setUp(): this {
    this.write(LCR, 0x83);
    this.write(DATA, 1);
    this.write(IER, 0);
    this.write(LCR, 0x03);
    this.write(FCR, 0x87);
    this.write(MCR, 0x0b);
    return this;
  }

  pass(characters: number): void {
    const end = this.clock.now + Math.ceil(characters * CHARACTER_NS);
    while (this.clock.nextDeadline <= end) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
    }
    this.clock.advanceTo(end as Cycle);
  }
}

/** Steps of a transcript: write a register, read it and compare, or let character times pass. */
type Step =
  | ["write", number, number, string?]
  | ["read", number, number, string?]
  | ["pass", number];

function play(bench: Bench, steps: Step[]): void {
  steps.forEach((step, index) => {
    if (step[0] === "write") bench.write(step[1], step[2]);
    else if (step[0] === "pass") bench.pass(step[1]);
    else assertEquals(bench.read(step[1]), step[2], `step ${index}: ${step[3] ?? ""}`);
  });
}

test("UART has the reset values of the data sheet's reset table", () => {
  play(new Bench(), [
    ["read", IER, 0x00],
    ["read", IIR, 0x01],
    ["read", LCR, 0x00],
    ["read", MCR, 0x00],
    ["read", LSR, 0x60],
    ["read", MSR, 0xb0, "a terminal is connected"],
  ]);
});

test("UART passes the probe by which Linux's 8250 driver finds a 16550A", () => {
  play(new Bench(), [
    ["write", IER, 0x00],
    ["read", IER, 0x00],
    ["write", IER, 0x0f],
    ["read", IER, 0x0f],
    ["write", IER, 0x00],
    ["write", MCR, 0x1a, "loop-back, RTS, OUT2"],
    ["read", MSR, 0x9b & 0xf0 | 0x02, "CTS and DCD follow; DSR fell"],
    ["write", MCR, 0x00],
    ["write", LCR, 0xbf, "no EFR behind it"],
    ["write", LCR, 0x00],
    ["write", FCR, 0x01],
    ["read", IIR, 0xc1, "FIFOs work: not a 16450 or 16550"],
    ["write", FCR, 0x21],
    ["read", IIR, 0xc1, "no 64-byte FIFO: not a 16750"],
    ["write", IER, 0x40],
    ["read", IER, 0x00, "no UUE: not an XScale"],
    ["write", SCR, 0xa5],
    ["read", SCR, 0xa5],
  ]);
});

test("enabling ETBEI while THR is empty raises THRE each time, and reading IIR clears it", () => {
  play(new Bench().setUp(), [
    ["write", IER, 0x02],
    ["read", IIR, 0xc2],
    ["read", IIR, 0xc1],
    ["write", IER, 0x00],
    ["write", IER, 0x02],
    ["read", LSR, 0x60],
    ["read", IIR, 0xc2],
  ]);
});

test("immediate pace sends at once, and raises THRE one character time later", () => {
  const bench = new Bench().setUp();
  play(bench, [
    ["write", IER, 0x02],
    ["read", IIR, 0xc2],
    ["write", DATA, 0x41],
    ["write", DATA, 0x42],
    ["read", LSR, 0x60],
    ["read", IIR, 0xc1],
    ["pass", 0.5],
    ["read", IIR, 0xc1],
    ["pass", 0.5],
    ["read", IIR, 0xc2],
    ["pass", 10],
    ["read", IIR, 0xc1, "once for the burst"],
  ]);
  assertEquals(bench.sent, [0x41, 0x42]);
});

test("baud pace sends one byte for each character time and reports THRE and TEMT", () => {
  const bench = new Bench({ transmitPace: "baud" }).setUp();
  play(bench, [
    ["write", IER, 0x02],
    ["read", IIR, 0xc2],
    ["write", DATA, 0x41],
    ["read", LSR, 0x20, "shifting, THR empty"],
    ["read", IIR, 0xc2],
    ["write", DATA, 0x42],
    ["write", DATA, 0x43],
    ["read", LSR, 0x00],
    ["pass", 1],
    ["read", LSR, 0x00],
    ["read", IIR, 0xc1],
    ["pass", 1.1],
    ["read", LSR, 0x20],
    ["read", IIR, 0xc2],
  ]);
  assertEquals(bench.sent, [0x41, 0x42]);
  bench.pass(1);
  assertEquals([bench.sent, bench.read(LSR)], [[0x41, 0x42, 0x43], 0x60]);
});

test("trigger levels decide when data is available, and the timeout reports the rest", () => {
  for (const [fcr, level] of [[0x07, 1], [0x47, 4], [0x87, 8], [0xc7, 14]]) {
    const bench = new Bench().setUp();
    bench.write(FCR, fcr);
    bench.write(IER, 0x01);
    bench.port.receive(new Uint8Array(level).fill(0x55));
    bench.pass(level - 0.5);
    assertEquals(bench.read(IIR), 0xc1, `below ${level}`);
    bench.pass(1);
    assertEquals(bench.read(IIR), 0xc4, `at ${level}`);
  }
  const bench = new Bench().setUp();
  bench.port.receive([1, 2, 3]);
  play(bench, [
    ["write", IER, 0x01],
    ["pass", 3.1],
    ["read", IIR, 0xc1],
    ["pass", 3.8],
    ["read", IIR, 0xc1, "not yet four character times"],
    ["pass", 0.3],
    ["read", IIR, 0xcc],
    ["read", DATA, 1],
    ["read", IIR, 0xc1, "a read clears the timeout"],
    ["pass", 4.1],
    ["read", IIR, 0xcc],
    ["read", DATA, 2],
    ["read", DATA, 3],
    ["pass", 5],
    ["read", IIR, 0xc1],
    ["read", LSR, 0x60],
  ]);
});

test("IIR names sources by priority: line status, data, THRE, modem status", () => {
  const bench = new Bench().setUp();
  bench.write(FCR, 0x07);
  bench.write(IER, 0x0f);
  bench.port.uart.setModemLines({ cts: false, dsr: true, ri: true, dcd: true });
  bench.port.uart.receiveBreak();
  bench.pass(1.5);
  play(bench, [
    ["read", IIR, 0xc6],
    ["read", LSR, 0xf1, "BI, DR, and an error in the FIFO"],
    ["read", IIR, 0xc4],
    ["read", DATA, 0x00],
    ["read", IIR, 0xc2],
    ["read", IIR, 0xc0],
    ["read", MSR, 0xe1],
    ["read", IIR, 0xc1],
  ]);
});

test("loop-back returns what is sent, and overruns when nobody reads", () => {
  const bench = new Bench().setUp();
  play(bench, [
    ["write", FCR, 0x00],
    ["write", MCR, 0x1b],
    ["write", DATA, 0x5a],
    ["read", LSR, 0x61],
    ["read", DATA, 0x5a],
    ["write", DATA, 0x01],
    ["write", DATA, 0x02],
    ["read", LSR, 0x63],
    ["read", DATA, 0x02, "without FIFOs the old character is destroyed"],
  ]);
  assertEquals(bench.sent, []);
});

test("INTR reaches the board only while OUT2 is active and loop-back is off", () => {
  const bench = new Bench().setUp();
  bench.write(MCR, 0x03);
  bench.write(IER, 0x02);
  assertEquals(bench.levels, []);
  bench.write(MCR, 0x0b);
  bench.write(MCR, 0x1b);
  bench.write(MCR, 0x0b);
  bench.read(IIR);
  assertEquals(bench.levels, [1, 0, 1, 0]);
});

test("a long text waits outside until the guest has read, and none of it is lost", () => {
  const bench = new Bench().setUp();
  const text = Array.from({ length: 1000 }, (_, index) => index & 0xff);
  assertEquals(bench.port.receive(text), 1000);
  bench.pass(100);
  assertEquals(bench.port.uart.waiting, 984);
  const got: number[] = [];
  for (let round = 0; round < 200 && got.length < 1000; round++) {
    while (bench.read(LSR) & 1) got.push(bench.read(DATA));
    bench.pass(7);
  }
  assertEquals(got, text);
});

test("the inbox is bounded, and RTS holds it back where asked", () => {
  const bench = new Bench({ inboxBytes: 10, flowControl: "rts" }).setUp();
  bench.write(MCR, 0x09);
  assertEquals(bench.port.receive(new Uint8Array(20)), 10);
  bench.pass(20);
  assertEquals(bench.port.uart.waiting, 10);
  bench.write(MCR, 0x0b);
  bench.pass(20);
  assertEquals(bench.port.uart.waiting, 0);
});

test("the divisor latch sets the speed", () => {
  const bench = new Bench().setUp();
  play(bench, [
    ["write", LCR, 0x83],
    ["write", DATA, 0x0c],
    ["read", DATA, 0x0c],
    ["read", IER, 0x00],
    ["write", LCR, 0x03],
  ]);
  assertEquals(bench.port.uart.baud, 9600);
});

test("a snapshot continues where it was taken", () => {
  const bench = new Bench().setUp();
  bench.write(IER, 0x01);
  bench.port.receive([1, 2, 3, 4, 5]);
  bench.pass(2.5);
  const saved = [bench.clock.save(), bench.port.save()];
  const twin = new Bench();
  twin.clock.restore(saved[0]);
  twin.port.restore(saved[1]);
  for (const each of [bench, twin]) each.pass(20);
  assertEquals(twin.port.save(), bench.port.save());
  assertEquals(twin.read(IIR), 0xcc);
  assertThrows(
    () => twin.port.restore({ kind: "uart16550.com1", version: 9, state: {} }),
    Error,
    "version 9",
  );
});
