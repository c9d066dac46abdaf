/**
 * Interrupts from a device's wire to a CPU's vector: the board's wiring, the 8259s, the I/O APIC, the bus and
 * two local APICs together, as an operating system drives them.
 *
 * Sources: MultiProcessor Specification 1.4, section 3.6.2 "Interrupt Modes"; Intel 8259A data sheet; Intel
 * 82093AA data sheet; Intel SDM vol. 3, chapter "Advanced Programmable Interrupt Controller".
 */

import { assertEquals } from "@std/assert";
import type { IrqLine } from "../../core/memory/ports.ts";
import { type Bench as ApicBench, bench as apicBench } from "../../core/x86/apic/testing.ts";
import { IrqWiring } from "../../devices/board/mod.ts";
import { IoApic } from "../../devices/ioapic/mod.ts";
import { Pic8259Pair } from "../../devices/pic8259/mod.ts";

const APIC = { TPR: 0x80, EOI: 0xb0, LDR: 0xd0, LVT_LINT0: 0x350, LVT_LINT1: 0x360 };
const MASK = 0x10000;
/** Fields of a redirection entry. */
const RTE = {
  LOWEST: 0x100,
  NMI: 0x400,
  EXT_INT: 0x700,
  LOGICAL: 0x800,
  LOW: 0x2000,
  LEVEL: 0x8000,
};
/** Vectors of the 8259s: IRQ 0 and IRQ 8. */
const PIC_BASE = 0x20;

/** Controllers of a machine with two CPUs, in virtual wire mode, the 8259s programmed and unmasked. */
class Controllers {
  readonly apics: ApicBench = apicBench(2);
  readonly pic = new Pic8259Pair();
  readonly ioapic = new IoApic(this.apics.bus);
  readonly wires = new IrqWiring(this.pic, this.ioapic);

  constructor() {
    const { bus, apic } = this.apics;
    bus.onEoi = (vector) => this.ioapic.eoi(vector);
    bus.externalController = this.pic;
    this.pic.onInterrupt = (high) => bus.setExternalInterrupt(high);
    apic.setVirtualWireMode();
    for (const [port, vector, cascade] of [[0x20, PIC_BASE, 4], [0xa0, PIC_BASE + 8, 2]]) {
      this.out(port, 0x11);
      for (const value of [vector, cascade, 1, 0]) this.out(port + 1, value);
    }
  }

  out(port: number, value: number): void {
    this.pic.writePort(port, 1, value);
  }

  /** Masks every input of the 8259s, as an operating system does that uses the I/O APIC. */
  maskPic(): void {
    this.out(0x21, 0xff);
    this.out(0xa1, 0xff);
  }

  /** Writes a redirection entry: `low` its lower half, `destination` bits 63 to 56. */
  route(pin: number, low: number, destination = 0): void {
    for (const [register, value] of [[0x11 + 2 * pin, destination << 24], [0x10 + 2 * pin, low]]) {
      this.ioapic.writeMmio(0x00, 4, register);
      this.ioapic.writeMmio(0x10, 4, value >>> 0);
    }
  }

  /** Takes an interrupt at `cpu`: its vector, or null when none is pending. */
  take(cpu = 0): number | null {
    return this.apics.cpus[cpu].pending ? this.apics.apics[cpu].acknowledge() : null;
  }

  /** Ends the interrupt in service at `cpu`'s local APIC. */
  end(cpu = 0): void {
    this.apics.write(APIC.EOI, 0, cpu);
  }

  /** All that is pending at `cpu`, each ended where it came from. */
  drain(cpu = 0): number[] {
    const vectors: number[] = [];
    for (let count = 0; count < 16; count++) {
      const vector = this.take(cpu);
      if (vector === null) break;
      vectors.push(vector);
      if (vector >= PIC_BASE + 16) this.end(cpu);
      else {
        if (vector >= PIC_BASE + 8) this.out(0xa0, 0x20);
        this.out(0x20, 0x20);
      }
    }
    return vectors;
  }

  save() {
    const { apics, pic, ioapic, wires } = this;
    return {
      apics: apics.apics.map((apic) => apic.save()),
      pic: pic.save(),
      ioapic: ioapic.save(),
      wires: wires.save(),
    };
  }

  restore(saved: ReturnType<Controllers["save"]>): void {
    this.wires.restore(saved.wires);
    this.pic.restore(saved.pic);
    this.ioapic.restore(saved.ioapic);
    saved.apics.forEach((record, cpu) => this.apics.apics[cpu].restore(record));
  }
}

function pulse(line: IrqLine): void {
  line.setLevel(true);
  line.setLevel(false);
}

for (const irq of [0, 1, 4, 7, 8, 12, 15]) {
  Deno.test(`Virtual wire mode: IRQ ${irq} arrives at CPU 0 with the 8259s' vector`, () => {
    const machine = new Controllers();
    machine.wires.driver(irq, "device").setLevel(true);
    assertEquals([machine.drain(0), machine.drain(1)], [[PIC_BASE + irq], []]);
  });

  Deno.test(`Symmetric I/O mode: IRQ ${irq} arrives at CPU 1 with the I/O APIC's vector`, () => {
    const machine = new Controllers();
    machine.maskPic();
    const pin = irq === 0 ? 2 : irq;
    machine.route(pin, 0x40 + pin, 1);
    machine.wires.driver(irq, "device").setLevel(true);
    assertEquals([machine.drain(0), machine.drain(1)], [[], [0x40 + pin]]);
  });
}

Deno.test("Two edges of the timer between two interrupts are one, of two sources two", () => {
  const machine = new Controllers();
  machine.maskPic();
  machine.route(2, 0x42);
  machine.route(4, 0x44);
  const [timer, serial] = [machine.wires.driver(0, "timer"), machine.wires.driver(4, "serial")];
  for (const line of [timer, serial, timer]) pulse(line);
  assertEquals(machine.drain(), [0x44, 0x42], "highest vector first");
});

Deno.test("A level that stays comes back after its EOI; the EOI of another vector brings nothing", () => {
  const machine = new Controllers();
  machine.maskPic();
  machine.route(11, 0x5b | RTE.LEVEL);
  machine.route(4, 0x64);
  const level = machine.wires.driver(11, "card");
  const edge = machine.wires.driver(4, "serial");
  level.setLevel(true);
  assertEquals(machine.take(), 0x5b);
  pulse(edge);
  assertEquals(machine.take(), 0x64, "a higher class nests");
  machine.end();
  assertEquals([machine.take(), machine.ioapic.entry(11).remoteIrr], [null, true]);
  machine.end();
  assertEquals(machine.take(), 0x5b, "again");
  level.setLevel(false);
  machine.end();
  assertEquals([machine.take(), machine.ioapic.entry(11).remoteIrr], [null, false]);
});

Deno.test("Drivers that share a level-triggered line are served one by one", () => {
  const machine = new Controllers();
  machine.maskPic();
  machine.route(10, 0x5a | RTE.LEVEL);
  const lines = ["disk", "card"].map((name) => machine.wires.driver(10, name));
  for (const line of lines) line.setLevel(true);
  for (const line of lines) {
    assertEquals(machine.take(), 0x5a);
    line.setLevel(false);
    machine.end();
  }
  assertEquals(machine.take(), null);
});

Deno.test("An active-low entry fires while its line is low", () => {
  const machine = new Controllers();
  machine.maskPic();
  const line = machine.wires.driver(5, "device");
  line.setLevel(true);
  machine.route(5, 0x55 | RTE.LEVEL | RTE.LOW);
  assertEquals(machine.take(), null);
  line.setLevel(false);
  assertEquals(machine.take(), 0x55);
});

Deno.test("A masked entry forgets edges and remembers levels", () => {
  const machine = new Controllers();
  machine.maskPic();
  machine.route(4, 0x44 | MASK);
  machine.route(9, 0x49 | RTE.LEVEL | MASK);
  for (const irq of [4, 9]) machine.wires.driver(irq, "device").setLevel(true);
  machine.route(4, 0x44);
  machine.route(9, 0x49 | RTE.LEVEL);
  assertEquals(machine.drain().slice(0, 1), [0x49]);
  assertEquals(machine.apics.requested().includes(0x44), false);
});

/** Task priorities of both CPUs, and which of them takes a lowest-priority interrupt. */
const LOWEST: [priorities: [number, number], cpu: number][] = [
  [[0x00, 0x00], 0],
  [[0x30, 0x20], 1],
  [[0x20, 0x30], 0],
];
for (const [priorities, winner] of LOWEST) {
  Deno.test(`Lowest priority delivery at task priorities ${priorities} goes to CPU ${winner}`, () => {
    const machine = new Controllers();
    machine.maskPic();
    machine.route(4, 0x74 | RTE.LOWEST | RTE.LOGICAL, 0x03);
    priorities.forEach((priority, cpu) => {
      machine.apics.write(APIC.LDR, (1 << cpu) << 24, cpu);
      machine.apics.write(APIC.TPR, priority, cpu);
    });
    pulse(machine.wires.driver(4, "serial"));
    assertEquals([machine.drain(winner), machine.drain(1 - winner)], [[0x74], []]);
  });
}

Deno.test("An I/O APIC entry as ExtINT asks the 8259s for the vector", () => {
  const machine = new Controllers();
  machine.apics.write(APIC.LVT_LINT0, MASK);
  // The board has no wire from INTR to pin 0; a device's own line stands in for it.
  machine.route(4, RTE.EXT_INT);
  machine.wires.driver(4, "serial").setLevel(true);
  assertEquals(machine.drain(), [PIC_BASE + 4]);
});

Deno.test("An I/O APIC entry as NMI, and the NMI wire, reach the CPU whatever its priority", () => {
  const machine = new Controllers();
  machine.maskPic();
  machine.apics.write(APIC.TPR, 0xf0);
  machine.route(2, RTE.NMI);
  pulse(machine.wires.driver(0, "watchdog"));
  machine.apics.bus.setNmi(true);
  machine.apics.bus.setNmi(false);
  assertEquals(machine.apics.cpu.log, ["nmi", "nmi"]);
});

Deno.test("A request that is gone at INTA is the 8259's spurious IRQ 7, with nothing in service", () => {
  const machine = new Controllers();
  machine.out(0x4d0, 0x20); // IRQ 5 level-triggered
  const line = machine.wires.driver(5, "card");
  line.setLevel(true);
  const { apic, cpu } = machine.apics;
  assertEquals(cpu.pending, true);
  line.setLevel(false);
  assertEquals([cpu.pending, machine.pic.acknowledge()], [false, PIC_BASE + 7]);
  machine.out(0x20, 0x0b); // OCW3: read ISR
  assertEquals([machine.pic.readPort(0x20, 1), apic.interruptPending], [0, false]);
});

Deno.test("The local APIC's own vector goes first, and no task priority holds the 8259s back", () => {
  const machine = new Controllers();
  machine.out(0x21, 0xfe); // IRQ 0 alone
  machine.out(0xa1, 0xff);
  machine.route(4, 0x44);
  const timer = machine.wires.driver(0, "timer");
  const serial = machine.wires.driver(4, "serial");
  for (const line of [timer, serial]) line.setLevel(true);
  assertEquals(machine.drain(), [0x44, PIC_BASE]);
  machine.apics.write(APIC.TPR, 0xf0);
  for (const line of [timer, serial]) {
    line.setLevel(false);
    line.setLevel(true);
  }
  assertEquals(machine.drain(), [PIC_BASE]);
});

Deno.test("From virtual wire to symmetric I/O mode no interrupt arrives twice", () => {
  const machine = new Controllers();
  const line = machine.wires.driver(4, "serial");
  pulse(line);
  assertEquals(machine.drain(), [], "8259A: a request must last until INTA");
  line.setLevel(true);
  assertEquals(machine.drain(), [PIC_BASE + 4]);
  line.setLevel(false);
  machine.maskPic();
  machine.apics.write(APIC.LVT_LINT0, MASK);
  machine.route(4, 0x44);
  line.setLevel(true);
  assertEquals(machine.drain(), [0x44]);
});

Deno.test("Saved in the middle of a level-triggered interrupt, the machine goes on in another", () => {
  const setUp = () => {
    const machine = new Controllers();
    return { machine, lines: [9, 9, 4].map((irq, i) => machine.wires.driver(irq, `device${i}`)) };
  };
  const { machine: original, lines } = setUp();
  original.out(0x21, 0xef); // IRQ 4 alone at the 8259s
  original.route(9, 0x59 | RTE.LEVEL, 1);
  lines.forEach((line) => line.setLevel(true));
  assertEquals(original.take(1), 0x59);
  const saved = original.save();

  const copy = setUp();
  copy.machine.restore(saved);
  assertEquals(copy.machine.save(), saved);
  for (const { machine, lines: [first, second] } of [{ machine: original, lines }, copy]) {
    assertEquals(machine.drain(0), [PIC_BASE + 4]);
    first.setLevel(false);
    machine.end(1);
    assertEquals(machine.take(1), 0x59, "the second device holds the line");
    second.setLevel(false);
    machine.end(1);
    assertEquals(machine.take(1), null);
  }
});
