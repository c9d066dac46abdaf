import { assertEquals } from "@std/assert";
import { FIFO, FIFO_WORD } from "../../abi/event_channel.ts";
import type { EventPort, MachineFrame } from "../../abi/ids.ts";
import { test } from "../../lib/testing.ts";
import { DOM0, DOM1, EventRig, gfn, sharedInfo, vcpu } from "./testing/rig.ts";

const CONTROL = 500 as MachineFrame;
const PAGE = 501 as MachineFrame;

/** Plays the guest's side of the FIFO ABI, as its designer describes it in event_channel.h's words. */
class FifoGuest {
  readonly rig = new EventRig(FIFO.NR_CHANNELS - 1);
  readonly heads = new Array<number>(FIFO.MAX_QUEUES).fill(0);

  constructor() {
    assertEquals(this.rig.events.initControl(DOM1, gfn(CONTROL), 0, vcpu(0)), FIFO.LINK_BITS);
  }

  expand(): void {
    assertEquals(this.rig.events.expandArray(DOM1, gfn(PAGE)), 0);
  }

  word(port: number): number {
    return this.rig.memory.read32(PAGE, 4 * port);
  }

  change(port: number, set: number, clear: number): void {
    this.rig.memory.write32(PAGE, 4 * port, ((this.word(port) & ~clear) | set) >>> 0);
  }

  /** Takes all events, most urgent first. */
  consume(): number[] {
    this.rig.memory.write8(sharedInfo(DOM1), 0, 0);
    const ports: number[] = [];
    for (let ready = this.#takeReady(); ready !== 0; ready |= this.#takeReady()) {
      const priority = 31 - Math.clz32(ready & -ready);
      let port = this.heads[priority] || this.rig.memory.read32(CONTROL, 8 + 4 * priority);
      const word = this.word(port);
      const next = word & FIFO.LINK_MASK;
      this.change(port, 0, FIFO_WORD.LINKED | FIFO.LINK_MASK);
      if (word & FIFO_WORD.PENDING && !(word & FIFO_WORD.MASKED)) {
        this.change(port, 0, FIFO_WORD.PENDING);
        ports.push(port);
      }
      port = next;
      this.heads[priority] = next;
      if (next === 0) ready &= ~(1 << priority);
    }
    return ports;
  }

  #takeReady(): number {
    const ready = this.rig.memory.read32(CONTROL, 0);
    this.rig.memory.write32(CONTROL, 0, 0);
    return ready;
  }
}

function connected(guest: FifoGuest, count: number): { near: EventPort; far: EventPort }[] {
  const pairs = Array.from({ length: count }, () => guest.rig.connect(DOM0, DOM1));
  guest.consume();
  guest.rig.log.length = 0;
  return pairs;
}

test("events come in the order sent, the more urgent queue first", () => {
  const guest = new FifoGuest();
  guest.expand();
  const [a, b, c, d] = connected(guest, 4);
  assertEquals(guest.rig.events.setPriority(DOM1, c.far, 2), 0);
  for (const { near } of [b, a, c, d, b]) guest.rig.events.send(DOM0, near);
  assertEquals(guest.rig.log, ["upcall 1.0"]);
  assertEquals(guest.consume(), [c.far, b.far, a.far, d.far]);
  guest.rig.events.send(DOM0, d.near);
  guest.rig.events.send(DOM0, b.near);
  assertEquals(guest.consume(), [d.far, b.far]);
});

test("one port alone in its queue can be sent again and again", () => {
  const guest = new FifoGuest();
  guest.expand();
  const [a] = connected(guest, 1);
  for (let round = 0; round < 3; round++) {
    guest.rig.events.send(DOM0, a.near);
    assertEquals(guest.consume(), [a.far]);
  }
  assertEquals(guest.rig.log.length, 3);
});

test("a port that changes its priority between events leaves no link behind", () => {
  const guest = new FifoGuest();
  guest.expand();
  const [a, b] = connected(guest, 2);
  guest.rig.events.send(DOM0, a.near);
  assertEquals(guest.consume(), [a.far]);
  guest.rig.events.setPriority(DOM1, a.far, 0);
  guest.rig.events.send(DOM0, a.near);
  guest.rig.events.send(DOM0, b.near);
  assertEquals(guest.consume(), [a.far, b.far]);
});

test("what is sent before the page with its word arrives is delivered then", () => {
  const guest = new FifoGuest();
  const { near, far } = guest.rig.connect(DOM0, DOM1);
  guest.rig.events.send(DOM0, near);
  assertEquals([guest.rig.log, guest.rig.events.isPending(DOM1, far)], [[], true]);
  guest.expand();
  assertEquals([guest.rig.log, guest.consume()], [["upcall 1.0"], [far]]);
});

test("what was pending in the two-level words is carried over", () => {
  const rig = new EventRig();
  const { near, far } = rig.connect(DOM0, DOM1);
  rig.consume(DOM1);
  rig.setMask(DOM1, far, true);
  rig.events.send(DOM0, near);
  rig.events.initControl(DOM1, gfn(CONTROL), 0, vcpu(0));
  rig.events.expandArray(DOM1, gfn(PAGE));
  assertEquals([rig.log, rig.events.isPending(DOM1, far)], [["upcall 1.0"], true]);
});

test("a masked event waits in its word, and unmasking queues it", () => {
  const guest = new FifoGuest();
  guest.expand();
  const [a] = connected(guest, 1);
  guest.change(a.far, FIFO_WORD.MASKED, 0);
  guest.rig.events.send(DOM0, a.near);
  assertEquals([guest.rig.log, guest.consume()], [[], []]);
  assertEquals(guest.rig.events.unmask(DOM1, a.far), 0);
  assertEquals([guest.rig.log, guest.consume()], [["upcall 1.0"], [a.far]]);
});

test("reset gives the frames back and returns to the two-level ABI", () => {
  const guest = new FifoGuest();
  guest.expand();
  assertEquals(guest.rig.taken, [CONTROL, PAGE]);
  guest.rig.events.reset(DOM1, DOM1);
  assertEquals(guest.rig.taken, []);
  const { near, far } = guest.rig.connect(DOM0, DOM1);
  guest.rig.consume(DOM1);
  guest.rig.events.send(DOM0, near);
  assertEquals(guest.rig.consume(DOM1), [far]);
});

test("words full of a hostile guest's garbage cost nothing but its own events", () => {
  const guest = new FifoGuest();
  guest.expand();
  const pairs = connected(guest, 8);
  guest.rig.memory.bytes(PAGE).fill(0xff);
  guest.rig.memory.bytes(CONTROL).fill(0xff);
  for (const { near } of pairs) assertEquals(guest.rig.events.send(DOM0, near), 0);
  guest.rig.memory.bytes(PAGE).fill(0);
  for (const { near } of pairs) assertEquals(guest.rig.events.send(DOM0, near), 0);
});
