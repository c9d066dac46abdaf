import { assertEquals } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { CableDirection, GigabitNic } from "./mod.ts";

const frame = (number: number, frameBytes = 1514) => ({ frameBytes, number });
type TestFrame = ReturnType<typeof frame>;

/** Two cards on a cable of 1 Gb/s and 10 us; the clock has 1 GHz, so that a cycle is a nanosecond. */
class Rig {
  readonly clock = new MachineClock();
  readonly raised: string[] = [];
  readonly near = this.#nic("near");
  readonly far = this.#nic("far");

  constructor() {
    const cable = { clock: this.clock, bitsPerSecond: 1e9, latencyNs: 10_000, frameGapNs: 0 };
    this.near.connect(new CableDirection(cable, this.far));
    this.far.connect(new CableDirection(cable, this.near));
  }

  runUntil(at: number): void {
    while (this.clock.nextDeadline <= at) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
    }
    this.clock.advanceTo(at as Cycle);
  }

  #nic(name: string): GigabitNic<TestFrame> {
    return new GigabitNic({
      name,
      clock: this.clock,
      coalescing: {
        receiveNs: 50_000,
        receiveFrames: 3,
        transmitNs: 200_000,
        transmitFrames: 8,
      },
      raise: () => void this.raised.push(`${name} ${this.clock.now}`),
    });
  }
}

/** A full frame takes 1538 bytes' time. */
const FULL_NS = 1538 * 8;

test("a frame takes its bytes' time and the way, and its interrupt waits for company", () => {
  const rig = new Rig();
  rig.near.transmit(frame(1));
  rig.runUntil(FULL_NS + 9_999);
  assertEquals(rig.far.take(), null);
  rig.runUntil(FULL_NS + 10_000);
  assertEquals(rig.far.take()?.number, 1);
  rig.runUntil(1e6);
  assertEquals(rig.raised, [`far ${FULL_NS + 10_000 + 50_000}`, `near ${FULL_NS + 200_000}`]);
});

test("with the third frame the interrupt comes at once, and no other until it is asked for again", () => {
  const rig = new Rig();
  for (let number = 1; number <= 7; number++) rig.near.transmit(frame(number));
  rig.runUntil(1e6);
  const third = 3 * FULL_NS + 10_000;
  assertEquals(rig.raised, [`far ${third}`, `near ${FULL_NS + 200_000}`]);
  const taken = Array.from({ length: 8 }, () => rig.far.take()?.number ?? null);
  assertEquals(taken, [1, 2, 3, 4, 5, 6, 7, null]);
  assertEquals(rig.near.reap(), 7);
  rig.far.unmask();
  rig.runUntil(2e6);
  assertEquals(rig.raised.length, 2);
  rig.near.transmit(frame(8));
  rig.runUntil(3e6);
  assertEquals(rig.raised.at(-1), `far ${2e6 + FULL_NS + 60_000}`);
});

test("a short frame has the time of 84 bytes", () => {
  const rig = new Rig();
  rig.near.transmit(frame(1, 54));
  rig.runUntil(84 * 8 + 10_000);
  assertEquals(rig.far.take()?.number, 1);
});

test("rings are bounded: the sender is told, the receiver drops", () => {
  const rig = new Rig();
  let sent = 0;
  while (rig.near.transmit(frame(sent, 60))) sent++;
  assertEquals(sent, 512);
  rig.runUntil(1e6);
  assertEquals(rig.near.reap(), 512);
  rig.near.transmit(frame(sent, 60));
  rig.runUntil(2e6);
  assertEquals(rig.far.counters.rxDropped, 1);
});

test("a card that was saved and restored goes on with the same frames", () => {
  const [one, other] = [new Rig(), new Rig()];
  for (let number = 1; number <= 4; number++) one.near.transmit(frame(number));
  one.runUntil(30_000);
  const clock = JSON.parse(JSON.stringify(one.clock.save()));
  for (const end of ["near", "far"] as const) {
    other[end].restore(JSON.parse(JSON.stringify(one[end].save())));
  }
  other.clock.restore(clock);
  for (const rig of [one, other]) rig.runUntil(1e6);
  assertEquals(other.far.save(), one.far.save());
  assertEquals(other.raised, one.raised);
});
