/** Who gets a message. Section titles of the Intel SDM, vol. 3, in the names. */

import { assertEquals } from "@std/assert";
import { physical } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import { type Bench, bench } from "./testing.ts";

/** CPUs at which something was requested. */
const receivers = (b: Bench): number[] =>
  b.cpus.flatMap((cpu, id) => b.apics[id].interruptPending || cpu.log.length > 0 ? [id] : []);

/** Flat logical ids 1, 2, 4, 8 unless said otherwise. */
function four(dfr = 0xffffffff, ldr: readonly number[] = [1, 2, 4, 8]): Bench {
  const b = bench(4);
  for (let id = 0; id < 4; id++) {
    b.write(0xe0, dfr, id);
    b.write(0xd0, (ldr[id] << 24) >>> 0, id);
  }
  return b;
}

const FLAT = 0xffffffff;
const CLUSTER = 0x0fffffff;
const CLUSTERS = [0x11, 0x12, 0x21, 0x22];

const DESTINATIONS: [
  name: string,
  dfr: number,
  ldr: readonly number[],
  low: number,
  destination: number,
  receivers: readonly number[],
][] = [
  ["physical", FLAT, [1, 2, 4, 8], 0x4041, 2, [2]],
  ["physical, nobody there", FLAT, [1, 2, 4, 8], 0x4041, 9, []],
  ["physical broadcast", FLAT, [1, 2, 4, 8], 0x4041, 0xff, [0, 1, 2, 3]],
  ["flat: two bits", FLAT, [1, 2, 4, 8], 0x4841, 0x0a, [1, 3]],
  ["flat: no bit", FLAT, [1, 2, 4, 8], 0x4841, 0xf0, []],
  ["flat: broadcast", FLAT, [1, 2, 4, 8], 0x4841, 0xff, [0, 1, 2, 3]],
  ["cluster 2, both", CLUSTER, CLUSTERS, 0x4841, 0x23, [2, 3]],
  ["cluster 1, second", CLUSTER, CLUSTERS, 0x4841, 0x12, [1]],
  ["cluster 3, nobody", CLUSTER, CLUSTERS, 0x4841, 0x3f, []],
  ["cluster broadcast", CLUSTER, CLUSTERS, 0x4841, 0xff, [0, 1, 2, 3]],
  ["shorthand: self", FLAT, [1, 2, 4, 8], 0x44041, 2, [1]],
  ["shorthand: all including self", FLAT, [1, 2, 4, 8], 0x84041, 2, [0, 1, 2, 3]],
  ["shorthand: all excluding self", FLAT, [1, 2, 4, 8], 0xc4041, 2, [0, 2, 3]],
  ["NMI to all others", FLAT, [1, 2, 4, 8], 0xc4400, 0, [0, 2, 3]],
  ["NMI to self is no valid combination", FLAT, [1, 2, 4, 8], 0x44400, 0, []],
  ["SMI is ignored", FLAT, [1, 2, 4, 8], 0x4200, 2, []],
  ["INIT level de-assert is ignored", FLAT, [1, 2, 4, 8], 0x8500, 2, []],
  ["reserved delivery mode 3", FLAT, [1, 2, 4, 8], 0x4341, 2, []],
];
for (const [name, dfr, ldr, low, destination, expected] of DESTINATIONS) {
  test(`Determining IPI Destination: ${name}`, () => {
    const b = four(dfr, ldr);
    b.write(0x310, (destination << 24) >>> 0, 1);
    b.write(0x300, low, 1);
    assertEquals(receivers(b), expected);
  });
}

test("MP Initialization Protocol: INIT, de-assert and two SIPIs reach the CPU in order", () => {
  const b = four();
  b.write(0x310, 0x03000000);
  for (const low of [0xc500, 0x8500, 0x0608, 0x0608]) b.write(0x300, low);
  assertEquals(b.cpus.map((cpu) => cpu.log), [[], [], [], ["init", "sipi 8", "sipi 8"]]);
});

test("Lowest Priority Delivery Mode: the lowest APR takes it, the first among equals, no disabled one", () => {
  const b = four();
  b.write(0x80, 0x30, 0);
  b.write(0x80, 0x20, 1);
  b.write(0x80, 0x20, 2);
  b.write(0xf0, 0xff, 3);
  b.bus.sendMessage(physical(0xfeeff004), 0x4141);
  assertEquals([0, 1, 2, 3].map((cpu) => b.requested(cpu)), [[], [0x41], [], []]);
  b.bus.sendMessage(physical(0xfeeff004), 0x4142);
  assertEquals(b.requested(2), [0x42], "a request raises the APR of CPU 1");
  assertEquals(b.read(0x90, 1), 0x40);
});

const MSI: [name: string, address: number, data: number, receivers: readonly number[]][] = [
  ["fixed, edge, physical", 0xfee02000, 0x0041, [2]],
  ["fixed, level assert", 0xfee02000, 0xc041, [2]],
  ["level de-assert delivers nothing", 0xfee02000, 0x8041, []],
  ["logical", 0xfee05004, 0x0041, [0, 2]],
  ["broadcast", 0xfeeff000, 0x0041, [0, 1, 2, 3]],
  ["NMI", 0xfee01000, 0x0400, [1]],
  ["SMI is ignored", 0xfee01000, 0x0200, []],
  ["reserved delivery mode 3", 0xfee01000, 0x0341, []],
  ["below the range", 0xfedff000, 0x0041, []],
  ["above 4 GiB", 0x1fee02000, 0x0041, []],
];
for (const [name, address, data, expected] of MSI) {
  test(`Message Signalled Interrupts: ${name}`, () => {
    const b = four();
    b.bus.sendMessage(physical(address), data);
    assertEquals(receivers(b), expected);
  });
}

const X2_DESTINATIONS: [
  name: string,
  low: number,
  destination: number,
  receivers: readonly number[],
][] = [
  ["physical", 0x4041, 2, [2]],
  ["physical, 32 bits are compared", 0x4041, 0x102, []],
  ["0xff is an id like others", 0x4041, 0xff, []],
  ["broadcast", 0x4041, 0xffffffff, [0, 1, 2, 3]],
  ["logical, cluster 0", 0x4841, 0x0000000c, [2, 3]],
  ["logical, cluster 1", 0x4841, 0x0001000f, []],
  ["logical broadcast", 0x4841, 0xffffffff, [0, 1, 2, 3]],
];
for (const [name, low, destination, expected] of X2_DESTINATIONS) {
  test(`Logical Destination Mode in x2APIC Mode: ${name}`, () => {
    const b = four();
    for (let id = 0; id < 4; id++) b.enterX2apic(id);
    for (const cpu of b.cpus) cpu.log.length = 0;
    b.apic.writeMsr(0x830, low, destination);
    assertEquals(receivers(b), expected);
  });
}

test("an MSI with destination 0xff reaches every CPU in x2APIC mode too", () => {
  const b = four();
  for (let id = 0; id < 4; id++) b.enterX2apic(id);
  for (const cpu of b.cpus) cpu.log.length = 0;
  b.bus.sendMessage(physical(0xfeeff000), 0x4041);
  assertEquals(receivers(b), [0, 1, 2, 3]);
});

test("a globally disabled local APIC hears nothing", () => {
  const b = four();
  b.apics[2].writeMsr(0x1b, 0xfee00000, 0);
  b.cpus[2].log.length = 0;
  b.bus.sendMessage(physical(0xfeeff000), 0x0041);
  assertEquals(receivers(b), [0, 1, 3]);
});

test("a machine without 8259s floats the bus in the INTA cycle", () => {
  const b = bench(1);
  assertEquals(b.bus.acknowledgeExternal(), 0xff);
});
