/** Transcripts after the 8259A data sheet; section titles are in the names. */

import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { Pic8259Chip, Pic8259Pair } from "./mod.ts";

/** One line of a transcript: what is done, and what must come back. */
type Step =
  | { readonly out: readonly [port: number, value: number] }
  | { readonly in: number; readonly is: number }
  | { readonly irq: number; readonly high: boolean }
  | { readonly intr: boolean }
  | { readonly ack: number };

const out = (port: number, ...values: number[]): Step[] =>
  values.map((value) => ({ out: [port, value] }));
const reads = (port: number, is: number): Step => ({ in: port, is });
const raise = (irq: number): Step => ({ irq, high: true });
const lower = (irq: number): Step => ({ irq, high: false });
const intr = (level: boolean): Step => ({ intr: level });
const ack = (vector: number): Step => ({ ack: vector });

/** Linux's `init_8259A`: vectors 0x30 and 0x38, ICW4 as given, then nothing masked. */
const init = (icw4 = 0x01): Step[] => [
  ...out(0x20, 0x11),
  ...out(0x21, 0x30, 0x04, icw4),
  ...out(0xa0, 0x11),
  ...out(0xa1, 0x38, 0x02, 0x01),
];

/** Plays `steps`; checks the output level that the callback reports along with the getter. */
function play(steps: readonly Step[], pic = new Pic8259Pair()): Pic8259Pair {
  let level = pic.interrupt;
  pic.onInterrupt = (high) => {
    assertEquals(high, !level, "the callback reports changes only");
    level = high;
  };
  steps.forEach((step, index) => {
    const where = `step ${index}: ${JSON.stringify(step)}`;
    if ("out" in step) pic.writePort(step.out[0], 1, step.out[1]);
    else if ("in" in step) assertEquals(pic.readPort(step.in, 1), step.is, where);
    else if ("irq" in step) pic.line(step.irq).setLevel(step.high);
    else if ("intr" in step) assertEquals([pic.interrupt, level], [step.intr, step.intr], where);
    else assertEquals(pic.acknowledge(), step.ack, where);
  });
  return pic;
}

const TRANSCRIPTS: { readonly name: string; readonly steps: readonly Step[] }[] = [
  {
    name: "the mask register reads back before and after initialization (Linux's probe_8259A)",
    steps: [
      ...out(0xa1, 0xff),
      ...out(0x21, 0xfb),
      reads(0x21, 0xfb),
      ...init(),
      reads(0x21, 0),
      ...out(0x21, 0xfb),
      reads(0x21, 0xfb),
      reads(0xa1, 0),
    ],
  },
  {
    name: "Fully Nested Mode: a higher line interrupts a lower one, not the other way round",
    steps: [
      ...init(),
      raise(4),
      intr(true),
      ack(0x34),
      intr(false),
      raise(5),
      intr(false),
      raise(1),
      intr(true),
      ack(0x31),
      ...out(0x20, 0x0b),
      reads(0x20, 0x12),
      ...out(0x20, 0x20),
      reads(0x20, 0x10),
      ...out(0x20, 0x64),
      reads(0x20, 0),
      intr(true),
      ack(0x35),
    ],
  },
  {
    name: "IRQ8 to IRQ15 come through IR2, with the slave's vector, and need two EOIs",
    steps: [
      ...init(),
      raise(12),
      intr(true),
      ack(0x3c),
      intr(false),
      ...out(0x20, 0x0b),
      reads(0x20, 0x04),
      ...out(0xa0, 0x0b),
      reads(0xa0, 0x10),
      raise(8),
      intr(false),
      ...out(0xa0, 0x64),
      ...out(0x20, 0x62),
      intr(true),
      ack(0x38),
    ],
  },
  {
    name: "a second slave request that waits makes a new edge on IR2",
    steps: [
      ...init(),
      raise(9),
      raise(10),
      ack(0x39),
      intr(false),
      ...out(0xa0, 0x20),
      ...out(0x20, 0x20),
      intr(true),
      ack(0x3a),
    ],
  },
  {
    name:
      "Edge Triggered Mode: a request that goes away before INTA answers as IR7, not in service",
    steps: [
      ...init(),
      raise(3),
      intr(true),
      lower(3),
      intr(false),
      ack(0x37),
      ...out(0x20, 0x0b),
      reads(0x20, 0),
    ],
  },
  {
    name: "masking at the slave takes its request back from the master, which answers as IR7",
    steps: [
      ...init(),
      raise(11),
      ...out(0xa1, 0x08),
      intr(false),
      ack(0x37),
    ],
  },
  {
    name: "Edge Triggered Mode: one edge is one interrupt, however long the line stays high",
    steps: [
      ...init(),
      raise(4),
      ack(0x34),
      ...out(0x20, 0x20),
      intr(false),
      lower(4),
      raise(4),
      intr(true),
    ],
  },
  {
    name: "ELCR: a level-triggered line asks again after EOI while it is high",
    steps: [
      ...init(),
      ...out(0x4d0, 0xff),
      ...out(0x4d1, 0xff),
      reads(0x4d0, 0xf8),
      reads(0x4d1, 0xde),
      raise(5),
      ack(0x35),
      ...out(0x20, 0x65),
      intr(true),
      ack(0x35),
      lower(5),
      ...out(0x20, 0x65),
      intr(false),
      raise(11),
      ack(0x3b),
      ...out(0xa0, 0x63),
      ...out(0x20, 0x62),
      intr(true),
    ],
  },
  {
    name: "Interrupt Masks: a masked request waits and is served when unmasked",
    steps: [
      ...init(),
      ...out(0x21, 0x10),
      raise(4),
      intr(false),
      reads(0x20, 0x10),
      ...out(0x21, 0x00),
      intr(true),
      ack(0x34),
    ],
  },
  {
    name: "Initialization: ICW1 clears masks and the edge sense; a line must rise again",
    steps: [
      ...init(),
      raise(4),
      intr(true),
      ...init(),
      intr(false),
      lower(4),
      raise(4),
      intr(true),
    ],
  },
  {
    name: "Automatic End of Interrupt: nothing stays in service",
    steps: [
      ...init(0x03),
      raise(4),
      ack(0x34),
      ...out(0x20, 0x0b),
      reads(0x20, 0),
      raise(6),
      intr(true),
    ],
  },
  {
    name: "Automatic Rotation: rotate on non-specific EOI makes the served line the lowest",
    steps: [
      ...init(),
      raise(4),
      raise(6),
      ack(0x34),
      ...out(0x20, 0xa0),
      lower(4),
      raise(4),
      ack(0x36),
      intr(false),
      ...out(0x20, 0x20),
      ack(0x34),
    ],
  },
  {
    name: "Automatic Rotation: rotate in AEOI mode",
    steps: [
      ...init(0x03),
      ...out(0x20, 0x80),
      raise(0),
      ack(0x30),
      lower(0),
      raise(0),
      raise(7),
      ack(0x37),
      ack(0x30),
      ...out(0x20, 0x00),
      raise(1),
      ack(0x31),
    ],
  },
  {
    name: "Specific Rotation: set priority, and rotate on specific EOI",
    steps: [
      ...init(),
      ...out(0x20, 0xc5), // IR5 lowest, so IR6 highest
      raise(0),
      raise(6),
      ack(0x36),
      ...out(0x20, 0xe6), // ends IR6, and makes it the lowest
      raise(7),
      ack(0x37),
    ],
  },
  {
    name: "Special Mask Mode: masking the line in service lets lower ones in",
    steps: [
      ...init(),
      raise(3),
      ack(0x33),
      raise(6),
      intr(false),
      ...out(0x20, 0x68),
      ...out(0x21, 0x08),
      intr(true),
      ack(0x36),
      // A non-specific EOI does not end a masked line in this mode.
      ...out(0x20, 0x20),
      ...out(0x20, 0x20),
      ...out(0x20, 0x0b),
      reads(0x20, 0x08),
      ...out(0x20, 0x48),
      ...out(0x20, 0x20),
      reads(0x20, 0),
    ],
  },
  {
    name: "Special Fully Nested Mode: a higher slave line interrupts a lower one of the same slave",
    steps: [
      ...init(0x11),
      raise(12),
      ack(0x3c),
      raise(8),
      intr(true),
      ack(0x38),
    ],
  },
  {
    name: "Poll Command: one read acknowledges and names the line",
    steps: [
      ...init(),
      ...out(0x20, 0x0c),
      reads(0x20, 0x00),
      raise(4),
      ...out(0x20, 0x0c),
      reads(0x20, 0x84),
      intr(false),
      ...out(0x20, 0x0b),
      reads(0x20, 0x10),
    ],
  },
  {
    name: "Reading the 8259A Status: OCW3 selects IRR or ISR until told otherwise",
    steps: [
      ...init(),
      raise(1),
      ack(0x31),
      raise(5),
      reads(0x20, 0x20),
      ...out(0x20, 0x0b),
      reads(0x20, 0x02),
      reads(0x20, 0x02),
      ...out(0x20, 0x0a),
      reads(0x20, 0x20),
    ],
  },
];

for (const { name, steps } of TRANSCRIPTS) test(`8259A: ${name}`, () => void play(steps));

test("8259A: a single chip (SNGL) skips ICW3, and LTIM makes every line a level", () => {
  const chip = new Pic8259Chip();
  chip.write(0, 0x1b);
  chip.write(1, 0x48);
  chip.write(1, 0x01);
  chip.setLine(0, true);
  assertEquals([chip.acknowledge(), chip.vector(0)], [0, 0x48]);
  chip.write(0, 0x20);
  assertEquals(chip.level(), true);
  assertEquals(chip.registers, { irr: 1, isr: 0, imr: 0, elcr: 0, vectorBase: 0x48 });
});

test("8259A: wider accesses reach both registers, low byte first", () => {
  const pic = play(init());
  pic.writePort(0x4d0, 2, 0x0820);
  assertEquals(pic.readPort(0x4d0, 2), 0x0820);
});

test("8259A: the cascade and numbers beyond 15 are not lines", () => {
  const pic = new Pic8259Pair();
  for (const irq of [-1, 2, 16, 1.5]) {
    assertThrows(() => pic.line(irq), RangeError, "expected an IRQ");
  }
});

test("8259A: a restored pair goes on where the saved one was, in every state", () => {
  for (const { name, steps } of TRANSCRIPTS) {
    for (let cut = 0; cut <= steps.length; cut++) {
      const saved = play(steps.slice(0, cut)).save();
      const pic = new Pic8259Pair();
      pic.restore(saved);
      assertEquals(pic.save(), saved, name);
      play(steps.slice(cut), pic);
    }
  }
});

test("8259A: reset forgets everything but the lines", () => {
  const pic = play([...init(), raise(4), ack(0x34), raise(5)]);
  pic.reset();
  assertEquals(pic.interrupt, false);
  play([...init(), lower(5), raise(5), ack(0x35)], pic);
});
