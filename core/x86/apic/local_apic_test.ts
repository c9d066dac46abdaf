/** The local APIC's registers, modes and priorities; section titles of the Intel SDM, vol. 3, in the names. */

import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { APIC_REGISTERS } from "./registers.ts";
import { type Bench, bench } from "./testing.ts";

const AFTER_RESET: [name: string, offset: number, value: number][] = [
  ["ID", 0x20, 0x01000000],
  ["version 0x14, highest LVT entry 5", 0x30, 0x00050014],
  ["TPR", 0x80, 0],
  ["PPR", 0xa0, 0],
  ["LDR", 0xd0, 0],
  ["DFR", 0xe0, 0xffffffff],
  ["SVR: disabled, vector 0xff", 0xf0, 0xff],
  ["ESR", 0x280, 0],
  ["ICR low", 0x300, 0],
  ["LVT timer", 0x320, 0x10000],
  ["LVT thermal", 0x330, 0x10000],
  ["LVT performance", 0x340, 0x10000],
  ["LVT LINT0", 0x350, 0x10000],
  ["LVT LINT1", 0x360, 0x10000],
  ["LVT error", 0x370, 0x10000],
  ["initial count", 0x380, 0],
  ["current count", 0x390, 0],
  ["divide configuration", 0x3e0, 0],
];
test("Local APIC State After Power-Up or Reset", () => {
  const b = bench(2, { raw: true });
  for (const [name, offset, value] of AFTER_RESET) assertEquals(b.read(offset, 1), value, name);
  assertEquals([b.apics[0].readMsr(0x1b), b.apics[1].readMsr(0x1b)], [
    { low: 0xfee00900, high: 0 },
    { low: 0xfee00800, high: 0 },
  ]);
});

const READ_BACK: [name: string, offset: number, written: number, read: number][] = [
  ["ID is read-only", 0x20, 0xff000000, 0],
  ["version is read-only", 0x30, 0xffffffff, 0x00050014],
  ["TPR has 8 bits", 0x80, 0xffffffff, 0xff],
  ["LDR has the upper 8 bits", 0xd0, 0xffffffff, 0xff000000],
  ["DFR's lower 28 bits are ones", 0xe0, 0, 0x0fffffff],
  ["SVR without EOI-broadcast suppression", 0xf0, 0xffffffff, 0x3ff],
  ["ICR low, delivery status idle", 0x300, 0x000c5641 & ~0x5000, 0x000c0641],
  ["ICR high", 0x310, 0xffffffff, 0xff000000],
  ["LVT timer with TSC-deadline", 0x320, 0xffffffff, 0x000700ff],
  ["LVT thermal", 0x330, 0xffffffff, 0x000107ff],
  ["LVT performance", 0x340, 0xffffffff, 0x000107ff],
  ["LVT LINT0", 0x350, 0xffffffff, 0x0001a7ff],
  ["LVT LINT1", 0x360, 0xffffffff, 0x0001a7ff],
  ["LVT error", 0x370, 0xffffffff, 0x000100ff],
  ["initial count", 0x380, 0xffffffff, 0xffffffff],
  ["divide configuration", 0x3e0, 0xffffffff, 0xb],
  ["IRR is read-only", 0x210, 0xffffffff, 0],
  ["EOI is write-only", 0xb0, 0, 0],
];
for (const [name, offset, written, expected] of READ_BACK) {
  test(`Local APIC Register Address Map: ${name}`, () => {
    const b = bench(1);
    b.write(offset, written);
    assertEquals(b.read(offset), expected);
  });
}

test("LVT timer bit 18 is reserved, and IA32_TSC_DEADLINE is #GP, without TSC-deadline mode", () => {
  const b = bench(1, { tscDeadline: false });
  b.write(0x320, 0xffffffff);
  assertEquals(b.read(0x320), 0x000300ff);
  assertEquals([b.apic.readMsr(0x6e0), b.apic.writeMsr(0x6e0, 0, 0)], [null, false]);
});

test("narrow reads give their bytes; narrow or unaligned writes do nothing", () => {
  const b = bench(1);
  assertEquals([b.apic.readMmio(0x32, 1), b.apic.readMmio(0x32, 2)], [5, 5]);
  assertEquals(b.apic.readMmio(0x34, 4), 0);
  b.apic.writeMmio(0x80, 1, 0x20);
  b.apic.writeMmio(0x84, 4, 0x20);
  assertEquals(b.read(0x80), 0);
});

test("Error Handling: reserved registers set ESR bit 7, shown by a write to ESR and cleared by the next", () => {
  const b = bench(1);
  b.write(0x370, 0xfe);
  assertEquals(b.read(0x2f0), 0, "no CMCI");
  assertEquals(b.read(0x280), 0, "not before the write");
  assertEquals(b.requested(), [0xfe]);
  assertEquals([b.errors(), b.errors()], [0x80, 0]);
});

test("Error Handling: illegal vectors, sent and received, and an illegal error vector ends there", () => {
  const b = bench(1);
  b.write(0x300, 0x4000f);
  assertEquals(b.errors(), 0x20);
  b.write(0x350, 0x00005);
  b.bus.setExternalInterrupt(true);
  assertEquals(b.errors(), 0x40);
  b.write(0x370, 0x0f);
  b.read(0x2f0);
  assertEquals([b.errors(), b.requested()], [0x80, []]);
});

const selfIpi = (b: Bench, vector: number) => b.write(0x300, 0x40000 | vector);

test("Task and Processor Priorities: class by class, with PPR from TPR and ISR", () => {
  const b = bench(1);
  b.write(0x80, 0x45);
  selfIpi(b, 0x4f);
  assertEquals([b.cpu.pending, b.apic.pendingVector(), b.read(0xa0)], [false, -1, 0x45]);
  selfIpi(b, 0x51);
  assertEquals([b.cpu.pending, b.apic.pendingVector()], [true, 0x51]);
  assertEquals([b.apic.acknowledge(), b.read(0xa0), b.cpu.pending], [0x51, 0x50, false]);
  selfIpi(b, 0x5f);
  assertEquals(b.cpu.pending, false, "one class");
  selfIpi(b, 0x60);
  assertEquals([b.apic.acknowledge(), b.read(0xa0)], [0x60, 0x60]);
  assertEquals([b.inService(), b.requested()], [[0x51, 0x60], [0x4f, 0x5f]]);
  b.write(0xb0, 0);
  assertEquals([b.inService(), b.read(0xa0), b.cpu.pending], [[0x51], 0x50, false]);
  b.write(0xb0, 0);
  assertEquals([b.apic.acknowledge(), b.inService()], [0x5f, [0x5f]]);
});

test("Task Priority in IA-32e Mode: CR8 is bits 7 to 4 of TPR", () => {
  const b = bench(1);
  b.write(0x80, 0x5a);
  assertEquals(b.apic.cr8, 5);
  b.apic.cr8 = 6;
  assertEquals(b.read(0x80), 0x60);
  selfIpi(b, 0x65);
  assertEquals(b.cpu.pending, false);
  b.apic.cr8 = 5;
  assertEquals(b.cpu.pending, true);
});

test("Interrupt Acceptance: one vector is in service and requested once more, at most", () => {
  const b = bench(1);
  selfIpi(b, 0x41);
  b.apic.acknowledge();
  selfIpi(b, 0x41);
  selfIpi(b, 0x41);
  b.write(0xb0, 0);
  assertEquals(b.apic.acknowledge(), 0x41);
  b.write(0xb0, 0);
  assertEquals([b.cpu.pending, b.inService()], [false, []]);
});

test("Spurious Interrupt: nothing pending answers with SVR's vector and nothing in service", () => {
  const b = bench(1);
  b.write(0xf0, 0x1ef);
  selfIpi(b, 0x41);
  b.write(0x80, 0xf0);
  assertEquals([b.apic.acknowledge(), b.inService(), b.requested()], [0xef, [], [0x41]]);
});

test("Local APIC State After It Has Been Software Disabled: LVT masked for good, IPIs refused, NMI taken", () => {
  const b = bench(2);
  b.write(0x350, 0x700);
  b.write(0xf0, 0xff);
  assertEquals(b.read(0x350), 0x10700);
  b.write(0x350, 0x700);
  assertEquals(b.read(0x350), 0x10700);
  b.write(0x310, 0, 1);
  b.write(0x300, 0x4041, 1);
  assertEquals(b.requested(), []);
  b.write(0x300, 0x4400, 1);
  assertEquals(b.cpu.log, ["nmi"]);
  b.write(0x310, 0x01000000);
  b.write(0x300, 0x4041);
  assertEquals(b.requested(1), [0x41], "it still sends");
});

test("Signaling Interrupt Servicing Completion: EOI of a level-triggered vector goes to the I/O APICs", () => {
  const b = bench(1, { eoiBroadcastSuppression: true });
  assertEquals(b.read(0x30), 0x01050014);
  const level = (vector: number) => b.bus.sendMessage(0xfee00000 as never, 0xc000 | vector);
  level(0x61);
  selfIpi(b, 0x51);
  assertEquals(b.read(0x1b0), 1 << 1, "TMR");
  for (const vector of [0x61, 0x51]) {
    assertEquals(b.apic.acknowledge(), vector);
    b.write(0xb0, 0);
  }
  b.write(0xb0, 0);
  assertEquals(b.eois, [0x61]);
  b.write(0xf0, 0x11ff);
  level(0x62);
  b.apic.acknowledge();
  b.write(0xb0, 0);
  assertEquals(b.eois, [0x61], "suppressed by SVR bit 12");
});

type Base = readonly [low: number, high?: number];
const BASE = 0xfee00900;
const X2 = 0xfee00d00;
const OFF = 0xfee00100;
const TRANSITIONS: [name: string, path: readonly Base[], legal: boolean][] = [
  ["xAPIC to x2APIC", [[X2]], true],
  ["xAPIC to disabled", [[OFF]], true],
  ["disabled to xAPIC", [[OFF], [BASE]], true],
  ["disabled to x2APIC", [[OFF], [X2]], false],
  ["x2APIC to disabled", [[X2], [OFF]], true],
  ["x2APIC to xAPIC", [[X2], [BASE]], false],
  ["x2APIC to EXTD without EN", [[X2], [0xfee00500]], false],
  ["xAPIC to EXTD without EN", [[0xfee00500]], false],
  ["xAPIC elsewhere", [[0xfed00900, 1]], true],
  ["reserved bit 9", [[0xfee00b00]], false],
  ["reserved bit 0", [[0xfee00901]], false],
  ["an address beyond MAXPHYADDR", [[BASE, 0x100]], false],
];
for (const [name, path, legal] of TRANSITIONS) {
  test(`x2APIC State Transitions: ${name} is ${legal ? "legal" : "#GP(0)"}`, () => {
    const b = bench(1);
    path.forEach(([low, high = 0], step) => {
      const last = step === path.length - 1;
      const before = b.apic.readMsr(0x1b);
      assertEquals(b.apic.writeMsr(0x1b, low, high), !last || legal);
      assertEquals(b.apic.readMsr(0x1b), !last || legal ? { low, high } : before);
    });
  });
}

test("Local APIC Status and Location: the page moves, and is gone in the other modes", () => {
  const b = bench(1);
  const pages = [b.apic.page];
  for (const [low, high] of [[0xfed00900, 1], [0xfed00d00, 1], [0xfed00100, 1]]) {
    b.apic.writeMsr(0x1b, low, high);
    pages.push(b.apic.page);
  }
  assertEquals(pages, [0xfee00000, 0x1fed00000, -1, -1]);
  assertEquals(b.cpu.log, ["page", "page", "page"]);
});

test("Enabling or Disabling the Local APIC: disabling forgets, and LINT0 and LINT1 become INTR and NMI", () => {
  const b = bench(1);
  b.bus.externalController = { acknowledge: () => 0x30 };
  b.write(0x80, 0xf0);
  selfIpi(b, 0xf5);
  b.apic.writeMsr(0x1b, OFF, 0);
  b.bus.setExternalInterrupt(true);
  assertEquals([b.cpu.pending, b.apic.pendingVector(), b.apic.acknowledge()], [true, -1, 0x30]);
  b.bus.setNmi(true);
  assertEquals(b.cpu.log, ["page", "nmi"]);
  b.apic.writeMsr(0x1b, BASE, 0);
  assertEquals([b.cpu.pending, b.read(0x80), b.read(0xf0), b.requested()], [false, 0, 0xff, []]);
});

test("without x2APIC, bit 10 of IA32_APIC_BASE is reserved", () => {
  const b = bench(1, { x2apic: false });
  assertEquals(b.apic.writeMsr(0x1b, X2, 0), false);
});

test("x2APIC Register Address Space: access rights of every MSR from 0x800 to 0x8FF", () => {
  const b = bench(1);
  assertEquals(b.apic.readMsr(0x802), null, "not in xAPIC mode");
  b.enterX2apic();
  for (let msr = 0x800; msr <= 0x8ff; msr++) {
    const access = APIC_REGISTERS[msr - 0x800]?.x2apic ?? "none";
    const name = `MSR ${msr.toString(16)}`;
    assertEquals(b.apic.readMsr(msr) !== null, access.startsWith("read"), name);
    if (msr === 0x83f) assertEquals(b.apic.writeMsr(msr, 0x40, 0), true);
    else assertEquals(b.apic.writeMsr(msr, 0, 0), access.endsWith("write"), name);
  }
});

const RESERVED_BITS: [name: string, msr: number, low: number, high: number, legal: boolean][] = [
  ["TPR bit 8", 0x808, 0x100, 0, false],
  ["TPR's high half", 0x808, 0, 1, false],
  ["EOI other than 0", 0x80b, 1, 0, false],
  ["ESR other than 0", 0x828, 1, 0, false],
  ["SVR bit 12, not advertised", 0x80f, 0x11ff, 0, false],
  ["LVT timer's read-only delivery status", 0x832, 0x110ff, 0, true],
  ["LVT timer bit 8", 0x832, 0x101ff, 0, false],
  ["LINT0's read-only remote IRR", 0x835, 0x14700, 0, true],
  ["ICR with a 32-bit destination", 0x830, 0x4041, 0xffff0000, true],
  ["ICR's former delivery status", 0x830, 0x5041, 0, true],
  ["ICR bit 13", 0x830, 0x6041, 0, false],
  ["SELF IPI bit 8", 0x83f, 0x141, 0, false],
];
for (const [name, msr, low, high, legal] of RESERVED_BITS) {
  test(`Reserved Bit Checking: ${name} is ${legal ? "accepted" : "#GP(0)"}`, () => {
    const b = bench(1);
    b.enterX2apic();
    assertEquals(b.apic.writeMsr(msr, low, high), legal);
  });
}

test("x2APIC mode shows 32-bit ids, the derived LDR, ICR as one, and SELF IPI", () => {
  const b = bench(1, { id: 0x12345 });
  b.enterX2apic();
  const { apic } = b;
  apic.writeMsr(0x80f, 0x1ff, 0);
  assertEquals(apic.readMsr(0x802), { low: 0x12345, high: 0 });
  assertEquals(apic.readMsr(0x80d), { low: 0x12340020, high: 0 });
  apic.writeMsr(0x830, 0x4841, 0x12340020);
  assertEquals(apic.readMsr(0x830), { low: 0x4841, high: 0x12340020 });
  apic.writeMsr(0x83f, 0x52, 0);
  assertEquals([apic.acknowledge(), apic.acknowledge()], [0x52, 0xff]);
  apic.writeMsr(0x80b, 0, 0);
  assertEquals(apic.acknowledge(), 0x41);
});

test("Virtual Wire Mode: LINT0 as ExtINT is a level that the 8259s answer, after the APIC's own", () => {
  const b = bench(1, { raw: true });
  const vectors = [0x30, 0x31];
  b.bus.externalController = { acknowledge: () => vectors.shift()! };
  b.bus.setExternalInterrupt(true);
  assertEquals(b.cpu.pending, false, "masked after reset");
  b.apic.setVirtualWireMode();
  assertEquals([b.read(0xf0), b.read(0x350), b.read(0x360)], [0x1ff, 0x700, 0x400]);
  assertEquals([b.cpu.pending, b.apic.pendingVector()], [true, -1]);
  selfIpi(b, 0x41);
  assertEquals([b.apic.acknowledge(), b.apic.acknowledge(), b.inService()], [0x41, 0x30, [0x41]]);
  b.bus.setExternalInterrupt(false);
  assertEquals(b.cpu.pending, false);
  b.write(0x80, 0xff);
  b.bus.setExternalInterrupt(true);
  assertEquals(b.cpu.pending, true, "ExtINT does not look at TPR");
  b.write(0x350, 0x10700);
  assertEquals(b.cpu.pending, false);
});

test("an ExtINT message waits for one INTA cycle", () => {
  const b = bench(1);
  b.bus.externalController = { acknowledge: () => 0x77 };
  b.bus.sendMessage(0xfee00000 as never, 0x4700);
  assertEquals([b.cpu.pending, b.apic.acknowledge(), b.cpu.pending], [true, 0x77, false]);
});

test("Local Vector Table: LINT1 as NMI counts rising edges, not while masked", () => {
  const b = bench(1);
  b.write(0x360, 0x400);
  for (const level of [true, true, false, true]) b.bus.setNmi(level);
  b.write(0x360, 0x10400);
  b.bus.setNmi(false);
  b.bus.setNmi(true);
  assertEquals(b.cpu.log, ["nmi", "nmi"]);
});

test("Local Vector Table: LINT0 fixed and level has a remote IRR, cleared by EOI", () => {
  const b = bench(1);
  b.write(0x350, 0x8045);
  b.bus.setExternalInterrupt(true);
  assertEquals([b.apic.acknowledge(), b.read(0x350)], [0x45, 0xc045]);
  b.write(0xb0, 0);
  assertEquals([b.apic.acknowledge(), b.read(0x350)], [0x45, 0xc045]);
  b.bus.setExternalInterrupt(false);
  b.write(0xb0, 0);
  assertEquals([b.cpu.pending, b.read(0x350)], [false, 0x8045]);
});

test("Local Vector Table: LINT0 fixed and edge (Linux's last resort for its timer), and active low", () => {
  const b = bench(1);
  b.write(0x350, 0x45);
  for (const level of [true, false, true]) b.bus.setExternalInterrupt(level);
  assertEquals(b.apic.acknowledge(), 0x45);
  b.write(0x350, 0x2046);
  b.bus.setExternalInterrupt(false);
  assertEquals(b.requested(), [0x46]);
});

test("Local Vector Table: a performance interrupt masks its entry", () => {
  const b = bench(1);
  b.write(0x340, 0x400);
  b.apic.signalPerformance();
  b.apic.signalPerformance();
  assertEquals([b.cpu.log, b.read(0x340)], [["nmi"], 0x10400]);
  b.write(0x330, 0x66);
  b.apic.signalThermal();
  assertEquals(b.requested(), [0x66]);
});

test("Local APIC State After an INIT Reset: registers reset, id and mode kept", () => {
  const b = bench(2);
  b.enterX2apic(1);
  b.apics[1].writeMsr(0x808, 0x20, 0);
  b.cpus[1].log.length = 0;
  b.write(0x310, 0x01000000);
  b.write(0x300, 0x4500);
  assertEquals(b.cpus[1].log, ["init"]);
  assertEquals([b.apics[1].mode, b.apics[1].readMsr(0x808), b.apics[1].readMsr(0x802)], [
    "x2apic",
    { low: 0, high: 0 },
    { low: 1, high: 0 },
  ]);
});

test("a restored local APIC is the saved one, and tells its CPU the level", () => {
  const from = bench(1);
  from.write(0x350, 0x700);
  from.write(0x320, 0x200ee);
  from.write(0x380, 1000);
  from.bus.setExternalInterrupt(true);
  selfIpi(from, 0x41);
  from.apic.acknowledge();
  selfIpi(from, 0x91);
  from.read(0x2f0);
  from.runTo(500);
  const to = bench(1, { raw: true });
  to.clock.restore(from.clock.save());
  to.apic.restore(from.apic.save());
  assertEquals(to.apic.save(), from.apic.save());
  assertEquals([to.cpu.pending, to.apic.acknowledge(), to.read(0x390)], [true, 0x91, 750]);
  to.runTo(2000);
  assertEquals([to.requested(), to.errors()], [[0xee], 0x80]);
});
