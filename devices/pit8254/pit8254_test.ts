import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { Counter, type CounterMode } from "./counter.ts";
import { Pit8254 } from "./pit8254.ts";

/**
 * The timing diagrams of the data sheet ("Mode Definitions", figures 15 to 20): a count written during
 * pulse 0, gate events at pulses, and OUT (H or L) and the count at each following pulse.
 */
interface Diagram {
  readonly name: string;
  readonly mode: CounterMode;
  readonly count: number;
  /** GATE before the first pulse; high unless stated. */
  readonly gate?: boolean;
  /** What happens during a pulse: a gate level or a new count. */
  readonly events?: Readonly<Record<number, boolean | number>>;
  readonly out: string;
  readonly counts: readonly (number | null)[];
}

const diagrams: readonly Diagram[] = [
  {
    name: "mode 0 raises OUT count + 1 pulses after the write and counts on",
    mode: 0,
    count: 4,
    out: "LLLLLHHH",
    counts: [null, 4, 3, 2, 1, 0, 0xffff, 0xfffe],
  },
  {
    name: "mode 0 stands still while GATE is low",
    mode: 0,
    count: 3,
    events: { 2: false, 4: true },
    out: "LLLLLLHH",
    counts: [null, 3, 2, 2, 2, 1, 0, 0xffff],
  },
  {
    name: "mode 0 restarts with a new count and lowers OUT",
    mode: 0,
    count: 1,
    events: { 3: 2 },
    out: "LLHLLLHH",
    counts: [null, 1, 0, null, 2, 1, 0, 0xffff],
  },
  {
    name: "mode 1 waits for a trigger and is retriggerable",
    mode: 1,
    count: 3,
    gate: false,
    events: { 2: true, 4: false, 5: true },
    out: "HHHLLLLLLHH",
    counts: [null, null, null, 3, 2, 1, 3, 2, 1, 0, 0xffff],
  },
  {
    name: "mode 2 is low for one pulse in each period",
    mode: 2,
    count: 3,
    out: "HHHLHHLHHL",
    counts: [null, 3, 2, 1, 3, 2, 1, 3, 2, 1],
  },
  {
    name: "mode 2 takes a new count at the end of the period",
    mode: 2,
    count: 4,
    events: { 2: 5 },
    out: "HHHHLHHHHLH",
    counts: [null, 4, 3, 2, 1, 5, 4, 3, 2, 1, 5],
  },
  {
    name: "mode 2 reloads when GATE rises",
    mode: 2,
    count: 3,
    events: { 2: false, 4: true },
    out: "HHHHHHHLH",
    counts: [null, 3, 2, 2, 2, 3, 2, 1, 3],
  },
  {
    name: "mode 3 halves an even count",
    mode: 3,
    count: 4,
    out: "HHHLLHHLL",
    counts: [null, 4, 2, 4, 2, 4, 2, 4, 2],
  },
  {
    name: "mode 3 holds an odd count one pulse longer high",
    mode: 3,
    count: 5,
    out: "HHHHLLHHHLL",
    counts: [null, 4, 2, 0, 4, 2, 4, 2, 0, 4, 2],
  },
  {
    name: "mode 3 takes a new count at the end of the half cycle",
    mode: 3,
    count: 6,
    events: { 2: 4 },
    out: "HHHHLLHHLL",
    counts: [null, 6, 4, 2, 4, 2, 4, 2, 4, 2],
  },
  {
    name: "mode 4 strobes one pulse low at terminal count",
    mode: 4,
    count: 3,
    out: "HHHHLHH",
    counts: [null, 3, 2, 1, 0, 0xffff, 0xfffe],
  },
  {
    name: "mode 5 strobes after a trigger",
    mode: 5,
    count: 2,
    gate: false,
    events: { 1: true },
    out: "HHHHLHH",
    counts: [null, null, 2, 1, 0, 0xffff, 0xfffe],
  },
];

function play(diagram: Diagram): Counter[] {
  const counter = new Counter(diagram.gate ?? true);
  counter.setMode(diagram.mode, false, 100);
  counter.writeCount(diagram.count, 100);
  const last = Math.max(0, ...Object.keys(diagram.events ?? {}).map(Number));
  const states: Counter[] = [];
  for (let pulse = 0; pulse < diagram.out.length; pulse++) {
    const event = diagram.events?.[pulse];
    if (typeof event === "boolean") counter.setGate(event, 100 + pulse);
    if (typeof event === "number") counter.writeCount(event, 100 + pulse);
    const state = new Counter(true);
    state.restore(counter.save());
    if (pulse >= last) states.push(state);
    assertEquals(counter.out(100 + pulse), diagram.out[pulse] === "H", `OUT at pulse ${pulse}`);
    const expected = diagram.counts[pulse];
    if (expected !== null) {
      assertEquals(counter.count(100 + pulse), expected, `count at pulse ${pulse}`);
    }
  }
  return states;
}

for (const diagram of diagrams) {
  test(`8254 ${diagram.name}`, () => {
    const states = play(diagram);
    // The predicted next rise of OUT must be the one that the diagram shows.
    states.forEach((state, index) => {
      const from = diagram.out.length - states.length + index;
      const rise = diagram.out.indexOf("LH", from) + 1;
      const next = state.nextRise(100 + from);
      if (rise > 0) assertEquals(next, 100 + rise, `rise after pulse ${from}`);
      else if (next !== null) assertEquals(next >= 100 + diagram.out.length, true);
    });
  });
}

/** Transcripts: w register value, r register expected, at a pulse. Registers 0-2 counters, 3 control. */
const transcripts: readonly (readonly [string, readonly (readonly [number, string])[]])[] = [
  ["counter latch holds both bytes of one instant", [
    [0, "w3=34 w0=34 w0=12"],
    [1, "w3=00"],
    [0x100, "w3=00 r0=34 r0=12 r0=35 r0=11"],
  ]],
  ["low-byte and high-byte access modes read and write one byte", [
    [0, "w3=54 w1=80 w3=a4 w2=02"],
    [0x11, "r1=70 r1=70 r2=01"],
  ]],
  ["read-back latches status before count", [
    [0, "w3=34 w0=00 w0=10"],
    [0, "w3=e2 r0=f4"], // OUT high, null count, both bytes, mode 2
    [5, "w3=c2 r0=b4 r0=fc r0=0f"],
  ]],
  ["read-back addresses several counters at once", [
    [0, "w3=14 w0=10 w3=54 w1=20"],
    [4, "w3=d6"],
    [9, "r0=0d r1=1d r0=08"],
  ]],
  ["BCD counts in decimal and 0 means 10000", [
    [0, "w3=31 w0=00 w0=00"],
    [1, "r0=00 r0=00"],
    [2, "r0=99 r0=99"],
    [102, "r0=99 r0=98"],
  ]],
  ["the control register does not read", [[0, "r3=ff"]]],
  ["modes 6 and 7 are modes 2 and 3", [
    [0, "w3=1c w0=05 w3=e2 r0=d4"],
    [0, "w3=1e w0=05 w3=e2 r0=d6"],
  ]],
];

for (const [name, steps] of transcripts) {
  test(`8254 ${name}`, () => {
    const chip = new Pit8254();
    chip.setGate(2, true, 0);
    for (const [tick, line] of steps) {
      for (const step of line.split(" ")) {
        const [target, value] = step.split("=");
        const register = Number(target[1]);
        if (target[0] === "w") chip.write(register, parseInt(value, 16), tick);
        else assertEquals(chip.read(register, tick).toString(16).padStart(2, "0"), value, step);
      }
    }
  });
}

test("8254 stops mode 0 at the first byte of a two-byte count", () => {
  const chip = new Pit8254();
  chip.write(3, 0x30, 0);
  chip.write(0, 5, 0);
  chip.write(0, 0, 0);
  assertEquals(chip.out(0, 6), true);
  chip.write(0, 2, 10);
  assertEquals([chip.out(0, 100), chip.nextRise(0, 100)], [false, null]);
  chip.write(0, 0, 200);
  assertEquals([chip.out(0, 202), chip.out(0, 203), chip.nextRise(0, 200)], [false, true, 203]);
});
