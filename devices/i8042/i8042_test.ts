import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { A20Gate, KEY_NAMES, KeyboardController, scanCode, translateToSet1 } from "./mod.ts";

class Bench {
  readonly clock = new MachineClock();
  readonly io = new IoSpace();
  readonly log: string[] = [];
  readonly gate = new A20Gate((open) => this.log.push(`a20=${open ? 1 : 0}`));
  readonly controller = new KeyboardController({
    ports: this.io,
    clock: this.clock,
    irq1: { setLevel: (high) => void this.log.push(`irq1=${high ? 1 : 0}`) },
    irq12: { setLevel: (high) => void this.log.push(`irq12=${high ? 1 : 0}`) },
    gate: this.gate,
    reset: () => this.log.push("reset"),
  });

  command(...bytes: number[]): void {
    this.io.write(0x64, 1, bytes[0]);
    for (const byte of bytes.slice(1)) this.io.write(0x60, 1, byte);
  }

  /** Sends bytes to the mouse. */
  aux(...bytes: number[]): void {
    for (const byte of bytes) this.command(0xd4, byte);
  }

  /** Reads bytes while the output buffer is full. */
  drain(): number[] {
    const bytes: number[] = [];
    while (this.io.read(0x64, 1) & 1 && bytes.length < 1000) bytes.push(this.io.read(0x60, 1));
    return bytes;
  }

  /** Lets milliseconds of simulated time pass and reads each byte as it comes. */
  pass(ms: number): number[] {
    const bytes: number[] = [];
    const end = this.clock.now + ms * 1e6;
    while (this.clock.nextDeadline <= end) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
      bytes.push(...this.drain());
    }
    this.clock.advanceTo(end as Cycle);
    return bytes;
  }

  takeLog(): string[] {
    return this.log.splice(0);
  }
}

test("controller commands answer as the technical reference says", () => {
  const cases: [command: number[], reply: number[], what: string][] = [
    [[0xaa], [0x55], "self-test"],
    [[0xab], [0x00], "keyboard interface test"],
    [[0xa9], [0x00], "AUX interface test"],
    [[0x20], [0x65], "command byte as firmware leaves it"],
    [[0xa8], [], "enable AUX"],
    [[0x20], [0x45], "AUX enabled"],
    [[0xa7], [], "disable AUX"],
    [[0x20], [0x65], "AUX disabled"],
    [[0xad], [], "disable keyboard"],
    [[0x20], [0x75], "keyboard disabled"],
    [[0x60, 0x47], [], "write the command byte"],
    [[0x20], [0x47], "read it back"],
    [[0x61, 0x99], [], "write RAM byte 1"],
    [[0x21], [0x99], "read RAM byte 1"],
    [[0xd3, 0xf0], [0xf0], "AUX loop, as Linux looks for a multiplexer"],
    [[0xd3, 0x56], [0x56], "AUX loop"],
    [[0xd2, 0x1e], [0x1e], "keyboard loop"],
    [[0xd0], [0x03], "output port: A20 open, not in reset"],
    [[0xc0], [0x80], "input port: not locked"],
  ];
  const bench = new Bench();
  for (const [command, reply, what] of cases) {
    bench.command(...command);
    assertEquals(bench.drain(), reply, what);
  }
});

test("status tells OBF, its source, SYS and whether a command came last", () => {
  const bench = new Bench();
  assertEquals(bench.io.read(0x64, 1), 0x14);
  bench.command(0xd3, 0x5a);
  assertEquals(bench.io.read(0x64, 1), 0x35);
  assertEquals(bench.drain(), [0x5a]);
  bench.command(0xa8);
  assertEquals(bench.io.read(0x64, 1), 0x1c);
});

test("keyboard commands answer as the technical reference says, translated", () => {
  const cases: [bytes: number[], reply: number[], what: string][] = [
    [[0xff], [0xfa, 0xaa], "reset and self-test"],
    [[0xf2], [0xfa, 0xab, 0x41], "identify, 83h translated"],
    [[0xed, 0x07], [0xfa, 0xfa], "LEDs"],
    [[0xee], [0xee], "echo"],
    [[0xf3, 0x2b], [0xfa, 0xfa], "typematic"],
    [[0xf0, 0x00], [0xfa, 0xfa, 0x41], "scan code set 2, translated"],
    [[0xf0, 0x03], [0xfa, 0xfe], "no scan code set 3"],
    [[0xf5], [0xfa], "disable"],
    [[0xf4], [0xfa], "enable"],
    [[0xf6], [0xfa], "defaults"],
    [[0xfe], [0xfa], "resend"],
    [[0x12], [0xfe], "no command"],
  ];
  const bench = new Bench();
  for (const [bytes, reply, what] of cases) {
    const got = bytes.flatMap((byte) => {
      bench.io.write(0x60, 1, byte);
      return bench.drain();
    });
    assertEquals(got, reply, what);
  }
  assertEquals(bench.controller.keyboard.leds, { scrollLock: true, numLock: true, capsLock: true });
});

test("keys send set 2, set 1, or set 2 translated", () => {
  const cases: [keys: Parameters<typeof scanCode>[0], set2: number[], set1: number[]][] = [
    ["KeyA", [0x1c, 0xf0, 0x1c], [0x1e, 0x9e]],
    ["F7", [0x83, 0xf0, 0x83], [0x41, 0xc1]],
    ["ArrowUp", [0xe0, 0x75, 0xe0, 0xf0, 0x75], [0xe0, 0x48, 0xe0, 0xc8]],
    ["Enter", [0x5a, 0xf0, 0x5a], [0x1c, 0x9c]],
    ["Pause", [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77], [
      0xe1,
      0x1d,
      0x45,
      0xe1,
      0x9d,
      0xc5,
    ]],
  ];
  for (const [key, set2, set1] of cases) {
    const strokes = (set: 1 | 2) => [...scanCode(key, true, set), ...scanCode(key, false, set)];
    assertEquals(strokes(2), set2, key);
    assertEquals(strokes(1), set1, key);
    const bench = new Bench();
    bench.controller.typist.pressKeys(key);
    assertEquals(bench.pass(100), set1, `${key} translated`);
  }
});

test("every key's set 2 code translates to its set 1 code", () => {
  for (const key of KEY_NAMES) {
    const translated = scanCode(key, true, 2).filter((byte) => byte !== 0xf0).map(translateToSet1);
    assertEquals(
      translated.map((byte) => byte & 0x7f),
      scanCode(key, true, 1).map((byte) => byte & 0x7f),
      key,
    );
  }
});

test("typeText types the US layout, one key movement every ten milliseconds", () => {
  const bench = new Bench();
  bench.controller.typeText("Ab\n");
  assertEquals(bench.pass(45), [0x2a, 0x1e, 0x9e, 0xaa]);
  assertEquals(bench.pass(100), [0x30, 0xb0, 0x1c, 0x9c]);
  const text = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
  bench.controller.typeText(text);
  assertThrows(() => bench.controller.typeText("é"), RangeError, '"é"');
});

test("typing waits while the guest does not read, and loses nothing", () => {
  const bench = new Bench();
  bench.command(0xad);
  bench.controller.typeText("0123456789abcdefghijklmnopqrstuvwxyz");
  assertEquals(bench.pass(5000), []);
  bench.command(0xae);
  assertEquals([...bench.drain(), ...bench.pass(5000)].length, 72);
});

test("IRQ1 and IRQ12 follow the output buffer when the command byte enables them", () => {
  const bench = new Bench();
  bench.command(0x60, 0x47);
  bench.io.write(0x60, 1, 0xf2);
  assertEquals(bench.takeLog(), ["irq1=1"]);
  bench.io.read(0x60, 1);
  assertEquals(bench.takeLog(), ["irq1=0", "irq1=1"]);
  bench.drain();
  bench.takeLog();
  bench.aux(0xf4);
  assertEquals(bench.takeLog(), ["irq12=1"]);
  bench.drain();
  bench.command(0x60, 0x44);
  bench.takeLog();
  bench.aux(0xe6);
  assertEquals([bench.takeLog(), bench.drain()], [[], [0xfa]]);
});

test("mouse commands answer as the technical reference says", () => {
  const cases: [bytes: number[], reply: number[], what: string][] = [
    [[0xff], [0xfa, 0xaa, 0x00], "reset"],
    [[0xf2], [0xfa, 0x00], "a standard mouse"],
    [[0xe8, 0x03], [0xfa, 0xfa], "resolution"],
    [[0xf3, 0x28], [0xfa, 0xfa], "sample rate"],
    [[0xe7], [0xfa], "scaling 2:1"],
    [[0xf4], [0xfa], "enable"],
    [[0xe9], [0xfa, 0x30, 0x03, 0x28], "status"],
    [[0xee], [0xfa], "wrap"],
    [[0xe6], [0xe6], "wrapped"],
    [[0xec], [0xfa], "unwrap"],
    [[0xf0], [0xfa], "remote"],
    [[0xeb], [0xfa, 0x08, 0x00, 0x00], "read data"],
    [[0xf6], [0xfa], "defaults"],
    [[0xe9], [0xfa, 0x00, 0x02, 0x64], "status after defaults"],
    [[0xf3, 200, 0xf3, 100, 0xf3, 80], [0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa], "the knock"],
    [[0xf2], [0xfa, 0x03], "an IntelliMouse"],
    [[0x55], [0xfe], "no command"],
  ];
  const bench = new Bench();
  for (const [bytes, reply, what] of cases) {
    const got = bytes.flatMap((byte) => {
      bench.aux(byte);
      return bench.drain();
    });
    assertEquals(got, reply, what);
  }
});

test("mouse movements become packets; clicks are not lost and movements merge", () => {
  const bench = new Bench();
  const { mouse } = bench.controller;
  bench.aux(0xf4);
  bench.drain();
  mouse.move(5, -3);
  assertEquals(bench.drain(), [0x28, 0x05, 0xfd]);
  mouse.move(300, 0);
  assertEquals(bench.drain(), [0x08, 0xff, 0x00, 0x08, 0x2d, 0x00]);
  mouse.setButtons({ left: true });
  mouse.setButtons({});
  mouse.move(1, 1);
  mouse.move(1, 1);
  assertEquals(bench.drain(), [0x09, 0, 0, 0x08, 2, 2]);
  for (const rate of [200, 100, 80]) bench.aux(0xf3, rate);
  bench.drain();
  mouse.move(0, 0, -1);
  assertEquals(bench.drain(), [0x08, 0, 0, 0xff]);
});

test("A20 is open if the controller or port 92h opens it", () => {
  const bench = new Bench();
  const steps: [() => void, string[]][] = [
    [() => bench.command(0xd1, 0xdd), []],
    [() => bench.gate.setSource("portA", false), ["a20=0"]],
    [() => bench.command(0xdf), ["a20=1"]],
    [() => bench.command(0xdd), ["a20=0"]],
    [() => bench.controller.reset(), ["a20=1"]],
  ];
  for (const [act, expected] of steps) {
    act();
    assertEquals(bench.takeLog(), expected);
  }
});

test("FEh and a cleared reset bit reset, FFh does not", () => {
  const bench = new Bench();
  bench.command(0xfe);
  bench.command(0xd1, 0x02);
  bench.command(0xff);
  assertEquals(bench.takeLog(), ["reset", "reset"]);
});

test("a snapshot continues in the middle of a word", () => {
  const bench = new Bench();
  bench.controller.typeText("hello");
  bench.pass(35);
  const saved = [bench.clock.save(), bench.controller.save()];
  const rest = bench.pass(1000);
  const twin = new Bench();
  twin.clock.restore(saved[0]);
  twin.controller.restore(saved[1]);
  assertEquals(twin.pass(1000), rest);
  assertEquals(rest.length, 7);
});
